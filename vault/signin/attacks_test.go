package signin_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// asking is a login in which a browser has gone on to Atlassian.
func asking(t *testing.T, r *rig) (*shim, *person, string) {
	t.Helper()
	s := r.device().shim("one")
	p := &person{r: r}
	status, onward := p.click(s.start().URL, "continue", nil)
	if status != http.StatusOK {
		t.Fatalf("going on answered %d: %s", status, onward)
	}
	return s, p, state(t, onward)
}

func (r *rig) callbackURL(q url.Values) string { return r.url + "/callback/acme?" + q.Encode() }

// TestCallbacksThatAreTurnedAway brings a login's callback in wrong ways. None
// may reach the token endpoint, and the right browser can still finish.
func TestCallbacksThatAreTurnedAway(t *testing.T) {
	r := newRig(t, rigOptions{tenants: []identity.TenantID{"acme", "labs"}})
	s := r.device().shim("one")
	p := &person{r: r}
	start := s.ask()
	start.Tenant = "acme"
	s.post(wire.LoginStartPath, start, &s.started)
	_, onward := p.click(s.started.URL, "continue", nil)
	good := state(t, onward)
	stranger := &person{r: r}
	_, other, foreign := asking(t, r2(t))
	for name, test := range map[string]struct {
		who    *person
		method string
		path   string
		header http.Header
		want   int
	}{
		"no state":                 {who: p, path: "/callback/acme?code=x", want: 400},
		"empty state":              {who: p, path: "/callback/acme?code=x&state=", want: 400},
		"long state":               {who: p, path: "/callback/acme?code=x&state=" + strings.Repeat("a", 5000), want: 400},
		"foreign state":            {who: p, path: "/callback/acme?code=x&state=" + foreign, want: 400},
		"foreign cookie and state": {who: other, path: "/callback/acme?code=x&state=" + foreign, want: 400},
		"another browser":          {who: stranger, path: "/callback/acme?code=x&state=" + good, want: 409},
		"another browser refuses":  {who: stranger, path: "/callback/acme?error=access_denied&state=" + good, want: 409},
		"another tenant":           {who: p, path: "/callback/labs?code=x&state=" + good, want: 400},
		"unknown tenant":           {who: p, path: "/callback/nobody?code=x&state=" + good, want: 400},
		"state twice":              {who: p, path: "/callback/acme?code=x&state=" + good + "&state=" + good, want: 400},
		"not a query":              {who: p, path: "/callback/acme?code=%zz&state=" + good, want: 400},
		"error without state":      {who: p, path: "/callback/acme?error=access_denied", want: 400},
		"POST":                     {who: p, method: http.MethodPost, path: "/callback/acme?code=x&state=" + good, want: 405},
		"HEAD":                     {who: p, method: http.MethodHead, path: "/callback/acme?code=x&state=" + good, want: 503},
		"fetched ahead":            {who: p, path: "/callback/acme?code=x&state=" + good, header: http.Header{"Sec-Purpose": {"prefetch;prerender"}}, want: 503},
	} {
		t.Run(name, func(t *testing.T) {
			method := test.method
			if method == "" {
				method = http.MethodGet
			}
			status, text := test.who.do(method, r.url+test.path, nil, test.header)
			if status != test.want {
				t.Errorf("answered %d, want %d", status, test.want)
			}
			if strings.Contains(text, good) || strings.Contains(text, foreign) {
				t.Errorf("the page shows a state: %s", text)
			}
			if status == http.StatusBadRequest || status == http.StatusConflict {
				test.who.friendly(text)
			}
			r.noCode()
		})
	}
	if n := len(r.sim.TokenRequests()); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if status, _ := p.get(r.callbackURL(url.Values{"state": {good}, "code": {"x"}})); status != http.StatusSeeOther || !strings.HasPrefix(p.last.Header.Get("Location"), s.loopback.URL+s.path+"?") {
		t.Errorf("the right browser was answered %d", status)
	}
	r.nothingStored()
}

// r2 is another vault.
func r2(t *testing.T) *rig { return newRig(t, rigOptions{}) }

