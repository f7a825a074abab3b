package atlassian_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const canary = "CANARY"

// server is an authorization server that says what it is told to.
type server struct {
	*httptest.Server
	status int
	kind   string
	body   string
	serve  http.HandlerFunc // instead, if not nil
	form   url.Values       // of the latest request
	header http.Header
	calls  int
}

func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{status: http.StatusOK, kind: "application/json"}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.form, s.header = r.PostForm, r.Header
		s.calls++
		if s.serve != nil {
			s.serve(w, r)
			return
		}
		w.Header().Set("Content-Type", s.kind)
		w.WriteHeader(s.status)
		_, _ = io.WriteString(w, s.body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) config() atlassian.Config {
	return atlassian.Config{
		ClientID: "id", ClientSecret: secret.New("the-secret-" + canary), Scopes: []string{"read:page:confluence"},
		Redirect: "https://vault.example/callback/acme", Sites: []atlassian.Site{{Name: "wiki", URL: "https://acme.atlassian.net/wiki/"}},
		Authorize: s.URL + "/authorize", Token: s.URL + "/oauth/token", API: s.URL + "/", HTTP: http.DefaultClient,
	}
}

func (s *server) app(t testing.TB) *atlassian.App {
	t.Helper()
	app, err := atlassian.New(s.config())
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// clean fails the test if an error shows what a server sent or what was sent
// to it.
func clean(t *testing.T, err error) {
	t.Helper()
	for at := err; at != nil; at = errors.Unwrap(at) {
		if text := fmt.Sprintf("%v %+v %#v", at, at, at); strings.Contains(text, canary) {
			t.Errorf("the error contains what must not be seen: %s", text)
		}
	}
}

func TestConfigIsCheckedAtOnce(t *testing.T) {
	_, err := atlassian.New(atlassian.Config{Authorize: "http://auth.example/authorize", Token: "ftp://x", Sites: []atlassian.Site{{Name: "wiki", URL: "acme"}}})
	for _, want := range []string{"authorize endpoint", "token endpoint", "redirect", "client_id", "client_secret", "wiki", "HTTP client"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said about %s: %v", want, err)
		}
	}
	s := newServer(t)
	cfg := s.config()
	cfg.Authorize, cfg.Token, cfg.API = "", "", ""
	app, err := atlassian.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if app.Issuer() != "https://auth.atlassian.com" {
		t.Errorf("the issuer is %q", app.Issuer())
	}
}

// TestTheWayToConsent: the parameters of confluence-api.md 1.2, and no more.
func TestTheWayToConsent(t *testing.T) {
	verifier := "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636, appendix B
	u, err := url.Parse(newServer(t).app(t).AuthorizeURL(secret.New("the-state"), secret.New(verifier)))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"audience": {"api.atlassian.com"}, "client_id": {"id"}, "scope": {"read:page:confluence read:me offline_access"},
		"redirect_uri": {"https://vault.example/callback/acme"}, "state": {"the-state"}, "response_type": {"code"}, "prompt": {"consent"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Errorf("the parameters (-want +got):\n%s", diff)
	}
}

const goodAnswer = `{"access_token":"a-` + canary + `","refresh_token":"r-` + canary + `","expires_in":3600,"scope":"read:page:confluence read:me offline_access","token_type":"Bearer"}`

func TestRedeeming(t *testing.T) {
	s := newServer(t)
	s.body = goodAnswer
	tokens, err := s.app(t).Redeem(t.Context(), secret.New("the-code"), secret.New("the-verifier"))
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"id"}, "client_secret": {"the-secret-" + canary},
		"code": {"the-code"}, "code_verifier": {"the-verifier"}, "redirect_uri": {"https://vault.example/callback/acme"},
	}
	if diff := cmp.Diff(want, s.form); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	if tokens.Access.Reveal() != "a-"+canary || tokens.Refresh.Reveal() != "r-"+canary || time.Until(tokens.Expires) < 59*time.Minute {
		t.Errorf("the tokens are %+v", tokens)
	}
}

