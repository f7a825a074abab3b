package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
)

const (
	tenant = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"
	object = "00000000-0000-0000-66f3-3332eca7ea81"
)

// ada is somebody in the browser.
func ada(more map[string]any) oidctest.State {
	claims := map[string]any{"sub": "ada-1", "name": "Ada Berger", "email": "ada@acme.example", "groups": []string{"staff", "wiki"}, "sid": "sid-1", "acr": "pwd", "amr": []string{"pwd"}}
	for name, value := range more {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}
	return oidctest.State{Claims: claims, Signed: time.Minute}
}

func client(t testing.TB, p *oidctest.Provider, change func(*oidc.Config)) *oidc.Provider {
	t.Helper()
	cfg := oidc.Config{
		Issuer: p.URL, ClientID: oidctest.ClientID, ClientSecret: secret.New(oidctest.ClientSecret), Redirect: "https://vault.example/oidc/callback",
		NeedGroups: true, HTTP: http.DefaultClient,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := oidc.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// trip goes to the provider and comes back.
func trip(t testing.TB, p *oidctest.Provider, c *oidc.Provider, fresh *oidc.Fresh, change func(*oidc.Answer)) (identity.SignIn, error) {
	t.Helper()
	ask := oidc.Request{State: secret.New("state"), Nonce: secret.New("nonce-CANARY"), Verifier: secret.New(strings.Repeat("v", 43)), Fresh: fresh}
	address, err := c.AuthorizeURL(t.Context(), ask)
	if err != nil {
		return identity.SignIn{}, err
	}
	back := p.Browse(t, address)
	if back.Get("state") != "state" {
		t.Errorf("the state came back as %q", back.Get("state"))
	}
	answer := oidc.Answer{Code: secret.New(back.Get("code")), Nonce: ask.Nonce, Verifier: ask.Verifier}
	if fresh != nil {
		answer.MaxAge = fresh.MaxAge
	}
	if change != nil {
		change(&answer)
	}
	return c.Redeem(t.Context(), answer)
}

func TestSigningIn(t *testing.T) {
	p := oidctest.New(t, "", ada(nil))
	who, err := trip(t, p, client(t, p, nil), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(who.Time); age < 58*time.Second || age > 75*time.Second || who.Refresh.Empty() {
		t.Errorf("signed in %v ago, refresh token %v", age, !who.Refresh.Empty())
	}
	if age := time.Since(who.Issued); age < -time.Second || age > 15*time.Second {
		t.Errorf("issued %v ago", age)
	}
	who.Time, who.Issued, who.Refresh = time.Time{}, time.Time{}, secret.String{}
	want := identity.SignIn{
		Person: identity.Person{ID: identity.NewPersonID(p.URL, "ada-1"), Issuer: p.URL, Subject: "ada-1", Name: "Ada Berger", Email: "ada@acme.example"},
		SID:    "sid-1", Groups: []string{"staff", "wiki"}, GroupsKnown: true, ACR: []string{"pwd"}, AMR: []string{"pwd"},
	}
	if diff := cmp.Diff(want, who); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	q := p.Last()
	if q.Get("scope") != "openid profile email offline_access" || q.Has("prompt") || q.Get("response_type") != "code" {
		t.Errorf("the request was %v", q)
	}
}

// TestTokensThatProveNothing: each is refused in words of ours, and nothing of
// the token is in the error.
func TestTokensThatProveNothing(t *testing.T) {
	now := time.Now()
	set := func(name string, value any) func(*oidctest.State) {
		return func(s *oidctest.State) {
			s.Forge = func(c map[string]any) {
				c[name] = value
				if value == nil {
					delete(c, name)
				}
			}
		}
	}
	clock := func(by time.Duration) func(*oidctest.State) {
		return func(s *oidctest.State) {
			s.Forge = func(c map[string]any) {
				c["iat"], c["exp"], c["auth_time"] = now.Add(by).Unix(), now.Add(by+time.Hour).Unix(), now.Add(by).Unix()
			}
		}
	}
	for name, test := range map[string]struct {
		state  func(*oidctest.State)
		answer func(*oidc.Answer)
		code   usererr.Code
		says   string
	}{
		"expired":                {state: set("exp", now.Add(-10*time.Minute).Unix()), code: usererr.Denied, says: "expired"},
		"expired a moment ago":   {state: set("exp", now.Add(-time.Minute).Unix())},
		"no expiry":              {state: set("exp", nil), code: usererr.Denied, says: "expired"},
		"ten minutes behind":     {state: clock(-10 * time.Minute), code: usererr.Denied, says: "clocks"},
		"ten minutes ahead":      {state: clock(10 * time.Minute), code: usererr.Denied, says: "clocks"},
		"a minute ahead":         {state: clock(time.Minute)},
		"five minutes backdated": {state: clock(-5 * time.Minute)},
		"not yet valid":          {state: set("nbf", now.Add(20*time.Minute).Unix()), code: usererr.Denied, says: "clocks"},
		"foreign audience":       {state: set("aud", "CANARY"), code: usererr.Denied, says: "trusted"},
		"many audiences":         {state: set("aud", []string{"CANARY", oidctest.ClientID}), code: usererr.Denied, says: "trusted"},
		"another party":          {state: set("azp", "CANARY"), code: usererr.Denied, says: "trusted"},
		"foreign issuer":         {state: set("iss", "https://CANARY.example"), code: usererr.Denied, says: "trusted"},
		"another nonce":          {state: set("nonce", "CANARY"), code: usererr.Denied, says: "trusted"},
		"no nonce":               {state: set("nonce", nil), code: usererr.Denied, says: "trusted"},
		"nobody":                 {state: set("sub", ""), code: usererr.Denied, says: "trusted"},
		"foreign key":            {state: func(s *oidctest.State) { s.Wrong = true }, code: usererr.Denied, says: "trusted"},
		"no groups":              {state: set("groups", nil), code: usererr.Denied, says: "groups"},
		"groups of another kind": {state: set("groups", map[string]int{"CANARY": 1}), code: usererr.Denied, says: "groups"},
		"null groups":            {state: set("groups", []any{nil, 1}), code: usererr.Denied, says: "groups"},
		"too many groups":        {state: set("groups", slices.Repeat([]string{strings.Repeat("g", 300)}, 2)), code: usererr.Denied, says: "groups"},
		"groups elsewhere":       {state: set("_claim_names", map[string]string{"groups": "src1"}), code: usererr.Denied, says: "trusted"},
		"wrong at_hash":          {state: set("at_hash", "CANARY"), code: usererr.Denied, says: "trusted"},
		"foreign code":           {answer: func(a *oidc.Answer) { a.Code = secret.New("CANARY") }, code: usererr.Timeout, says: "cannot be used any more"},
		"another verifier":       {answer: func(a *oidc.Answer) { a.Verifier = secret.New(strings.Repeat("w", 43)) }, code: usererr.Timeout, says: "cannot be used any more"},
		"another nonce of ours":  {answer: func(a *oidc.Answer) { a.Nonce = secret.New("other") }, code: usererr.Denied, says: "trusted"},
		"no nonce of ours":       {answer: func(a *oidc.Answer) { a.Nonce = secret.String{} }, code: usererr.Denied, says: "trusted"},
		"foreign callback":       {answer: func(a *oidc.Answer) { a.Issuer, a.HasIssuer = "https://CANARY", true }, code: usererr.Denied, says: "trusted"},
		"the provider is down":   {state: func(s *oidctest.State) { s.Down = true }, code: usererr.Unavailable, says: "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			p := oidctest.New(t, "", ada(nil))
			c := client(t, p, nil)
			if test.answer == nil {
				test.answer = func(*oidc.Answer) {}
			}
			who, err := trip(t, p, c, nil, func(a *oidc.Answer) {
				if test.state != nil {
					p.Set(test.state)
				}
				test.answer(a)
			})
			if usererr.CodeOf(err) != test.code || !strings.Contains(usererr.Text(err, ""), test.says) {
				t.Errorf("= %v, %v; want %q with %q", who, err, test.code, test.says)
			}
			if err != nil && (strings.Contains(err.Error(), "CANARY") || who.Person.ID != "") {
				t.Errorf("leaks %v %v", who, err)
			}
		})
	}
}

// TestGroups comes to them in all the ways there are.
func TestGroups(t *testing.T) {
	for name, test := range map[string]struct {
		claims   map[string]any
		userinfo map[string]any
		claim    string
		want     []string
		optional bool
	}{
		"in the token":              {claims: map[string]any{"groups": []string{"b", "a", "b"}}, want: []string{"a", "b"}},
		"none":                      {claims: map[string]any{"groups": []string{}}, want: []string{}},
		"one as a text":             {claims: map[string]any{"groups": "a"}, want: []string{"a"}},
		"another claim":             {claims: map[string]any{"https://acme.example/groups": []string{"a"}}, claim: "https://acme.example/groups", want: []string{"a"}},
		"within an object":          {claims: map[string]any{"realm_access": map[string]any{"roles": []string{"a"}}}, claim: "realm_access.roles", want: []string{"a"}},
		"at userinfo":               {claims: map[string]any{"groups": nil}, userinfo: map[string]any{"groups": []string{"a"}}, want: []string{"a"}},
		"nowhere":                   {claims: map[string]any{"groups": nil}, userinfo: map[string]any{}, want: nil},
		"another's userinfo":        {claims: map[string]any{"groups": nil}, userinfo: map[string]any{"sub": "ben", "groups": []string{"a"}}, want: nil},
		"not needed":                {claims: map[string]any{"groups": nil}, optional: true},
		"unreadable and not needed": {claims: map[string]any{"groups": 7}, optional: true},
	} {
		t.Run(name, func(t *testing.T) {
			state := ada(test.claims)
			state.Userinfo = test.userinfo
			p := oidctest.New(t, "", state)
			who, err := trip(t, p, client(t, p, func(c *oidc.Config) { c.GroupsClaim, c.NeedGroups = test.claim, !test.optional }), nil, nil)
			if (err == nil) != (test.want != nil || test.optional) {
				t.Fatalf("= %v, %v", who.Groups, err)
			}
			if who.GroupsKnown != (test.want != nil) || test.want != nil && !slices.Equal(who.Groups, test.want) {
				t.Errorf("groups %q, known %v; want %q", who.Groups, who.GroupsKnown, test.want)
			}
		})
	}
}

// TestANameFromUserinfo is for providers whose ID tokens say little.
func TestANameFromUserinfo(t *testing.T) {
	state := ada(map[string]any{"name": nil, "email": nil})
	state.Userinfo = map[string]any{"name": "Ada\u202e Berger\n", "email": "ada@acme.example", "groups": []string{"root"}}
	p := oidctest.New(t, "", state)
	who, err := trip(t, p, client(t, p, nil), nil, nil)
	if err != nil || who.Person.Name != "Ada Berger" || who.Person.Email != "ada@acme.example" || !slices.Equal(who.Groups, []string{"staff", "wiki"}) {
		t.Errorf("= %+v, %v", who, err)
	}
}

func entraState(more map[string]any) oidctest.State {
	state := ada(map[string]any{"tid": tenant, "oid": object, "sub": "pairwise"})
	for name, value := range more {
		state.Claims[name] = value
		if value == nil {
			delete(state.Claims, name)
		}
	}
	return state
}

func TestEntraID(t *testing.T) {
	overage := map[string]any{"groups": nil, "_claim_names": map[string]string{"groups": "src1"}, "_claim_sources": map[string]any{"src1": map[string]string{"endpoint": "https://CANARY.example"}}}
	for name, test := range map[string]struct {
		claims map[string]any
		graph  []string
		want   []string
		says   string
	}{
		"groups in the token":     {want: []string{"staff", "wiki"}},
		"too many for the token":  {claims: overage, graph: []string{"g2", "g1"}, want: []string{"g1", "g2"}},
		"hasgroups":               {claims: map[string]any{"groups": nil, "hasgroups": true}, graph: []string{"g1"}, want: []string{"g1"}},
		"hasgroups as a text":     {claims: map[string]any{"groups": nil, "hasgroups": "true"}, graph: []string{"g1"}, want: []string{"g1"}},
		"Graph says no":           {claims: overage, says: "groups"},
		"no object id":            {claims: map[string]any{"oid": nil}, says: "trusted"},
		"an object id of letters": {claims: map[string]any{"oid": "ada@acme.example"}, says: "trusted"},
		"no tenant":               {claims: map[string]any{"tid": nil}, says: "trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			state := entraState(test.claims)
			state.Graph = test.graph
			p := oidctest.New(t, "/"+tenant+"/v2.0", state)
			c := client(t, p, func(c *oidc.Config) { c.Kind, c.Graph = oidc.Entra, p.Graph() })
			who, err := trip(t, p, c, nil, nil)
			if !strings.Contains(usererr.Text(err, ""), test.says) || (err == nil) != (test.says == "") {
				t.Fatalf("= %v", err)
			}
			if err == nil && (who.Person.ID != identity.NewPersonID("entra:"+tenant, object) || !slices.Equal(who.Groups, test.want) || who.Person.Subject != "pairwise") {
				t.Errorf("= %+v", who)
			}
			if !strings.HasSuffix(p.Last().Get("scope"), "User.Read") {
				t.Errorf("scopes %q", p.Last().Get("scope"))
			}
		})
	}
}

// TestEntraForManyTenants: only people of those that the settings name come in,
// whatever their e-mail address says.
func TestEntraForManyTenants(t *testing.T) {
	const other = "11111111-2b34-4da1-9baa-8bc8c9d6a490"
	p := oidctest.New(t, "/organizations/v2.0", entraState(nil))
	host := strings.TrimSuffix(p.URL, "/organizations/v2.0")
	p.Set(func(s *oidctest.State) { s.Issuer = host + "/{tenantid}/v2.0" })
	c := client(t, p, func(c *oidc.Config) { c.Kind, c.Tenants = oidc.Entra, []string{tenant} })
	for name, test := range map[string]struct {
		tid, iss string
		good     bool
	}{
		"one of them":        {tenant, tenant, true},
		"another":            {other, other, false},
		"another in tid":     {other, tenant, false},
		"another in iss":     {tenant, other, false},
		"the template":       {tenant, "{tenantid}", false},
		"the template twice": {"{tenantid}", "{tenantid}", false},
	} {
		p.Set(func(s *oidctest.State) {
			s.Forge = func(c map[string]any) { c["tid"], c["iss"] = test.tid, host+"/"+test.iss+"/v2.0" }
		})
		if who, err := trip(t, p, c, nil, nil); (err == nil) != test.good {
			t.Errorf("%s: %v, %v", name, who.Person, err)
		}
	}
}

func TestAFreshSignIn(t *testing.T) {
	fresh := &oidc.Fresh{MaxAge: 5 * time.Minute, ACR: []string{"mfa", "high"}}
	for name, test := range map[string]struct {
		state oidctest.State
		good  bool
	}{
		"just now":        {oidctest.State{StepUp: map[string]any{"acr": "mfa"}}, true},
		"an hour ago":     {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() }}, false},
		"a clock behind":  {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = time.Now().Add(-7 * time.Minute).Unix() }}, true},
		"a clock ahead":   {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = time.Now().Add(2 * time.Minute).Unix() }}, true},
		"of the future":   {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = time.Now().Add(4 * time.Minute).Unix() }}, false},
		"who knows when":  {oidctest.State{Forge: func(c map[string]any) { delete(c, "auth_time") }}, false},
		"not a time":      {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = "now" }}, false},
		"with a fraction": {oidctest.State{Forge: func(c map[string]any) { c["auth_time"] = float64(time.Now().UnixMilli()) / 1000 }}, true},
	} {
		test.state.Claims = ada(nil).Claims
		p := oidctest.New(t, "", test.state)
		who, err := trip(t, p, client(t, p, nil), fresh, nil)
		if (err == nil) != test.good || err != nil && usererr.CodeOf(err) != usererr.Denied {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
		if q := p.Last(); q.Get("prompt") != "login" || q.Get("max_age") != "300" || q.Get("acr_values") != "mfa high" {
			t.Errorf("%s: asked with %v", name, q)
		}
	}
	p := oidctest.New(t, "/"+tenant+"/v2.0", entraState(map[string]any{"acrs": []string{"c1"}}))
	who, err := trip(t, p, client(t, p, func(c *oidc.Config) { c.Kind = oidc.Entra }), &oidc.Fresh{MaxAge: time.Minute, ACR: []string{"c1"}}, nil)
	if err != nil || !slices.Contains(who.ACR, "c1") || p.Last().Get("claims") != `{"id_token":{"acrs":{"essential":true,"values":["c1"]}}}` || p.Last().Has("acr_values") {
		t.Errorf("Entra ID: %+v, %v, %v", who, err, p.Last())
	}
}