// TestACallbackWorksOnce brings the same callback again, one after the other
// and many at once.
func TestACallbackWorksOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	_, p, st := asking(t, r)
	address := r.callbackURL(url.Values{"state": {st}, "code": {"x"}})
	var parked, used atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		who := &person{r: r, cookies: p.cookies}
		all.Go(func() {
			switch status, text := who.get(address); status {
			case http.StatusSeeOther:
				parked.Add(1)
			case http.StatusGone:
				used.Add(1)
				who.friendly(text)
			}
		})
	}
	all.Wait()
	r.nothingStored()
	if parked.Load() != 1 || used.Load() != 19 {
		t.Errorf("%d were let through and %d told that it is over, want 1 and 19", parked.Load(), used.Load())
	}
	if n := len(r.sim.TokenRequests()); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
}

// TestACallbackThatIsLate brings the right callback in the right browser when
// the time for it is over: before the vault has swept, and after.
func TestACallbackThatIsLate(t *testing.T) {
	for _, swept := range []bool{false, true} {
		r := newRig(t, rigOptions{})
		_, p, st := asking(t, r)
		r.age(11 * time.Minute)
		if swept {
			r.sweep()
		}
		status, text := p.get(r.callbackURL(url.Values{"state": {st}, "code": {"CANARY"}}))
		if status == http.StatusSeeOther {
			status, text = p.get(r.url + p.last.Header.Get("Location"))
		}
		if status >= 500 || !strings.Contains(text, "expired") && !strings.Contains(text, "not completed in time") {
			t.Errorf("swept %v: answered %d %s", swept, status, text)
		}
		p.friendly(text)
		if n := len(r.sim.TokenRequests()); n != 0 {
			t.Errorf("the token endpoint was asked %d times", n)
		}
		r.nothingStored()
		r.noCode()
		r.leaks()
	}
}

// TestTheIssuerMustBeAtlassian: RFC 9207 §2.4.
func TestTheIssuerMustBeAtlassian(t *testing.T) {
	for _, issuer := range []string{"", "SIM/", "SIM:443", "https://evil.example", "upper"} {
		t.Run(issuer, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			_, p, st := asking(t, r)
			issuer := strings.Replace(strings.Replace(issuer, "SIM", r.simURL, 1), "upper", strings.ToUpper(r.simURL), 1)
			status, _ := p.get(r.callbackURL(url.Values{"state": {st}, "code": {"x"}, "iss": {issuer}, "error_description": {"<b>trust me</b>"}}))
			page := p.last.Header.Get("Location")
			if status != http.StatusSeeOther || !strings.HasPrefix(page, wire.LoginPagePrefix) {
				t.Fatalf("answered %d to %q", status, page)
			}
			_, text := p.get(r.url + page)
			if !strings.Contains(text, "did not come from Atlassian") || strings.Contains(text, "trust me") {
				t.Errorf("the page is %s", text)
			}
			p.friendly(text)
			r.noCode()
			if told := r.streams.told(); len(told) != 1 || told[0].OK {
				t.Errorf("the streams were told %+v", told)
			}
			r.nothingStored()
		})
	}
	r := newRig(t, rigOptions{})
	s, p, st := asking(t, r)
	if p.get(r.callbackURL(url.Values{"state": {st}, "code": {"x"}, "iss": {r.simURL}})); !strings.HasPrefix(p.last.Header.Get("Location"), s.loopback.URL) {
		t.Errorf("the right issuer was refused")
	}
}

