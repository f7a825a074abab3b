package atlassiansim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
)

const (
	clientID = "app-1"
	secret   = "app-secret"
	verifier = "a-verifier-of-at-least-forty-three-characters-0123"
)

func scopes() []string {
	return []string{
		"read:page:confluence", "write:page:confluence", "delete:page:confluence", "read:space:confluence", "read:user:confluence",
		"read:content-details:confluence", "search:confluence", "read:hierarchical-content:confluence", "read:content.metadata:confluence",
		"read:attachment:confluence", "read:me", "offline_access",
		"read:comment:confluence", "write:comment:confluence", "delete:comment:confluence", "read:label:confluence", "write:label:confluence",
		"read:group:confluence", "write:space:confluence", "write:confluence-content", "read:confluence-groups",
	}
}

// rig is a simulated Atlassian on a port, with an app whose callback answers.
type rig struct {
	*atlassiansim.Sim
	t        *testing.T
	url      string
	callback string
}

func newRig(t *testing.T, opt atlassiansim.Options) *rig {
	t.Helper()
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "back") }))
	t.Cleanup(back.Close)
	opt.Apps = []atlassiansim.App{{ClientID: clientID, Secret: secret, Name: "Coatcheck", Callback: back.URL + "/callback"}}
	r := &rig{Sim: atlassiansim.New(opt), t: t, callback: back.URL + "/callback"}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// authorizeURL is where an app sends the browser. Pairs change parameters; an
// empty value removes one.
func (r *rig) authorizeURL(pairs ...string) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"audience": {"api.atlassian.com"}, "client_id": {clientID}, "scope": {strings.Join(scopes(), " ")}, "redirect_uri": {r.callback},
		"state": {"state-1"}, "response_type": {"code"}, "prompt": {"consent"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Del(pairs[i])
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return r.url + "/authorize?" + q.Encode()
}

// code consents as person in a fresh browser and returns the callback's
// query.
func (r *rig) consent(person string, allow bool, pairs ...string) url.Values {
	r.t.Helper()
	b := browser.New()
	if _, err := b.Consent(r.t.Context(), r.authorizeURL(pairs...), browser.Choose{Person: person, Allow: allow}); err != nil {
		r.t.Fatal(err)
	}
	pages := b.Pages()
	u, err := url.Parse(pages[len(pages)-1].URL)
	if err != nil || !strings.HasPrefix(u.String(), r.callback+"?") {
		r.t.Fatalf("the browser ended at %q, not at the callback", u)
	}
	return u.Query()
}

type tokens struct {
	Status      int
	Access      string `json:"access_token"`
	Refresh     string `json:"refresh_token"`
	Expires     int    `json:"expires_in"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// token asks the token endpoint. Pairs change parameters; an empty value
// removes one.
func (r *rig) token(pairs ...string) tokens {
	r.t.Helper()
	in := map[string]string{"client_id": clientID, "client_secret": secret}
	for i := 0; i < len(pairs); i += 2 {
		if delete(in, pairs[i]); pairs[i+1] != "" {
			in[pairs[i]] = pairs[i+1]
		}
	}
	data, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	resp, err := http.Post(r.url+"/oauth/token", "application/json", bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	out := tokens{Status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) redeem(code string, pairs ...string) tokens {
	r.t.Helper()
	return r.token(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", r.callback, "code_verifier", verifier}, pairs...)...)
}

func (r *rig) refresh(token string) tokens {
	r.t.Helper()
	return r.token("grant_type", "refresh_token", "refresh_token", token)
}

// answer is what an API request got.
type answer struct {
	Status int
	Header http.Header
	Text   string
}

// into decodes the answer.
func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Text), v); err != nil {
		t.Fatalf("%v in %d %s", err, a.Status, a.Text)
	}
}

// api sends a request below /wiki of a site through the gateway.
func (r *rig) api(token, method, path string, body any) answer {
	r.t.Helper()
	return r.ask(token, method, "/ex/confluence/"+r.CloudID("acme")+"/wiki"+path, body)
}

// ask sends a request to any path.
func (r *rig) ask(token, method, path string, body any) answer {
	r.t.Helper()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			r.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Accept", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return answer{Text: err.Error()}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// as gives a person a token without a browser.
func (r *rig) as(person string) string {
	r.t.Helper()
	access, _ := r.MintToken(person, append(scopes(), objectScopes()...))
	if access == "" {
		r.t.Fatalf("no token for %q", person)
	}
	return access
}