// TestRefresh renews a sign-in while things change at the company.
func TestRefresh(t *testing.T) {
	p := oidctest.New(t, "", ada(nil))
	c := client(t, p, nil)
	was, err := trip(t, p, c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		change  func(*oidctest.State)
		groups  []string
		refused bool // for good
		silent  bool // renewed, but nothing of groups
		fails   bool
	}{
		"nothing":            {groups: []string{"staff", "wiki"}},
		"other groups":       {change: func(s *oidctest.State) { s.Claims["groups"] = []string{"guests"} }, groups: []string{"guests"}},
		"no ID token":        {change: func(s *oidctest.State) { s.Bare, s.Userinfo = true, map[string]any{"groups": []string{"staff"}} }, groups: []string{"staff"}},
		"another person":     {change: func(s *oidctest.State) { s.Claims["sub"] = "ben" }, refused: true, fails: true},
		"disabled":           {change: func(s *oidctest.State) { s.Disabled = true }, refused: true, fails: true},
		"down":               {change: func(s *oidctest.State) { s.Down = true }, fails: true},
		"no groups any more": {change: func(s *oidctest.State) { delete(s.Claims, "groups") }, groups: []string{"staff", "wiki"}, silent: true, fails: true},
		"groups of no kind":  {change: func(s *oidctest.State) { s.Claims["groups"] = 7 }, groups: []string{"staff", "wiki"}, silent: true, fails: true},
		"no userinfo":        {change: func(s *oidctest.State) { s.Bare, s.Userinfo = true, nil }, groups: []string{"staff", "wiki"}, silent: true, fails: true},
		"groups elsewhere":   {change: func(s *oidctest.State) { delete(s.Claims, "groups"); s.Claims["hasgroups"] = true }, groups: []string{"staff", "wiki"}, silent: true, fails: true},
		"no group at all":    {change: func(s *oidctest.State) { s.Claims["groups"] = []string{} }},
	} {
		p.Set(func(s *oidctest.State) { *s = ada(nil) })
		if was, err = trip(t, p, c, nil, nil); err != nil {
			t.Fatal(err)
		}
		if test.change != nil {
			p.Set(test.change)
		}
		now, err := c.Refresh(t.Context(), was)
		if errors.Is(err, oidc.ErrRefused) != test.refused || errors.Is(err, oidc.ErrNoGroups) != test.silent || (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error leaks: %v", name, err)
		}
		if (err == nil || test.silent) && (!slices.Equal(now.Groups, test.groups) || !now.GroupsKnown || now.Refresh.Equal(was.Refresh) || !now.Time.Equal(was.Time)) {
			t.Errorf("%s: %+v", name, now)
		}
	}
}