func TestRefusing(t *testing.T) {
	r := newRig(t, rigOptions{})
	d := r.device()
	s := d.shim("one")
	if text := wait(t, r.consent(s.start().URL, "ada", false)); !strings.Contains(text, "You declined") {
		t.Errorf("the last page is %s", text)
	}
	told := r.streams.told()
	if len(told) != 1 || told[0].OK || !strings.Contains(told[0].Message, "declined") {
		t.Fatalf("the streams were told %+v", told)
	}
	if diff := cmp.Diff([]string{"login.started", "login.refused"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	r.nothingStored()
	r.noCode()

	// Nobody is asked again for a minute, and calls that wait hear why.
	var started wire.LoginStarted
	status, problem := s.post(wire.LoginStartPath, s.ask(), &started)
	if status != http.StatusForbidden || problem.Code != "refused" || !strings.Contains(problem.Message, "declined") {
		t.Errorf("another start was answered %d %+v", status, problem)
	}
	if told := r.streams.told(); len(told) != 2 || !strings.Contains(told[1].Message, "declined") {
		t.Errorf("the streams were told %+v", told)
	}
	force := d.shim("two").ask()
	force.Force = true
	if status, problem := d.post(wire.LoginStartPath, force, &started); status != http.StatusOK || !started.Open {
		t.Errorf("a start by command was answered %d %+v %+v", status, problem, started)
	}
	p := &person{r: r}
	if status, _ := p.click(started.URL, "cancel", nil); status != http.StatusSeeOther {
		t.Errorf("cancelling answered %d", status)
	}
	if status, text := p.get(started.URL); status != http.StatusOK || !strings.Contains(text, "You declined") {
		t.Errorf("after cancelling the page is %d %s", status, text)
	}
	r.leaks(s.verifier)
}

// TestALinkOpenedElsewhere is the phished link: the victim's browser consents,
// but it cannot reach the attacker's loopback, and without the ticket the code
// is never redeemed.
func TestALinkOpenedElsewhere(t *testing.T) {
	r := newRig(t, rigOptions{})
	attacker := r.device().shim("one")
	attacker.loopback.Config.Handler = http.NotFoundHandler() // the victim's own machine, where nobody listens
	page := wait(t, r.consent(attacker.start().URL, "ada", true))
	if strings.Contains(page, "You are signed in") {
		t.Errorf("the victim was told %s", page)
	}
	claim := wire.LoginFinish{Start: attacker.started.Start, Verifier: attacker.verifier}
	for _, ticket := range []string{"", random(), attacker.started.Login, attacker.verifier} {
		claim.Ticket = ticket
		if status, problem := attacker.post(wire.LoginFinishPath, claim, nil); status != http.StatusUnauthorized {
			t.Errorf("a made-up ticket was answered %d %+v", status, problem)
		}
	}
	if n := len(r.sim.TokenRequests()); n != 0 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	r.nothingStored()
	r.leaks(attacker.verifier)
}

// TestAStolenTicket is brought by another device, or without the verifier.
func TestAStolenTicket(t *testing.T) {
	for _, who := range []string{"another device", "another verifier", "no verifier", "another process"} {
		t.Run(who, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			d := r.device()
			s, other := d.shim("one"), d.shim("two")
			s.start()
			other.start()
			page := r.consent(s.started.URL, "ada", true)
			q := <-s.arrived
			thief, claim := d, s.claim(q)
			switch who {
			case "another device":
				thief = r.device()
			case "another verifier":
				claim.Verifier = random()
			case "no verifier":
				claim.Verifier = ""
			case "another process":
				claim.Start, claim.Verifier = other.started.Start, other.verifier
			}
			if status, problem := thief.post(wire.LoginFinishPath, claim, nil); status != http.StatusUnauthorized || problem.Page != "" {
				t.Errorf("answered %d %+v", status, problem)
			}
			status, problem := s.post(wire.LoginFinishPath, s.claim(q), nil)
			if burnt := who != "another process"; burnt != (status != http.StatusOK) {
				t.Errorf("then the right one was answered %d %+v", status, problem)
			}
			s.answer <- r.url + "/login/none"
			wait(t, page)
			if who != "another process" {
				r.nothingStored()
				if n := len(r.sim.TokenRequests()); n != 0 {
					t.Errorf("the token endpoint was asked %d times", n)
				}
			}
		})
	}
}

// TestTokenAnswersThatAreRefused: nothing is stored, nothing leaks, the person
// sees a page and the waiting calls hear of it.
func TestTokenAnswersThatAreRefused(t *testing.T) {
	var caught atomic.Int32
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { caught.Add(1) }))
	defer sink.Close()
	type fault = atlassiansim.TokenFault
	for name, test := range map[string]struct {
		fault fault
		want  string
	}{
		"no refresh token":  {fault{Kind: atlassiansim.TokenNoRefreshToken}, "offline_access"},
		"fewer scopes":      {fault{Kind: atlassiansim.TokenFewerScopes}, "allowed less than was asked for"},
		"HTML":              {fault{Kind: atlassiansim.TokenHTML}, "could not be asked"},
		"50 MB":             {fault{Kind: atlassiansim.TokenHuge}, "cannot be used any more"},
		"redirect":          {fault{Kind: atlassiansim.TokenRedirect, Location: sink.URL}, "does not understand"},
		"server error":      {fault{Kind: atlassiansim.TokenStatus, Status: 502, Body: "<h1>CANARY</h1>"}, "just now"},
		"wrong secret":      {fault{Kind: atlassiansim.TokenStatus, Status: 401, Body: `{"error":"access_denied","error_description":"CANARY"}`}, "client id and secret"},
		"strange error":     {fault{Kind: atlassiansim.TokenStatus, Status: 400, Body: `{"error":"CANARY"}`}, "does not understand"},
		"broken connection": {fault{Kind: atlassiansim.TokenDrop}, "cannot be used any more"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			r.sim.FailToken(10, test.fault)
			s := r.device().shim("one")
			page := r.consent(s.start().URL, "ada", true)
			done, problem := s.finish()
			text := wait(t, page)
			if done.OK || !strings.Contains(text, "Sign-in did not complete") || !strings.Contains(text, test.want) {
				t.Errorf("it said %+v %+v and the page %s", done, problem, text)
			}
			if strings.Contains(text+fmt.Sprint(problem), "CANARY") {
				t.Errorf("what Atlassian sent came through: %+v %s", problem, text)
			}
			if told := r.streams.told(); len(told) != 1 || told[0].OK || told[0].Message == "" || told[0].Hint == "" {
				t.Errorf("the streams were told %+v", told)
			}
			if !slices.Contains(r.events(), "login.failed") {
				t.Errorf("the records are %v", r.events())
			}
			if !strings.Contains(text, "<footer>") {
				t.Errorf("the page does not say what to do: %s", text)
			}
			r.nothingStored()
			r.noCode()
			r.leaks(s.verifier)
		})
	}
	if caught.Load() != 0 {
		t.Error("a redirect of the token endpoint was followed")
	}
}

