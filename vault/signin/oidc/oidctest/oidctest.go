// Package oidctest is a small OpenID provider for tests, which signs in whom
// the test says and errs where the test wants it to.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// The vault as the provider knows it.
const (
	ClientID     = "vault"
	ClientSecret = "company-secret-CANARY" //nolint:gosec // of nothing
)

// State is what a provider does; tests change it with [Provider.Set].
type State struct {
	// Who is in the browser. Nil is nobody: the sign-in is declined.
	Claims map[string]any
	// Userinfo is what the userinfo endpoint adds to sub; nil switches it off.
	Userinfo map[string]any
	// Forge changes the claims of an ID token at the last moment.
	Forge func(claims map[string]any)
	// Graph is what /me/getMemberObjects answers; nil is 403.
	Graph []string
	// Signed is how long ago the person last showed who they are.
	Signed time.Duration
	// StepUp is what a request with prompt=login adds to the claims.
	StepUp map[string]any
	// Wrong signs with a key that nobody knows.
	Wrong bool
	// Down answers everything with 503; Disabled refuses to renew.
	Down, Disabled bool
	// NoRefresh gives no refresh tokens, Bare no ID token when it renews.
	NoRefresh, Bare bool
	// Issuer is what the provider calls itself, if not its address.
	Issuer string
}

// Provider is an OpenID provider. Its methods may be called from several
// goroutines.
type Provider struct {
	URL string // its issuer

	server     *httptest.Server
	key, other *ecdsa.PrivateKey

	mu      sync.Mutex
	state   State                 // guarded by mu
	codes   map[string]url.Values // guarded by mu; the request of each code
	refresh map[string]bool       // guarded by mu; those that are good
	asked   map[string]int        // guarded by mu; requests by path
	secrets []string              // guarded by mu
	last    url.Values            // guarded by mu; the last authorization request
}

// New starts a provider under path, "" or such as "/TENANT/v2.0".
func New(t testing.TB, path string, state State) *Provider {
	t.Helper()
	p := &Provider{state: state, codes: map[string]url.Values{}, refresh: map[string]bool{}, asked: map[string]int{}}
	var err error
	for _, key := range []**ecdsa.PrivateKey{&p.key, &p.other} {
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+path+"/.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /userinfo", p.userinfo)
	mux.HandleFunc("POST /graph/me/getMemberObjects", p.graph)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked[r.URL.Path]++
		down := p.state.Down
		p.mu.Unlock()
		if down {
			http.Error(w, "CANARY: down", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	p.URL = p.server.URL + path
	return p
}

// Graph is the address of its Graph.
func (p *Provider) Graph() string { return p.server.URL + "/graph" }

// Set changes what the provider does.
func (p *Provider) Set(change func(*State)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.state)
}

// Asked counts requests for a path.
func (p *Provider) Asked(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked[path]
}

// Last is the last authorization request.
func (p *Provider) Last() url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Secrets are all codes and tokens that the provider gave out.
func (p *Provider) Secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.secrets...)
}

func (p *Provider) now() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// fresh makes a secret.
func (p *Provider) fresh(prefix string) string {
	s := prefix + "-CANARY-" + rand.Text()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secrets = append(p.secrets, s)
	return s
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *Provider) issuer() string {
	if issuer := p.now().Issuer; issuer != "" {
		return issuer
	}
	return p.URL
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	at := p.server.URL
	answer(w, http.StatusOK, map[string]any{
		"issuer": p.issuer(), "authorization_endpoint": at + "/authorize", "token_endpoint": at + "/token", "jwks_uri": at + "/keys", "userinfo_endpoint": at + "/userinfo",
		"scopes_supported": []string{"openid", "offline_access"}, "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32))) }
	answer(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
		"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig", "x": number(p.key.X), "y": number(p.key.Y),
	}}})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" {
		http.Error(w, "a request that no client should make", http.StatusBadRequest)
		return
	}
	to := url.Values{"state": {q.Get("state")}}
	if p.now().Claims == nil {
		to.Set("error", "access_denied")
	} else {
		code := p.fresh("code")
		to.Set("code", code)
		p.mu.Lock()
		p.codes[code], p.last = q, q
		p.mu.Unlock()
	}
	back.RawQuery = to.Encode()
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	if id != ClientID || secret != ClientSecret {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	state, nonce := p.now(), ""
	var request url.Values
	p.mu.Lock()
	switch r.PostFormValue("grant_type") {
	case "authorization_code":
		request = p.codes[r.PostFormValue("code")]
		delete(p.codes, r.PostFormValue("code"))
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if request.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || request.Get("redirect_uri") != r.PostFormValue("redirect_uri") {
			request = nil
		}
		nonce = request.Get("nonce")
	case "refresh_token":
		if used := r.PostFormValue("refresh_token"); p.refresh[used] && !state.Disabled {
			delete(p.refresh, used) // each works once
			request = url.Values{"renewal": {"1"}}
		}
	}
	p.mu.Unlock()
	if request == nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "CANARY"})
		return
	}
	said := map[string]any{"token_type": "Bearer", "expires_in": 300, "access_token": p.fresh("access")}
	if !state.NoRefresh {
		refresh := p.fresh("refresh")
		p.mu.Lock()
		p.refresh[refresh] = true
		p.mu.Unlock()
		said["refresh_token"] = refresh
	}
	if !state.Bare || request.Get("renewal") == "" {
		said["id_token"] = p.Sign(p.claims(state, request, nonce), "JWT")
	}
	answer(w, http.StatusOK, said)
}

// claims are those of an ID token.
func (p *Provider) claims(state State, request url.Values, nonce string) map[string]any {
	now := time.Now()
	claims := map[string]any{"iss": p.issuer(), "aud": ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Add(-state.Signed).Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	maps.Copy(claims, state.Claims)
	if request.Get("prompt") == "login" {
		claims["auth_time"] = now.Unix()
		maps.Copy(claims, state.StepUp)
	}
	if state.Forge != nil {
		state.Forge(claims)
	}
	return claims
}

// Sign makes a token of claims, of a type such as "logout+jwt".
func (p *Provider) Sign(claims map[string]any, kind string) string {
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]string{"alg": "ES256", "kid": "one", "typ": kind}) + "." + part(claims)
	key := p.key
	if p.now().Wrong {
		key = p.other
	}
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// Logout makes a logout token for claims besides the usual ones.
func (p *Provider) Logout(claims map[string]any) string {
	now := time.Now()
	all := map[string]any{
		"iss": p.issuer(), "aud": ClientID, "iat": now.Unix(), "exp": now.Add(2 * time.Minute).Unix(), "jti": rand.Text(),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for name, value := range claims {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	return p.Sign(all, "logout+jwt")
}

func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	state := p.now()
	if state.Userinfo == nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-") {
		answer(w, http.StatusForbidden, map[string]string{"error": "CANARY"})
		return
	}
	said := map[string]any{"sub": state.Claims["sub"]}
	maps.Copy(said, state.Userinfo)
	answer(w, http.StatusOK, said)
}

func (p *Provider) graph(w http.ResponseWriter, r *http.Request) {
	state := p.now()
	if state.Graph == nil || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer access-") {
		answer(w, http.StatusForbidden, map[string]string{"error": "CANARY"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"value": state.Graph})
}

// Browse follows an authorization URL as a browser does, and returns what the
// callback gets.
func (p *Provider) Browse(t testing.TB, address string) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Fatal(fmt.Errorf("the provider did not send the browser back (status %d): %w", res.StatusCode, err))
	}
	return to.Query()
}