// TestRedeemingAnswers: what each answer means for the person. Wrong client
// secrets come as access_denied, which is not a refusal here.
func TestRedeemingAnswers(t *testing.T) {
	pad := strings.Repeat(" ", 2<<20)
	for name, test := range map[string]struct {
		status int
		kind   string
		body   string
		want   usererr.Code // "" for good
	}{
		"good":               {200, "", goodAnswer, ""},
		"no scope":           {200, "", strings.Replace(goodAnswer, `"scope"`, `"other"`, 1), ""},
		"no token type":      {200, "", strings.Replace(goodAnswer, `"token_type"`, `"other"`, 1), ""},
		"no expiry":          {200, "", strings.Replace(goodAnswer, `"expires_in"`, `"other"`, 1), ""},
		"no refresh token":   {200, "", strings.Replace(goodAnswer, `"refresh_token"`, `"other"`, 1), usererr.Settings},
		"no access token":    {200, "", strings.Replace(goodAnswer, `"access_token"`, `"other"`, 1), usererr.Unavailable},
		"missing scope":      {200, "", strings.Replace(goodAnswer, "read:page:confluence ", "", 1), usererr.Scope},
		"other token type":   {200, "", strings.Replace(goodAnswer, "Bearer", "DPoP", 1), usererr.Unavailable},
		"error with 200":     {200, "", `{"error":"invalid_grant"}`, usererr.Timeout},
		"bad code":           {403, "", `{"error":"invalid_grant","error_description":"` + canary + `"}`, usererr.Timeout},
		"bad secret":         {401, "", `{"error":"access_denied","error_description":"` + canary + `"}`, usererr.Settings},
		"unknown client":     {401, "", `{"error":"invalid_client"}`, usererr.Settings},
		"unknown error":      {400, "", `{"error":"` + canary + `"}`, usererr.Internal},
		"HTML error":         {500, "text/html", "<h1>" + canary + "</h1>", usererr.Unavailable},
		"too many requests":  {429, "", `{}`, usererr.Unavailable},
		"HTML":               {200, "text/html", "<h1>" + canary + "</h1>", usererr.Unavailable},
		"not JSON":           {200, "", canary, usererr.Unavailable},
		"long after the end": {200, "", goodAnswer + pad, usererr.Unavailable},
		"long":               {200, "", `{"x":"` + strings.Repeat(canary, 1<<20) + `"}`, usererr.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.status, s.body = test.status, test.body
			if test.kind != "" {
				s.kind = test.kind
			}
			_, err := s.app(t).Redeem(t.Context(), secret.New("code-"+canary), secret.New("verifier-"+canary))
			if got := usererr.CodeOf(err); got != test.want {
				t.Errorf("the code is %q, want %q: %v", got, test.want, err)
			}
			clean(t, err)
			if s.calls != 1 {
				t.Errorf("the endpoint was asked %d times", s.calls)
			}
		})
	}
}

// TestNoRedirectIsFollowed: the request carries the client secret.
func TestNoRedirectIsFollowed(t *testing.T) {
	sink, s := newServer(t), newServer(t)
	s.serve = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, sink.URL+"/"+canary, http.StatusTemporaryRedirect)
	}
	app := s.app(t)
	_, redeemed := app.Redeem(t.Context(), secret.New("code"), secret.New("verifier"))
	_, refreshed := app.Refresh(t.Context(), secret.New("refresh"))
	_, _, asked := app.Account(t.Context(), secret.New("access"))
	for what, err := range map[string]error{"redeeming": redeemed, "refreshing": refreshed, "asking": asked} {
		if err == nil {
			t.Errorf("%s succeeded", what)
		}
		clean(t, err)
	}
	if sink.calls != 0 {
		t.Error("a redirect was followed")
	}
}