// TestFormsFromElsewhere: LG-22 and a form token that is not the page's.
func TestFormsFromElsewhere(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().shim("one")
	page := s.start().URL
	for name, test := range map[string]struct {
		header http.Header
		form   url.Values
		want   int
	}{
		"another site":      {header: http.Header{"Sec-Fetch-Site": {"cross-site"}}, want: 403},
		"a sibling":         {header: http.Header{"Sec-Fetch-Site": {"same-site"}}, want: 403},
		"an old browser":    {header: http.Header{"Origin": {"https://evil.example"}}, want: 403},
		"null origin":       {header: http.Header{"Origin": {"null"}}, want: 403},
		"without its token": {form: url.Values{}, want: 403},
		"a guessed token":   {form: url.Values{"form": {random()}}, want: 403},
		"a huge form":       {form: url.Values{"form": {strings.Repeat("a", 1<<20)}}, want: 403},
	} {
		for _, button := range []string{"continue", "cancel"} {
			t.Run(name+" "+button, func(t *testing.T) {
				p := &person{r: r}
				form := test.form
				if form == nil {
					_, text := p.get(page)
					form = url.Values{"form": {between(text, `name="form" value="`, `"`)}}
				}
				if status, _ := p.do(http.MethodPost, page+"/"+button, form, test.header); status != test.want || len(p.cookies) != 0 {
					t.Errorf("answered %d with cookies %v", status, p.cookies)
				}
			})
		}
	}
	if status, _ := (&person{r: r}).click(page, "continue", http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {r.url}}); status != http.StatusOK {
		t.Errorf("the page's own form was answered %d", status)
	}
}

// TestASecondTab opens the link again, in the same browser and in another.
func TestASecondTab(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().shim("one")
	p, other := &person{r: r}, &person{r: r}
	page := s.start().URL
	for range 3 { // looking changes nothing
		if status, _ := other.get(page); status != http.StatusOK || len(other.cookies) != 0 {
			t.Fatalf("looking was answered %d with cookies %v", status, other.cookies)
		}
	}
	_, first := p.click(page, "continue", nil)
	_, second := p.click(page, "continue", nil)
	if state(t, first) != state(t, second) {
		t.Error("the second tab made the first one worthless")
	}
	if status, text := other.click(page, "continue", nil); status != http.StatusConflict || strings.Contains(text, "state=") {
		t.Errorf("another browser was answered %d %s", status, text)
	}
	status, text := other.get(page)
	if status != http.StatusConflict {
		t.Errorf("looking with another browser was answered %d", status)
	}
	other.friendly(text)
	r.nothingStored()
}