// TestTheProviderIsAway when the vault starts, comes, changes and goes.
func TestTheProviderIsAway(t *testing.T) {
	state := ada(nil)
	state.Down = true
	p := oidctest.New(t, "", state)
	c := client(t, p, nil)
	for range 2 {
		if _, err := c.AuthorizeURL(t.Context(), oidc.Request{}); usererr.CodeOf(err) != usererr.Unavailable || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("while it is away: %v", err)
		}
	}
	if asked := p.Asked("/.well-known/openid-configuration"); asked != 2 { // once and again, then not for a while
		t.Errorf("it was asked %d times", asked)
	}
	p.Set(func(s *oidctest.State) { s.Down = false })
	time.Sleep(2100 * time.Millisecond)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := c.AuthorizeURL(t.Context(), oidc.Request{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if asked := p.Asked("/.well-known/openid-configuration"); asked != 3 {
		t.Errorf("it was asked %d times", asked)
	}
	p.Set(func(s *oidctest.State) { s.Issuer = "https://CANARY.example" })
	if _, err := client(t, p, nil).AuthorizeURL(t.Context(), oidc.Request{}); usererr.CodeOf(err) != usererr.Settings || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("with another name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, p, nil).AuthorizeURL(ctx, oidc.Request{}); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("for somebody who hung up: %v", err)
	}
}

// TestKeysAreNotAskedForWithoutEnd, whatever anybody sends.
func TestKeysAreNotAskedForWithoutEnd(t *testing.T) {
	p := oidctest.New(t, "", ada(nil))
	c := client(t, p, nil)
	p.Set(func(s *oidctest.State) { s.Wrong = true })
	for range 30 {
		if _, err := c.Logout(t.Context(), secret.New(p.Logout(map[string]any{"sub": "ada-1"}))); err == nil {
			t.Fatal("a foreign key was believed")
		}
	}
	if asked := p.Asked("/keys"); asked > 6 {
		t.Errorf("the keys were asked for %d times", asked)
	}
}

func TestLogoutTokens(t *testing.T) {
	p := oidctest.New(t, "", ada(nil))
	c := client(t, p, nil)
	id, err := trip(t, p, c, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		claims map[string]any
		good   bool
	}{
		"a subject":            {map[string]any{"sub": "ada-1"}, true},
		"a session":            {map[string]any{"sid": id.SID}, true},
		"both":                 {map[string]any{"sub": "ada-1", "sid": "sid-1"}, true},
		"neither":              {nil, false},
		"a nonce":              {map[string]any{"sub": "ada-1", "nonce": "x"}, false},
		"no events":            {map[string]any{"sub": "ada-1", "events": nil}, false},
		"another event":        {map[string]any{"sub": "ada-1", "events": map[string]any{"CANARY": map[string]any{}}}, false},
		"no id":                {map[string]any{"sub": "ada-1", "jti": nil}, false},
		"another issuer":       {map[string]any{"sub": "ada-1", "iss": "https://CANARY"}, false},
		"another client":       {map[string]any{"sub": "ada-1", "aud": "CANARY"}, false},
		"expired":              {map[string]any{"sub": "ada-1", "exp": time.Now().Add(-time.Hour).Unix()}, false},
		"no expiry":            {map[string]any{"sub": "ada-1", "exp": nil}, false},
		"old":                  {map[string]any{"sub": "ada-1", "iat": time.Now().Add(-10 * time.Minute).Unix()}, false},
		"of the future":        {map[string]any{"sub": "ada-1", "iat": time.Now().Add(10 * time.Minute).Unix()}, false},
		"too long for a store": {map[string]any{"sub": strings.Repeat("a", 1000)}, false},
	} {
		order, err := c.Logout(t.Context(), secret.New(p.Logout(test.claims)))
		if (err == nil) != test.good || err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: %+v, %v", name, order, err)
		}
		if err == nil && (order.ID == "" || order.Issuer != p.URL || order.Until.Before(time.Now().Add(8*time.Minute))) {
			t.Errorf("%s: %+v", name, order)
		}
	}
	// An ID token is no logout token.
	token := p.Sign(map[string]any{"iss": p.URL, "aud": oidctest.ClientID, "sub": "ada-1", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}, "JWT")
	if order, err := c.Logout(t.Context(), secret.New(token)); err == nil {
		t.Errorf("an ID token became %+v", order)
	}
}