func TestNobodyThere(t *testing.T) {
	s := newServer(t)
	app := s.app(t)
	s.Close()
	_, err := app.Redeem(t.Context(), secret.New("code-"+canary), secret.New("verifier"))
	if usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("the error is %v", err)
	}
	clean(t, err)
	if _, err := app.Refresh(t.Context(), secret.New("refresh-"+canary)); err == nil || errors.Is(err, grant.ErrRefused) {
		t.Errorf("refreshing says %v", err)
	} else {
		clean(t, err)
	}
	// What is no HTTP at all is quoted by net/http's own error.
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, canary+"\r\n\r\n")
			_ = conn.Close()
		}
	}))
	defer strange.Close()
	cfg := s.config()
	cfg.Token = strange.URL
	if app, err = atlassian.New(cfg); err != nil {
		t.Fatal(err)
	}
	_, err = app.Redeem(t.Context(), secret.New("code"), secret.New("verifier"))
	clean(t, err)
	_, err = app.Refresh(t.Context(), secret.New("refresh"))
	clean(t, err)
}

// TestRefreshing tells what ends a grant from what passes.
func TestRefreshing(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		body    string
		refused bool
	}{
		"documented":                  {403, `{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}`, true},
		"measured":                    {403, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`, true},
		"the app may not":             {403, `{"error":"unauthorized_client","error_description":"Grant type 'refresh_token' not allowed for the client."}`, false},
		"unauthorized, no word":       {403, `{"error":"unauthorized_client","error_description":"` + canary + `"}`, false},
		"wrong secret":                {401, `{"error":"access_denied","error_description":"Unauthorized"}`, false},
		"server error":                {503, canary, false},
		"too many":                    {429, `{"error":"rate_limited"}`, false},
		"HTML":                        {200, "<h1>" + canary, false},
		"empty":                       {200, "{}", false},
		"an error that is nobody's":   {400, `{"error":"` + canary + `"}`, false},
		"a page instead of a refusal": {403, "<h1>invalid_grant</h1>", false},
		"other kind of token":         {200, strings.Replace(goodAnswer, "Bearer", "mac", 1), false},
		"a very long answer":          {200, goodAnswer + strings.Repeat(" ", 2<<20), false},
		"refusal in a good answer":    {200, `{"error":"invalid_grant"}`, true},
		"unauthorized, spelled apart": {403, `{"error":"unauthorized_client","error_description":"Invalid Refresh Token"}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			s.status, s.body = test.status, test.body
			_, err := s.app(t).Refresh(t.Context(), secret.New("refresh-"+canary))
			if err == nil || errors.Is(err, grant.ErrRefused) != test.refused {
				t.Errorf("the error is %v, want refused %t", err, test.refused)
			}
			clean(t, err)
			if s.calls != 1 {
				t.Errorf("the endpoint was asked %d times", s.calls)
			}
		})
	}
	s := newServer(t)
	app := s.app(t)
	by := atlassian.Refresher{App: func(id identity.TenantID) (*atlassian.App, bool) { return app, id == "acme" }}
	s.body = goodAnswer
	tokens, err := by.Refresh(t.Context(), "acme", secret.New("old"))
	if err != nil || tokens.Refresh.Reveal() != "r-"+canary {
		t.Errorf("refreshing gave %v, %v", tokens, err)
	}
	if diff := cmp.Diff(url.Values{"grant_type": {"refresh_token"}, "client_id": {"id"}, "client_secret": {"the-secret-" + canary}, "refresh_token": {"old"}}, s.form); diff != "" {
		t.Errorf("the request (-want +got):\n%s", diff)
	}
	s.body = strings.Replace(goodAnswer, `"refresh_token"`, `"other"`, 1)
	if tokens, err = by.Refresh(t.Context(), "acme", secret.New("old")); err != nil || tokens.Refresh.Reveal() != "old" {
		t.Errorf("without a new refresh token it gave %v, %v", tokens, err)
	}
	if _, err := by.Refresh(t.Context(), "gone", secret.New("old")); err == nil || errors.Is(err, grant.ErrRefused) {
		t.Errorf("for an unknown tenant it said %v", err)
	}
}
