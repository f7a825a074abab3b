// Package oauth is the simulated Atlassian's authorization server for OAuth
// 2.0 (3LO) apps: login, consent, codes, rotating refresh tokens, and the two
// questions "who is this" and "which sites".
//
// Where the real server contradicts its documentation, this one does what was
// measured.
package oauth

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
)

// App is an OAuth 2.0 (3LO) app as registered in the developer console.
type App struct {
	ClientID string
	Secret   string
	Name     string // shown on the consent page
	Callback string // the exact redirect_uri
	// Scopes enabled on the app; nil enables all that exist.
	Scopes []string
}

// Config says how a [Server] behaves. All fields are required unless their
// comment gives a default.
type Config struct {
	Directory *directory.Directory
	Apps      []App
	// Canary is contained in every token and code.
	Canary string
	// AccessLife, CodeLife, Leeway and Inactivity are the times after which an
	// access token, a code, a rotated and an unused refresh token end.
	AccessLife, CodeLife, Leeway, Inactivity time.Duration
	// IgnorePKCE leaves the code verifier unchecked. Default false.
	IgnorePKCE bool
}

// Access is what an access token allows.
type Access struct {
	Person  directory.Person
	App     string // client id
	Scopes  []string
	Sites   []string // cloud ids
	Expires time.Time
}

// Can reports whether the token has one of the scopes.
func (a Access) Can(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return slices.Contains(a.Scopes, s) })
}

// Server is the authorization server. Its methods may be called from several
// goroutines.
type Server struct {
	cfg Config

	mu       sync.Mutex
	logins   map[string]string       // guarded by mu; browser cookie to person
	pending  map[string]request      // guarded by mu; consent page to what it asks
	codes    map[string]*code        // guarded by mu
	families []*family               // guarded by mu
	refresh  map[string]*refreshing  // guarded by mu
	access   map[string]*accessToken // guarded by mu
	seen     []string                // guarded by mu; every secret so far
	faults   []Fault                 // guarded by mu; for the next token answers
	deny     bool                    // guarded by mu
	life     time.Duration           // guarded by mu; of new access tokens
	leeway   time.Duration           // guarded by mu
}

// request is what an app asks at the authorize endpoint.
type request struct {
	app                     App
	person, redirect, state string
	challenge               string
	scopes                  []string
}

// code is an authorization code.
type code struct {
	request
	sites   []string
	expires time.Time
	used    bool
}

// family is all tokens that came from one consent.
type family struct {
	app, person string
	scopes      []string
	sites       []string
	used        time.Time // last rotation
	dead        bool
}

type refreshing struct {
	family  *family
	rotated time.Time // zero while it is the current one
}

type accessToken struct {
	family  *family
	scopes  []string
	expires time.Time
}

// New returns a server without any grant.
func New(cfg Config) *Server {
	return &Server{
		cfg: cfg, life: cfg.AccessLife, leeway: cfg.Leeway,
		logins: map[string]string{}, pending: map[string]request{}, codes: map[string]*code{},
		refresh: map[string]*refreshing{}, access: map[string]*accessToken{},
	}
}

// Register adds the server's endpoints to mux.
func (s *Server) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /consent", s.consent)
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("POST /oauth/revoke", s.revoke)
	mux.HandleFunc("GET /oauth/token/accessible-resources", s.resources)
	mux.HandleFunc("GET /me", s.me)
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
}

// app finds an app by its client id.
func (s *Server) app(id string) (App, bool) {
	i := slices.IndexFunc(s.cfg.Apps, func(a App) bool { return a.ClientID == id })
	if i < 0 {
		return App{}, false
	}
	return s.cfg.Apps[i], true
}

// Check finds what an access token allows; false if it is unknown, expired or
// taken back.
func (s *Server) Check(token string) (Access, bool) {
	s.mu.Lock()
	t, ok := s.access[token]
	if !ok || t.family.dead || !time.Now().Before(t.expires) {
		s.mu.Unlock()
		return Access{}, false
	}
	a := Access{App: t.family.app, Scopes: t.scopes, Sites: t.family.sites, Expires: t.expires}
	person := t.family.person
	s.mu.Unlock()
	a.Person, ok = s.cfg.Directory.Person(person)
	return a, ok
}

// Mint gives a person a grant of an app without a browser.
func (s *Server) Mint(clientID, person string, scopes []string) (access, refresh string, ok bool) {
	app, known := s.app(clientID)
	p, exists := s.cfg.Directory.Person(person)
	if !known || !exists {
		return "", "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &family{app: app.ClientID, person: p.Name, scopes: slices.Clone(scopes), sites: s.sitesOf(p.Name), used: time.Now()}
	s.families = append(s.families, f)
	access = s.newAccess(f, f.scopes)
	if slices.Contains(scopes, offline) {
		refresh = s.newRefresh(f)
	}
	return access, refresh, true
}

// sitesOf lists the cloud ids of the sites to which a person has access.
func (s *Server) sitesOf(person string) []string {
	var ids []string
	for _, site := range s.cfg.Directory.Sites() {
		if site.Has(person) {
			ids = append(ids, site.CloudID)
		}
	}
	return ids
}

// Secrets lists every token, code and verifier handed out or seen.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}
