package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/oauth"
)

const (
	challenge = "v70ixSDfoBEDrDZV-0YABusoh_Ajp_a66XlJlwBHynw" // of verifier
	verifier  = "a-verifier-of-at-least-forty-three-characters-0123"
	callback  = "https://vault.example/callback/acme"
	scope     = "read:page:confluence search:confluence offline_access"
)

// server is an authorization server without a network, so that its time can
// be simulated.
type server struct {
	*oauth.Server
	t   *testing.T
	mux *http.ServeMux
}

func start(t *testing.T, change func(*oauth.Config)) *server {
	t.Helper()
	cfg := oauth.Config{
		Directory:  directory.New([]directory.Person{{Name: "ada"}, {Name: "ben"}}, []directory.Site{{Name: "acme"}, {Name: "lab", People: []string{"ada"}}}),
		Apps:       []oauth.App{{ClientID: "app", Secret: "s3cret", Name: "App", Callback: callback}, {ClientID: "other", Secret: "s3cret", Callback: callback}},
		Canary:     "CNR",
		AccessLife: time.Hour, CodeLife: 10 * time.Minute, Leeway: 10 * time.Minute, Inactivity: 90 * 24 * time.Hour,
	}
	if change != nil {
		change(&cfg)
	}
	s := &server{oauth.New(cfg), t, http.NewServeMux()}
	s.Register(s.mux)
	return s
}

func (s *server) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

func (s *server) get(path, cookie string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return s.send(r)
}

func (s *server) post(path, cookie string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return s.send(r)
}

// login signs a person in and returns the browser's cookie.
func (s *server) login(person string) string {
	s.t.Helper()
	w := s.post("/login", "", url.Values{"person": {person}, "continue": {"/authorize?x=1"}})
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/authorize?x=1" {
		s.t.Fatalf("login answers %d to %q", w.Code, w.Header().Get("Location"))
	}
	cookie, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie
}

// authorizePath is an authorize request; pairs change it, an empty value
// removes a parameter.
func authorizePath(pairs ...string) string {
	q := url.Values{
		"audience": {"api.atlassian.com"}, "client_id": {"app"}, "scope": {scope}, "redirect_uri": {callback}, "state": {"st"},
		"response_type": {"code"}, "prompt": {"consent"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "/authorize?" + q.Encode()
}

// code goes through login and consent.
func (s *server) code(pairs ...string) string {
	s.t.Helper()
	cookie := s.login("ada")
	page := s.get(authorizePath(pairs...), cookie)
	_, rest, ok := strings.Cut(page.Body.String(), `name="request" value="`)
	if page.Code != http.StatusOK || !ok {
		s.t.Fatalf("authorize answers %d %s", page.Code, page.Body)
	}
	id, _, _ := strings.Cut(rest, `"`)
	var sites []string
	for _, part := range strings.Split(page.Body.String(), `name="site" value="`)[1:] {
		site, _, _ := strings.Cut(part, `"`)
		sites = append(sites, site)
	}
	w := s.post("/consent", cookie, url.Values{"request": {id}, "decision": {"allow"}, "site": sites})
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || !strings.HasPrefix(to.String(), callback+"?") || to.Query().Get("state") != "st" {
		s.t.Fatalf("back to %q", to)
	}
	if again := s.post("/consent", cookie, url.Values{"request": {id}, "decision": {"allow"}}); again.Code != http.StatusBadRequest {
		s.t.Errorf("the same answer twice: %d", again.Code)
	}
	return to.Query().Get("code")
}

type answer struct {
	Status      int
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	Expires     int    `json:"expires_in"`
	Scope, Type string
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func (s *server) token(pairs ...string) answer {
	s.t.Helper()
	form := url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Del(pairs[i])
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	w := s.post("/oauth/token", "", form)
	out := answer{Status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		s.t.Fatalf("%v in %.200s", err, w.Body)
	}
	return out
}

func (s *server) redeem(code string, pairs ...string) answer {
	s.t.Helper()
	return s.token(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier}, pairs...)...)
}

func (s *server) refresh(token string) answer {
	s.t.Helper()
	return s.token("grant_type", "refresh_token", "refresh_token", token)
}

func (a answer) is(t *testing.T, what string, status int, code, description string) {
	t.Helper()
	if a.Status != status || a.Error != code || a.Description != description || a.Access != "" {
		t.Errorf("%s: %d %q %q, want %d %q %q", what, a.Status, a.Error, a.Description, status, code, description)
	}
}

// Wrong parameters end on Atlassian's page after the login, never at the app.
func TestWrongRequestsNeverReachTheApp(t *testing.T) {
	s := start(t, nil)
	cookie := s.login("ada")
	for _, pairs := range [][]string{
		{"audience", ""}, {"client_id", "nobody"}, {"scope", ""}, {"scope", scope + " openid"}, {"scope", "read:nonsense:confluence"},
		{"redirect_uri", callback + "/"}, {"redirect_uri", ""}, {"response_type", "token"}, {"prompt", ""}, {"prompt", "none"},
		{"code_challenge_method", "plain"}, {"code_challenge_method", ""}, {"code_challenge", "short"},
	} {
		w := s.get(authorizePath(pairs...), cookie)
		if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "Simulated Atlassian") {
			t.Errorf("%v: %d to %q", pairs, w.Code, w.Header().Get("Location"))
		}
		if w := s.get(authorizePath(pairs...), ""); w.Code != http.StatusFound || !strings.HasPrefix(w.Header().Get("Location"), "/login?") {
			t.Errorf("%v before the login: %d to %q", pairs, w.Code, w.Header().Get("Location"))
		}
	}
	if w := s.post("/login", "", url.Values{"person": {"ada"}, "continue": {"https://evil.example/authorize"}}); w.Header().Get("Location") != "/login" {
		t.Errorf("the login sends to %q", w.Header().Get("Location"))
	}
}

