package signin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/signin"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
)

// addCompany puts the company's sign-in, if there is one, before Atlassian.
func (r *rig) addCompany(opt rigOptions, kek seal.KEK, desk *consent.DeskConfig) signin.Company {
	r.t.Helper()
	if opt.idp == nil {
		return nil
	}
	people := opt.access
	if people == nil {
		people = &policy.People{Tenants: map[identity.TenantID][]string{}}
		for _, tenant := range r.tenants {
			people.Tenants[tenant] = nil
		}
	}
	provider, err := oidc.New(oidc.Config{
		Issuer: opt.idp.URL, ClientID: oidctest.ClientID, ClientSecret: secret.New(oidctest.ClientSecret), Redirect: r.url + oidc.CallbackPath,
		NeedGroups: people.NeedGroups(), HTTP: http.DefaultClient,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	box, err := seal.Vault(r.t.Context(), kek, r.db, "signin")
	if err != nil {
		r.t.Fatal(err)
	}
	rules, err := policy.New(policy.Rules{StepUp: policy.StepUp{Tools: []string{"confluence_update_page"}}})
	if err != nil {
		r.t.Fatal(err)
	}
	r.company = company.New(company.Config{
		Provider: provider, Store: r.db.SignIns(), Box: box, Sessions: r.keeper, Audit: r.audit, People: people, Policy: func() *policy.Policy { return rules },
		Seen: r.db.Remembered, Remember: r.db.Remember,
		Expel:   func(context.Context, identity.PersonID, identity.TenantID) error { return nil },
		Recheck: time.Hour, Log: slog.New(slog.NewTextHandler(r.log, nil)),
	})
	desk.Company, desk.StepUp = r.company, r.company.Wanted
	return r.company
}

// adas is Ada in the browser, at the company.
func adas() oidctest.State {
	return oidctest.State{
		Claims: map[string]any{"sub": "ada-1", "name": "Ada of Acme", "groups": []string{"staff"}, "sid": "sid-1", "amr": []string{"pwd"}},
		StepUp: map[string]any{"amr": []string{"pwd", "mfa"}}, Signed: time.Hour,
	}
}

// away clicks through the login's page to the company's sign-in.
func (p *person) away(page string, more url.Values) string {
	p.r.t.Helper()
	_, text := p.get(page)
	form := url.Values{"form": {between(text, `name="form" value="`, `"`)}}
	for name, values := range more {
		form[name] = values
	}
	status, text := p.do(http.MethodPost, page+"/continue", form, nil)
	address := between(text, `class="primary" href="`, `"`)
	if status != http.StatusOK || !strings.Contains(address, "/authorize?") {
		p.r.t.Fatalf("going on answered %d: %s", status, text)
	}
	return address
}

// returns brings what the company's sign-in sent back to the vault's callback.
func (p *person) returns(q url.Values) (int, string) {
	p.r.t.Helper()
	return p.get(p.r.url + oidc.CallbackPath + "?" + q.Encode())
}

// visit is the whole way to the company and back.
func (p *person) visit(idp *oidctest.Provider, page string) (int, string) {
	p.r.t.Helper()
	return p.returns(idp.Browse(p.r.t, p.away(page, nil)))
}

// home follows a page that leads to the loopback, beside the shim that waits.
func (p *person) home(s *shim, text string) (wire.LoginFinished, wire.Problem) {
	p.r.t.Helper()
	to := between(text, `class="primary" href="`, `"`)
	if !strings.HasPrefix(to, s.loopback.URL) {
		p.r.t.Fatalf("it leads to %q: %s", to, text)
	}
	return p.arrive(s, to)
}

// arrive brings the browser to the loopback.
func (p *person) arrive(s *shim, to string) (wire.LoginFinished, wire.Problem) {
	p.r.t.Helper()
	came := make(chan struct{})
	go func() {
		defer close(came)
		if res, err := http.Get(to); err == nil { //nolint:noctx // ends with the loopback
			_ = res.Body.Close()
		}
	}()
	done, problem := s.finish()
	<-came
	return done, problem
}

// first signs somebody in with the company and Atlassian.
func (r *rig) first(d *device, idp *oidctest.Provider) {
	r.t.Helper()
	s, p := d.shim("first"), &person{r: r}
	_, text := p.visit(idp, s.start().URL)
	onward := between(text, `class="primary" href="`, `"`)
	if !strings.HasPrefix(onward, r.simURL) {
		r.t.Fatalf("the way from the company leads to %q: %s", onward, text)
	}
	if status, text := p.get(p.atAtlassian(onward)); status != http.StatusSeeOther {
		r.t.Fatalf("the callback answered %d: %s", status, text)
	}
	if done, problem := p.arrive(s, p.last.Header.Get("Location")); !done.OK {
		r.t.Fatalf("finishing: %+v", problem)
	}
}

// TestBothSignIns: the company first, then Atlassian; a restart, or another
// vault, may come between any two steps. The second device needs no consent.
func TestBothSignIns(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	opt := rigOptions{idp: idp}
	r := newRig(t, opt)
	d := r.device()
	s, p := d.shim("one"), &person{r: r}
	page := s.start().URL
	r.restart(opt)
	address := p.away(page, nil)
	r.restart(opt)
	back := idp.Browse(t, address)
	r.restart(opt)
	_, text := p.returns(back)
	r.restart(opt)
	callback := p.atAtlassian(between(text, `class="primary" href="`, `"`))
	r.restart(opt)
	if status, text := p.get(callback); status != http.StatusSeeOther {
		t.Fatalf("the callback answered %d: %s", status, text)
	}
	to := p.last.Header.Get("Location")
	r.restart(opt)
	if done, problem := p.arrive(s, to); !done.OK {
		t.Fatalf("finishing: %+v", problem)
	}
	if _, text := p.get(page); !strings.Contains(text, "Ada of Acme") || !strings.Contains(text, "You are signed in") {
		t.Errorf("the last page says %s", text)
	}
	who := identity.NewPersonID(idp.URL, "ada-1")
	first, err := r.keeper.Current(t.Context(), d.id)
	if err != nil || first.Person != who || first.Shown.Name != "Ada of Acme" {
		t.Errorf("the session is %+v, %v", first, err)
	}

	r.restart(opt)
	again := r.device().shim("two")
	_, text = p.visit(idp, again.start().URL)
	if done, problem := p.home(again, text); !done.OK {
		t.Fatalf("the second device: %+v", problem)
	}
	second, err := r.keeper.Current(t.Context(), again.id)
	if err != nil || second.Person != who {
		t.Errorf("the second session is %+v, %v", second, err)
	}
	grants, err := r.grants.List(t.Context())
	if err != nil || len(grants) != 1 || grants[0].Person != who || grants[0].Account == "" || len(r.sim.TokenRequests()) != 1 {
		t.Errorf("grants %+v, %v", grants, err)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done", "login.started", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	r.leaks(append(idp.Secrets(), oidctest.ClientSecret, s.verifier)...)
}

// TestAnotherAtlassianAccount: who asks for it is asked by Atlassian although
// the grant lives, and so is a person whose grant has ended.
func TestAnotherAtlassianAccount(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	r.first(r.device(), idp)
	p := &person{r: r}
	s := r.device().shim("two")
	_, text := p.returns(idp.Browse(t, p.away(s.start().URL, url.Values{"anew": {"1"}})))
	if onward := between(text, `class="primary" href="`, `"`); !strings.HasPrefix(onward, r.simURL) {
		t.Errorf("it leads to %q", onward)
	}
	all, err := r.grants.List(t.Context())
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := r.grants.Revoke(t.Context(), all[0].ID); err != nil {
		t.Fatal(err)
	}
	s = r.device().shim("three")
	_, text = p.visit(idp, s.start().URL)
	if onward := between(text, `class="primary" href="`, `"`); !strings.HasPrefix(onward, r.simURL) {
		t.Errorf("without a grant it leads to %q", onward)
	}
}

// TestAGrantThatEndsOnTheWay: between the company's word and the ticket.
func TestAGrantThatEndsOnTheWay(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	r.first(r.device(), idp)
	s, p := r.device().shim("two"), &person{r: r}
	_, text := p.visit(idp, s.start().URL)
	all, err := r.grants.List(t.Context())
	if err == nil {
		err = r.grants.Revoke(t.Context(), all[0].ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	if done, problem := p.home(s, text); done.OK || problem.Code != "revoked" {
		t.Errorf("finishing: %+v, %+v", done, problem)
	}
	if _, err := r.keeper.Current(t.Context(), s.id); err == nil {
		t.Error("there is a session")
	}
}

// TestCompanyCallbacksThatAreTurnedAway: none reaches the token endpoint, and
// the right browser can still finish.
func TestCompanyCallbacksThatAreTurnedAway(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	s, p := r.device().shim("one"), &person{r: r}
	back := idp.Browse(t, p.away(s.start().URL, nil))
	code, good := back.Get("code"), back.Get("state")
	for name, test := range map[string]struct {
		who    *person
		method string
		path   string
		header http.Header
		want   int
	}{
		"no state":             {who: p, path: oidc.CallbackPath + "?code=" + code, want: 400},
		"foreign state":        {who: p, path: oidc.CallbackPath + "?code=" + code + "&state=" + random(), want: 400},
		"state twice":          {who: p, path: oidc.CallbackPath + "?code=" + code + "&state=" + good + "&state=" + good, want: 400},
		"another browser":      {who: &person{r: r}, path: oidc.CallbackPath + "?code=" + code + "&state=" + good, want: 409},
		"another's refusal":    {who: &person{r: r}, path: oidc.CallbackPath + "?error=access_denied&state=" + good, want: 409},
		"Atlassian's callback": {who: p, path: "/callback/acme?code=" + code + "&state=" + good, want: 410},
		"POST":                 {who: p, method: http.MethodPost, path: oidc.CallbackPath + "?code=" + code + "&state=" + good, want: 405},
		"fetched ahead":        {who: p, path: oidc.CallbackPath + "?code=" + code + "&state=" + good, header: http.Header{"Sec-Purpose": {"prefetch"}}, want: 503},
	} {
		method := test.method
		if method == "" {
			method = http.MethodGet
		}
		status, text := test.who.do(method, r.url+test.path, nil, test.header)
		if status != test.want || strings.Contains(text, good) || strings.Contains(text, code) {
			t.Errorf("%s: answered %d: %s", name, status, text)
		}
	}
	if n := idp.Asked("/token"); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	_, text := p.returns(back)
	onward := between(text, `class="primary" href="`, `"`)
	if !strings.HasPrefix(onward, r.simURL) {
		t.Fatalf("the right browser is led to %q", onward)
	}
	// The other way round: the company's callback with Atlassian's state.
	u, err := url.Parse(p.atAtlassian(onward))
	if err != nil {
		t.Fatal(err)
	}
	p.returns(u.Query())
	if n := idp.Asked("/token"); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	r.nothingStored()
}

// TestACompanyCallbackWorksOnce, however often it comes at once.
func TestACompanyCallbackWorksOnce(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	s, p := r.device().shim("one"), &person{r: r}
	back := idp.Browse(t, p.away(s.start().URL, nil))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			q := &person{r: r, cookies: slices.Clone(p.cookies)}
			if status, text := q.returns(back); status >= 500 || status == http.StatusConflict {
				t.Errorf("answered %d: %s", status, text)
			}
		})
	}
	all.Wait()
	if n := idp.Asked("/token"); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if _, text := p.get(s.started.URL); !strings.Contains(text, "Continue") {
		t.Errorf("the login's page says %s", text)
	}
}

// TestSignInsThatProveNothing: each shows a page that says so; nothing is
// stored, nothing leaks, and the call that waits hears it.
func TestSignInsThatProveNothing(t *testing.T) {
	now := time.Now()
	groups := &policy.People{Tenants: map[identity.TenantID][]string{"acme": {"wiki"}}}
	for name, test := range map[string]struct {
		people *policy.People
		change func(*oidctest.State)
		says   string
		event  string
	}{
		"expired":            {change: forge("exp", now.Add(-10*time.Minute).Unix()), says: "has expired"},
		"foreign":            {change: forge("iss", "https://CANARY.example"), says: "cannot be trusted"},
		"for another client": {change: forge("aud", "CANARY"), says: "cannot be trusted"},
		"wrong nonce":        {change: forge("nonce", "CANARY"), says: "cannot be trusted"},
		"wrong key":          {change: func(s *oidctest.State) { s.Wrong = true }, says: "cannot be trusted"},
		"clock behind":       {change: forge("iat", now.Add(-10*time.Minute).Unix()), says: "clocks"},
		"clock ahead":        {change: forge("iat", now.Add(10*time.Minute).Unix()), says: "clocks"},
		"groups missing":     {people: groups, change: func(s *oidctest.State) { delete(s.Claims, "groups") }, says: "did not tell your groups"},
		"in no group":        {people: groups, change: func(*oidctest.State) {}, says: "None of the groups"},
		"declined":           {change: func(s *oidctest.State) { s.Claims = nil }, says: "You declined", event: "login.refused"},
		"away":               {change: func(*oidctest.State) {}, says: "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oidctest.New(t, "", adas())
			r := newRig(t, rigOptions{idp: idp, access: test.people})
			s, p := r.device().shim("one"), &person{r: r}
			address := p.away(s.start().URL, nil)
			idp.Set(test.change)
			back := idp.Browse(t, address)
			if name == "away" {
				idp.Set(func(s *oidctest.State) { s.Down = true })
			}
			if status, text := p.returns(back); status != http.StatusSeeOther {
				t.Fatalf("answered %d: %s", status, text)
			}
			_, text := p.get(s.started.URL)
			if !strings.Contains(text, test.says) || strings.Contains(text, "CANARY") {
				t.Errorf("the page says %s", text)
			}
			p.friendly(text)
			if told := r.streams.told(); len(told) != 1 || told[0].OK || strings.Contains(told[0].Message, "CANARY") {
				t.Errorf("the streams were told %+v", told)
			}
			event := test.event
			if event == "" {
				event = "login.failed"
			}
			if diff := cmp.Diff([]string{"login.started", event}, r.events()); diff != "" {
				t.Errorf("the records (-want +got):\n%s", diff)
			}
			r.nothingStored()
			r.leaks(append(idp.Secrets(), oidctest.ClientSecret)...)
		})
	}
}

func forge(name string, value any) func(*oidctest.State) {
	return func(s *oidctest.State) { s.Forge = func(c map[string]any) { c[name] = value } }
}

// TestTheCompanyIsAwayForAWhile: the click says so, and the next one goes on.
func TestTheCompanyIsAwayForAWhile(t *testing.T) {
	state := adas()
	state.Down = true
	idp := oidctest.New(t, "", state)
	r := newRig(t, rigOptions{idp: idp})
	s, p := r.device().shim("one"), &person{r: r}
	if _, text := p.click(s.start().URL, "continue", nil); !strings.Contains(text, "cannot be reached") {
		t.Fatalf("the click was answered %s", text)
	}
	idp.Set(func(s *oidctest.State) { s.Down = false })
	time.Sleep(2100 * time.Millisecond)
	address := p.away(s.started.URL, nil)
	p.cookies = p.cookies[:1] // the same one, set again
	_, text := p.returns(idp.Browse(t, address))
	if onward := between(text, `class="primary" href="`, `"`); !strings.HasPrefix(onward, r.simURL) {
		t.Errorf("the way from the company leads to %q", onward)
	}
	if diff := cmp.Diff([]string{"login.started"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

// TestTenantsByGroups: the only one is taken, several are asked about, and what
// a person may not use cannot be chosen.
func TestTenantsByGroups(t *testing.T) {
	people := &policy.People{Tenants: map[identity.TenantID][]string{"acme": {"staff"}, "labs": {"lab"}, "board": {"board"}}}
	tenants := []identity.TenantID{"acme", "board", "labs"}
	for name, test := range map[string]struct {
		groups []string
		asked  identity.TenantID // by the settings of the shim
		offers []identity.TenantID
		choose identity.TenantID
		want   identity.TenantID
	}{
		"one":              {groups: []string{"lab"}, want: "labs"},
		"the right one":    {groups: []string{"lab", "staff"}, asked: "labs", want: "labs"},
		"the wrong one":    {groups: []string{"staff"}, asked: "labs"},
		"none":             {groups: []string{"guests"}},
		"two":              {groups: []string{"lab", "staff"}, offers: []identity.TenantID{"acme", "labs"}, choose: "labs", want: "labs"},
		"two, and a third": {groups: []string{"lab", "staff"}, offers: []identity.TenantID{"acme", "labs"}, choose: "board"},
	} {
		t.Run(name, func(t *testing.T) {
			state := adas()
			state.Claims["groups"] = test.groups
			idp := oidctest.New(t, "", state)
			r := newRig(t, rigOptions{idp: idp, access: people, tenants: tenants})
			s, p := r.device().shim("one"), &person{r: r}
			ask := s.ask()
			ask.Tenant = string(test.asked)
			s.post(wire.LoginStartPath, ask, &s.started)
			if _, text := p.get(s.started.URL); strings.Contains(text, `name="tenant"`) {
				t.Error("the first page asks for the tenant")
			}
			status, text := p.visit(idp, s.started.URL)
			if test.offers != nil {
				if status != http.StatusSeeOther {
					t.Fatalf("answered %d: %s", status, text)
				}
				_, text = p.get(s.started.URL)
				for _, tenant := range tenants {
					if strings.Contains(text, `value="`+string(tenant)+`"`) != slices.Contains(test.offers, tenant) {
						t.Errorf("%s is offered, or not: %s", tenant, text)
					}
				}
				_, text = p.do(http.MethodPost, s.started.URL+"/continue", url.Values{"form": {between(text, `name="form" value="`, `"`)}, "tenant": {string(test.choose)}}, nil)
			}
			onward := between(text, `class="primary" href="`, `"`)
			if led := strings.Contains(onward, "client_id="+clientID+"-"+string(test.want)+"&"); led != (test.want != "") || test.want == "" && onward != "" {
				t.Errorf("it leads to %q: %s", onward, text)
			}
			r.nothingStored()
		})
	}
}

// TestStepUp asks a person for a fresh sign-in, which ends as a new session of
// the same person; nobody else, and no password alone, will do.
func TestStepUp(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	d := r.device()
	r.first(d, idp)
	before, err := r.keeper.Current(t.Context(), d.id)
	if err != nil {
		t.Fatal(err)
	}
	caller := identity.Caller{Person: before.Person, Tenant: before.Tenant, Device: d.id, Session: before.ID}
	if err := r.company.Require(t.Context(), caller, "confluence_search"); err != nil {
		t.Errorf("a tool that needs none: %v", err)
	}
	require := func(c identity.Caller) error { return r.company.Require(t.Context(), c, "confluence_update_page") }
	if err := require(caller); !errors.Is(err, policy.ErrStepUp) {
		t.Fatalf("a tool that needs one: %v", err)
	}
	for name, change := range map[string]func(*oidctest.State){
		"a password alone": func(s *oidctest.State) { s.StepUp = nil },
		"somebody else":    func(s *oidctest.State) { s.Claims["sub"] = "ben" },
		"an old sign-in":   forge("auth_time", time.Now().Add(-time.Hour).Unix()),
	} {
		idp.Set(func(s *oidctest.State) { *s = adas(); change(s) })
		s, p := d.shim("more"), &person{r: r}
		if _, text := p.get(s.start().URL); !strings.Contains(text, "Confirm that it is you") {
			t.Errorf("%s: the page says %s", name, text)
		}
		p.visit(idp, s.started.URL)
		if q := idp.Last(); q.Get("prompt") != "login" || q.Get("max_age") != "600" {
			t.Errorf("%s: the company was asked %v", name, q)
		}
		if _, text := p.get(s.started.URL); !strings.Contains(text, "did not complete") {
			t.Errorf("%s: the page says %s", name, text)
		}
		if now, err := r.keeper.Current(t.Context(), d.id); err != nil || now.ID != before.ID {
			t.Errorf("%s: the session is %v, %v", name, now, err)
		}
	}
	idp.Set(func(s *oidctest.State) { *s = adas() })
	s, p := d.shim("good"), &person{r: r}
	_, text := p.visit(idp, s.start().URL)
	if done, problem := p.home(s, text); !done.OK {
		t.Fatalf("finishing: %+v", problem)
	}
	now, err := r.keeper.Current(t.Context(), d.id)
	if err != nil || now.ID == before.ID || now.Person != before.Person {
		t.Fatalf("the session is %+v, %v", now, err)
	}
	caller.Session = now.ID
	if err := require(caller); err != nil {
		t.Errorf("after the step-up: %v", err)
	}
	// Another process of the device that asks late has nothing to open.
	if late := d.shim("late"); late.start().Open || !slices.Contains(r.events(), "session.stepped_up") {
		t.Errorf("a late process was answered %+v; the records are %v", late.started, r.events())
	}
	if err := require(identity.Caller{Session: "s_nobody", Device: d.id}); !errors.Is(err, policy.ErrStepUp) {
		t.Errorf("a session without a company sign-in: %v", err)
	}
}

// TestBackChannelLogout ends what a logout token names, once.
func TestBackChannelLogout(t *testing.T) {
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{idp: idp})
	one, two := r.device(), r.device()
	r.first(one, idp)
	idp.Set(func(s *oidctest.State) { s.Claims["sid"] = "sid-2" })
	s, p := two.shim("two"), &person{r: r}
	_, text := p.visit(idp, s.start().URL)
	if done, problem := p.home(s, text); !done.OK {
		t.Fatalf("the second device: %+v", problem)
	}
	live := func(d *device) bool {
		_, err := r.keeper.Current(t.Context(), d.id)
		return err == nil
	}
	send := func(token string) int {
		status, text := (&person{r: r}).do(http.MethodPost, r.url+oidc.LogoutPath, url.Values{"logout_token": {token}}, nil)
		if strings.Contains(text, "CANARY") {
			t.Errorf("it was answered %s", text)
		}
		return status
	}
	for name, token := range map[string]string{
		"none": "", "noise": "CANARY", "of another client": idp.Logout(map[string]any{"sub": "ada-1", "aud": "CANARY"}),
		"an ID token": idp.Sign(map[string]any{"iss": idp.URL, "aud": oidctest.ClientID, "sub": "ada-1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "nonce": "n"}, "JWT"),
	} {
		if status := send(token); status != http.StatusBadRequest || !live(one) || !live(two) {
			t.Errorf("%s: answered %d", name, status)
		}
	}
	if status := send(idp.Logout(map[string]any{"sub": "ben"})); status != http.StatusOK || !live(one) || !live(two) {
		t.Errorf("somebody else: answered %d", status)
	}
	token := idp.Logout(map[string]any{"sub": "ada-1", "sid": "sid-2"})
	if status := send(token); status != http.StatusOK || !live(one) || live(two) {
		t.Errorf("one session: answered %d, first lives %v, second lives %v", status, live(one), live(two))
	}
	if status := send(token); status != http.StatusBadRequest {
		t.Errorf("the same again: answered %d", status)
	}
	if status := send(idp.Logout(map[string]any{"sub": "ada-1"})); status != http.StatusOK || live(one) {
		t.Errorf("the person: answered %d", status)
	}
	if got := len(slices.DeleteFunc(r.events(), func(e string) bool { return e != "session.revoked" })); got != 2 {
		t.Errorf("%d ends are on record, want 2", got)
	}
}

// TestWithoutTheCompany there is nothing at its addresses.
func TestWithoutTheCompany(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := &person{r: r}
	if status, _ := p.get(r.url + oidc.CallbackPath + "?state=x&code=y"); status != http.StatusNotFound {
		t.Errorf("the callback: %d", status)
	}
	if status, _ := p.do(http.MethodPost, r.url+oidc.LogoutPath, url.Values{"logout_token": {"x"}}, nil); status != http.StatusNotFound {
		t.Errorf("the logout: %d", status)
	}
}