func TestSettings(t *testing.T) {
	good := oidc.Config{Issuer: "https://login.example.com", ClientID: "vault", Redirect: "https://vault.example/oidc/callback", HTTP: http.DefaultClient}
	for name, test := range map[string]struct {
		change func(*oidc.Config)
		says   string
	}{
		"good":                 {func(*oidc.Config) {}, ""},
		"no issuer":            {func(c *oidc.Config) { c.Issuer = "" }, "issuer: "},
		"plain http":           {func(c *oidc.Config) { c.Issuer = "http://login.example.com" }, "issuer: must be https"},
		"no client":            {func(c *oidc.Config) { c.ClientID = "" }, "client_id: "},
		"not openid":           {func(c *oidc.Config) { c.Scopes = []string{"email"} }, "scopes: "},
		"another kind":         {func(c *oidc.Config) { c.Kind = "okta" }, "kind: "},
		"tenants of Entra":     {func(c *oidc.Config) { c.Tenants = []string{tenant} }, "entra_tenants: belongs"},
		"one tenant":           {func(c *oidc.Config) { c.Issuer = "https://login.microsoftonline.com/" + tenant + "/v2.0" }, ""},
		"v1.0":                 {func(c *oidc.Config) { c.Issuer = "https://login.microsoftonline.com/" + tenant }, "issuer: must be like"},
		"anybody at Microsoft": {func(c *oidc.Config) { c.Issuer = "https://login.microsoftonline.com/common/v2.0" }, "entra_tenants: is needed"},
		"some tenants": {func(c *oidc.Config) {
			c.Issuer, c.Tenants = "https://login.microsoftonline.com/common/v2.0", []string{tenant}
		}, ""},
		"a tenant by another name": {func(c *oidc.Config) {
			c.Issuer, c.Tenants = "https://login.microsoftonline.com/common/v2.0", []string{"acme.com"}
		}, "entra_tenants: each"},
	} {
		cfg := good
		test.change(&cfg)
		_, err := oidc.New(cfg)
		if (err == nil) != (test.says == "") || err != nil && !strings.HasPrefix(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
}

// FuzzClaims signs what somebody made up: no claims bring anybody in who has no
// subject, and nothing breaks.
func FuzzClaims(f *testing.F) {
	for _, name := range []string{"sub", "groups", "acr", "amr", "auth_time", "_claim_names", "hasgroups", "aud", "name", "sid", "nonce", "exp"} {
		f.Add(name, `["a"]`)
		f.Add(name, `{"a":{"b":1}}`)
		f.Add(name, `1e400`)
	}
	p := oidctest.New(f, "", ada(nil))
	c := client(f, p, nil)
	f.Fuzz(func(t *testing.T, name, value string) {
		p.Set(func(s *oidctest.State) {
			s.Forge = func(claims map[string]any) {
				if json.Valid([]byte(value)) {
					claims[name] = json.RawMessage(value)
				} else {
					claims[name] = value
				}
			}
		})
		who, err := trip(t, p, c, nil, nil)
		if err == nil && (who.Person.Subject == "" || who.Person.Issuer != p.URL || !who.GroupsKnown) {
			t.Errorf("%q: %q let in %+v", name, value, who)
		}
		if _, ok := usererr.From(err); err != nil && !ok {
			t.Errorf("%q: %q has no words for people: %v", name, value, err)
		}
	})
}