// An answer to a consent page counts only from the browser that was asked.
func TestConsentBelongsToItsPerson(t *testing.T) {
	s := start(t, nil)
	page := s.get(authorizePath(), s.login("ada")).Body.String()
	_, rest, _ := strings.Cut(page, `name="request" value="`)
	id, _, _ := strings.Cut(rest, `"`)
	for name, cookie := range map[string]string{"nobody": "", "somebody else": s.login("ben")} {
		if w := s.post("/consent", cookie, url.Values{"request": {id}, "decision": {"allow"}}); w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestRedeem(t *testing.T) {
	s := start(t, nil)
	badCode, denied := "Invalid authorization code", "Unauthorized"
	s.redeem(s.code(), "client_secret", "").is(t, "no secret", 401, "access_denied", denied)
	s.redeem(s.code(), "client_secret", "wrong").is(t, "wrong secret", 401, "access_denied", denied)
	s.redeem(s.code(), "client_id", "nobody").is(t, "unknown app", 401, "access_denied", denied)
	s.redeem(s.code(), "client_id", "other").is(t, "another app's code", 403, "invalid_grant", badCode)
	s.redeem("nonsense").is(t, "unknown code", 403, "invalid_grant", badCode)
	s.redeem(s.code(), "redirect_uri", callback+"x").is(t, "other redirect", 403, "invalid_grant", "The redirect URI is wrong.")
	s.redeem(s.code(), "code_verifier", "").is(t, "no verifier", 403, "invalid_grant", "Failed to verify code verifier")
	s.redeem(s.code(), "code_verifier", verifier+"x").is(t, "wrong verifier", 403, "invalid_grant", "Failed to verify code verifier")
	s.token("grant_type", "client_credentials").is(t, "grant type", 403, "unauthorized_client", "Grant type 'client_credentials' not allowed for the client.")
	code := s.code()
	if got := s.redeem(code); got.Status != 200 || got.Access == "" || got.Refresh == "" || got.Expires != 3600 || len(strings.Fields(got.Scope)) != 3 {
		t.Errorf("%+v", got)
	}
	s.redeem(code).is(t, "used code", 403, "invalid_grant", badCode)
	if got := s.redeem(s.code("scope", "read:page:confluence")); got.Status != 200 || got.Refresh != "" {
		t.Errorf("without offline_access: %+v", got)
	}
	if got := s.redeem(s.code("code_challenge", "", "code_challenge_method", ""), "code_verifier", ""); got.Status != 200 {
		t.Errorf("without PKCE, as the documentation has it: %+v", got)
	}
}

func TestIgnorePKCE(t *testing.T) {
	s := start(t, func(c *oauth.Config) { c.IgnorePKCE = true })
	if got := s.redeem(s.code(), "code_verifier", "wrong"); got.Status != 200 {
		t.Errorf("%+v", got)
	}
}

func TestCodesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		code := s.code()
		time.Sleep(10 * time.Minute)
		s.redeem(code).is(t, "expired code", 403, "invalid_grant", "Invalid authorization code")
	})
}

func TestAccessTokensExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		first := s.redeem(s.code())
		time.Sleep(time.Hour - time.Second)
		if a, ok := s.Check(first.Access); !ok || a.Person.Name != "ada" || !a.Can("search:confluence") || len(a.Sites) != 2 {
			t.Errorf("before its end: %+v, %v", a, ok)
		}
		second := s.refresh(first.Refresh)
		if _, ok := s.Check(first.Access); !ok {
			t.Error("a refresh ended the old access token")
		}
		time.Sleep(2 * time.Second)
		if _, ok := s.Check(first.Access); ok {
			t.Error("an access token outlived its time")
		}
		s.ExpireAccess()
		if _, ok := s.Check(second.Access); ok {
			t.Error("an access token outlived ExpireAccess")
		}
		s.SetAccessLife(time.Minute)
		if third := s.refresh(second.Refresh); third.Expires != 60 {
			t.Errorf("%+v", third)
		}
	})
}

// A rotated token works for ten minutes more; after that its use is a breach
// and ends the family, the newest token included.
func TestRotationAndLeeway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		first := s.redeem(s.code())
		second := s.refresh(first.Refresh)
		if second.Status != 200 || second.Refresh == first.Refresh {
			t.Fatalf("%+v", second)
		}
		time.Sleep(10 * time.Minute)
		again := s.refresh(first.Refresh)
		if again.Status != 200 {
			t.Errorf("inside the leeway: %+v", again)
		}
		if third := s.refresh(second.Refresh); third.Status != 200 {
			t.Errorf("the other branch: %+v", third)
		}
		time.Sleep(time.Second)
		s.refresh(first.Refresh).is(t, "after the leeway", 403, "unauthorized_client", "refresh_token is invalid")
		s.refresh(again.Refresh).is(t, "the newest", 403, "invalid_grant", "Unknown or invalid refresh token.")
		if _, ok := s.Check(again.Access); ok || s.Grants() != 0 {
			t.Error("the family lives on")
		}
		s.refresh("nonsense").is(t, "unknown", 403, "unauthorized_client", "refresh_token is invalid")
	})
}

func TestUnusedRefreshTokensEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := start(t, nil)
		tokens := s.redeem(s.code())
		for range 3 { // each use begins the ninety days anew
			time.Sleep(89 * 24 * time.Hour)
			if tokens = s.refresh(tokens.Refresh); tokens.Status != 200 {
				t.Fatalf("%+v", tokens)
			}
		}
		time.Sleep(91 * 24 * time.Hour)
		s.refresh(tokens.Refresh).is(t, "unused", 403, "invalid_grant", "Unknown or invalid refresh token.")
	})
}

func TestRevocations(t *testing.T) {
	s := start(t, nil)
	one, two := s.redeem(s.code()), s.redeem(s.code())
	w := s.post("/oauth/revoke", "", url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}, "token": {one.Refresh}})
	if w.Code != http.StatusOK || s.Grants() != 1 {
		t.Errorf("revoke answers %d, %d grants live", w.Code, s.Grants())
	}
	s.refresh(one.Refresh).is(t, "revoked", 403, "invalid_grant", "Unknown or invalid refresh token.")
	if w := s.post("/oauth/revoke", "", url.Values{"client_id": {"app"}, "token": {two.Refresh}}); w.Code != http.StatusUnauthorized {
		t.Errorf("without secret: %d", w.Code)
	}
	access, _, _ := s.Mint("app", "ada", []string{"read:page:confluence"})
	if n := s.RemoveApp("ada"); n != 2 {
		t.Errorf("%d grants ended", n)
	}
	if _, ok := s.Check(access); ok {
		t.Error("an access token outlived the app")
	}
	if n := s.RemoveApp("ben"); n != 0 {
		t.Errorf("%d grants of ben ended", n)
	}
}

