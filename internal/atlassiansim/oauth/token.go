package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const maxTokenRequest = 256 << 10

// problem is an answer of the token endpoint that is not a token.
type problem struct {
	status      int
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func invalidGrant(text string) *problem {
	return &problem{http.StatusForbidden, "invalid_grant", text}
}

// invalidRefresh is what was measured; the documentation promises
// invalid_grant.
func invalidRefresh() *problem {
	return &problem{http.StatusForbidden, "unauthorized_client", "refresh_token is invalid"}
}

func wrongClient() *problem {
	return &problem{http.StatusUnauthorized, "access_denied", "Unauthorized"}
}

// answer is what a successful token request gets.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        string `json:"scope"`
	TokenType    string `json:"token_type"`
}

// token is POST /oauth/token.
func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	form, ok := parameters(w, r)
	if !ok {
		send(w, http.StatusBadRequest, problem{Code: "invalid_request", Description: "Unable to parse the request body"})
		return
	}
	fault := s.nextFault()
	if fault.before(w, r) {
		return
	}
	s.mu.Lock()
	if v := form.Get("code_verifier"); v != "" {
		s.seen = append(s.seen, v)
	}
	a, bad := s.grant(form, fault)
	s.mu.Unlock()
	if bad != nil {
		send(w, bad.status, bad)
		return
	}
	if fault.after(w, a) {
		return
	}
	send(w, http.StatusOK, a)
}

// parameters reads a body of JSON or of a form, and client_secret_basic.
func parameters(w http.ResponseWriter, r *http.Request) (url.Values, bool) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTokenRequest))
	if err != nil {
		return nil, false
	}
	form := url.Values{}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			return nil, false
		}
		for name, value := range all {
			if text, ok := value.(string); ok {
				form.Set(name, text)
			}
		}
	} else if form, err = url.ParseQuery(string(data)); err != nil {
		return nil, false
	}
	if id, secret, ok := r.BasicAuth(); ok && form.Get("client_id") == "" {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	return form, true
}

// client authenticates an app. There are no public clients: a verifier does
// not replace the secret.
func (s *Server) client(form url.Values) (App, bool) {
	app, ok := s.app(form.Get("client_id"))
	secret := []byte(form.Get("client_secret"))
	return app, ok && app.Secret != "" && subtle.ConstantTimeCompare(secret, []byte(app.Secret)) == 1
}

// grant answers a token request. The caller holds s.mu.
func (s *Server) grant(form url.Values, fault Fault) (answer, *problem) {
	app, ok := s.client(form)
	if !ok {
		return answer{}, wrongClient()
	}
	var f *family
	var bad *problem
	switch kind := form.Get("grant_type"); kind {
	case "authorization_code":
		f, bad = s.redeem(app, form)
	case "refresh_token":
		f, bad = s.rotate(form.Get("refresh_token"), app.ClientID)
	case "":
		bad = &problem{http.StatusBadRequest, "invalid_request", "Missing required parameter: grant_type"}
	default:
		bad = &problem{http.StatusForbidden, "unauthorized_client", "Grant type '" + kind + "' not allowed for the client."}
	}
	if bad != nil {
		return answer{}, bad
	}
	scopes := f.scopes
	if fault.Kind == FewerScopes {
		scopes = fewer(scopes)
	}
	a := answer{
		AccessToken: s.newAccess(f, scopes), ExpiresIn: int(s.life / time.Second),
		Scope: strings.Join(scopes, " "), TokenType: "Bearer",
	}
	if slices.Contains(f.scopes, offline) {
		a.RefreshToken = s.newRefresh(f)
	}
	if fault.Kind == NoRefreshToken {
		a.RefreshToken = ""
	}
	return a, nil
}

// fewer leaves out all Confluence scopes but the first.
func fewer(scopes []string) []string {
	first := true
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool {
		keep := !ofConfluence(scope) || first
		first = first && !ofConfluence(scope)
		return !keep
	})
}

// redeem turns a code into a family. The caller holds s.mu.
func (s *Server) redeem(app App, form url.Values) (*family, *problem) {
	c, ok := s.codes[form.Get("code")]
	switch {
	case !ok, c.app.ClientID != app.ClientID, c.used, !time.Now().Before(c.expires):
		return nil, invalidGrant("Invalid authorization code")
	case form.Get("redirect_uri") != c.redirect:
		return nil, invalidGrant("The redirect URI is wrong.")
	case c.challenge != "" && !s.cfg.IgnorePKCE && !verifies(form.Get("code_verifier"), c.challenge):
		return nil, invalidGrant("Failed to verify code verifier")
	}
	c.used = true
	f := &family{app: app.ClientID, person: c.person, scopes: c.scopes, sites: c.sites, used: time.Now()}
	s.families = append(s.families, f)
	return f, nil
}

// verifies checks a verifier against an S256 challenge.
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	got := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}

// revoke is POST /oauth/revoke: undocumented, but advertised in discovery.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request) {
	form, ok := parameters(w, r)
	if !ok {
		send(w, http.StatusBadRequest, problem{Code: "invalid_request", Description: "Unable to parse the request body"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, ok := s.client(form)
	if !ok {
		send(w, http.StatusUnauthorized, wrongClient())
		return
	}
	if t, ok := s.refresh[form.Get("token")]; ok && t.family.app == app.ClientID {
		t.family.dead = true
	}
	w.WriteHeader(http.StatusOK) // also for a token that nobody knows
}

// send writes an answer as JSON.
func send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone: nothing to do
}