func TestSitesOfAGrant(t *testing.T) {
	s := start(t, nil)
	tokens := s.redeem(s.code())
	resources := func() []string {
		r := httptest.NewRequest(http.MethodGet, "/oauth/token/accessible-resources", nil)
		r.Header.Set("Authorization", "Bearer "+tokens.Access)
		var list []struct{ Name string }
		if err := json.Unmarshal(s.send(r).Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, site := range list {
			names = append(names, site.Name)
		}
		return names
	}
	if got := resources(); !slices.Equal(got, []string{"acme", "acme", "lab", "lab"}) {
		t.Errorf("%v", got)
	}
	a, _ := s.Check(tokens.Access)
	s.RemoveSite("ada", a.Sites[0])
	if got := resources(); !slices.Equal(got, []string{"lab", "lab"}) {
		t.Errorf("after the removal: %v", got)
	}
}

// The identity needs its scope, and says so as the gateway does.
func TestMe(t *testing.T) {
	s := start(t, nil)
	ask := func(scopes ...string) *httptest.ResponseRecorder {
		access, _, _ := s.Mint("app", "ada", scopes)
		r := httptest.NewRequest(http.MethodGet, "/me", nil)
		r.Header.Set("Authorization", "Bearer "+access)
		return s.send(r)
	}
	if w := ask("read:me"); w.Code != 200 || !strings.Contains(w.Body.String(), `"email":"ada@acme.example"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask("search:confluence"); w.Code != 401 || w.Header().Get("X-Failure-Category") != "FAILURE_CLIENT_SCOPE_CHECK" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestFaults(t *testing.T) {
	s := start(t, nil)
	tokens := s.redeem(s.code())
	form := url.Values{"client_id": {"app"}, "client_secret": {"s3cret"}, "grant_type": {"refresh_token"}, "refresh_token": {tokens.Refresh}}
	ask := func(f oauth.Fault) *httptest.ResponseRecorder {
		s.NextToken(1, f)
		return s.post("/oauth/token", "", form)
	}
	if w := ask(oauth.Fault{Kind: oauth.Status, Status: 503, Body: "<h1>no</h1>", RetryAfter: 3 * time.Second}); w.Code != 503 || w.Header().Get("Retry-After") != "3" {
		t.Errorf("status: %d %v", w.Code, w.Header())
	}
	if w := ask(oauth.Fault{Kind: oauth.HTML}); w.Code != 200 || json.Valid(w.Body.Bytes()) {
		t.Errorf("html: %d %s", w.Code, w.Body)
	}
	if w := ask(oauth.Fault{Kind: oauth.Redirect, Location: "https://evil.example/"}); w.Code != 307 || w.Header().Get("Location") != "https://evil.example/" {
		t.Errorf("redirect: %d", w.Code)
	}
	if w := ask(oauth.Fault{Kind: oauth.NoRefreshToken}); w.Code != 200 || strings.Contains(w.Body.String(), `"refresh_token"`) {
		t.Errorf("no refresh token: %d %s", w.Code, w.Body)
	}
	if w := ask(oauth.Fault{Kind: oauth.FewerScopes}); !strings.Contains(w.Body.String(), `"scope":"offline_access read:page:confluence"`) {
		t.Errorf("fewer scopes: %s", w.Body)
	}
	if w := ask(oauth.Fault{Kind: oauth.Huge}); w.Body.Len() < 50_000_000 {
		t.Errorf("huge: %d bytes", w.Body.Len())
	}
	func() {
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the connection did not break")
			}
		}()
		ask(oauth.Fault{Kind: oauth.Drop})
	}()
	if got := s.refresh(tokens.Refresh); got.Status != 200 {
		t.Errorf("the next request: %+v", got)
	}
}

// Many refreshes at once inside the leeway all succeed and all differ, as was
// seen; whoever keeps only one of them is fine.
func TestRefreshesAtOnce(t *testing.T) {
	s := start(t, nil)
	tokens := s.redeem(s.code())
	var got sync.Map
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if a := s.refresh(tokens.Refresh); a.Status == 200 {
				got.Store(a.Refresh, true)
			}
		})
	}
	group.Wait()
	n := 0
	got.Range(func(any, any) bool { n++; return true })
	if n != 16 || s.Grants() != 1 {
		t.Errorf("%d different tokens of %d grants", n, s.Grants())
	}
}
