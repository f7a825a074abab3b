// Package atlassiansim is a faithful Atlassian on one HTTP handler: the
// authorization server (auth.atlassian.com), the API gateway
// (api.atlassian.com) and Confluence Cloud behind it, seeded with the small
// wiki of a small company. It hurts where the real one hurts: refresh tokens
// rotate, a missing scope is a 401, a removed endpoint a 410, a page one may
// not see a 404, links to the next page have two forms, the search index lags.
//
// Demo, bench and tests run against it. State survives nothing. Faults are set
// at run time through methods of [Sim], or over HTTP if [Options.Control] is
// set.
package atlassiansim

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/oauth"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/seed"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Person is somebody with an Atlassian account.
type Person = directory.Person

// Site is one Confluence Cloud site.
type Site = directory.Site

// App is an OAuth 2.0 (3LO) app as registered in the developer console.
type App struct {
	ClientID string
	Secret   string
	Name     string // shown on the consent page
	Callback string // exact redirect_uri
	// Scopes enabled on the app; nil enables all that exist.
	Scopes []string
}

// Options say how a [Sim] behaves from the start. The zero value is Atlassian
// as it is, with nobody's app registered.
type Options struct {
	Apps []App
	// People and Sites replace the seeded company if not nil.
	People []Person
	Sites  []Site
	// Empty leaves out the seeded spaces and pages.
	Empty bool

	// Canary is contained in every access token, refresh token and code.
	// Letters, digits, - and _ only. Default "SIMCANARY".
	Canary string
	// AccessTokenLife is what tokens live; default 1 h.
	AccessTokenLife time.Duration
	// CodeLife is what authorization codes live; default 10 min.
	CodeLife time.Duration
	// Leeway is how long a rotated refresh token still works; default 10 min.
	Leeway time.Duration
	// Inactivity is how long an unused refresh token lives; default 90 days.
	Inactivity time.Duration
	// IgnorePKCE leaves the code verifier unchecked.
	IgnorePKCE bool

	// Latency is waited before each answer of the token endpoint and the API.
	Latency time.Duration
	// IndexLag is how far CQL search is behind the wiki.
	IndexLag time.Duration

	// MaxFile is how large an attachment may be, in bytes; default any size.
	MaxFile int64

	// Control serves POST /_sim/… .
	Control bool
	// NoJournal turns off Requests, TokenRequests and Writes.
	NoJournal bool
	// Record is called after each exchange with the API; it may be nil.
	Record func(Exchange)
}

// Sim is a simulated Atlassian. Its methods may be called from several
// goroutines.
type Sim struct {
	opt     Options
	people  *directory.Directory
	wiki    *wiki.Wiki
	oauth   *oauth.Server
	auth    *http.ServeMux
	api     *rest.API
	journal journal
	files   *media.Store

	latency, lag atomic.Int64 // of type time.Duration
	faults       faults
}

// New returns a simulated Atlassian.
func New(opt Options) *Sim {
	opt = opt.filled()
	s := &Sim{opt: opt, people: directory.New(opt.People, opt.Sites), auth: http.NewServeMux()}
	s.wiki = wiki.New(s.people.Sites())
	s.files = &media.Store{Limit: opt.MaxFile}
	apps := make([]oauth.App, len(opt.Apps))
	for i, a := range opt.Apps {
		apps[i] = oauth.App(a)
	}
	s.oauth = oauth.New(oauth.Config{
		Directory: s.people, Apps: apps, Canary: opt.Canary, AccessLife: opt.AccessTokenLife, CodeLife: opt.CodeLife,
		Leeway: opt.Leeway, Inactivity: opt.Inactivity, IgnorePKCE: opt.IgnorePKCE,
	})
	s.oauth.Register(s.auth)
	s.SetLatency(opt.Latency)
	s.SetIndexLag(opt.IndexLag)
	s.api = rest.New(rest.Config{
		Wiki: s.wiki, People: s.people, Check: s.oauth.Check,
		Lag: func() time.Duration { return time.Duration(s.lag.Load()) }, Files: s.files,
	})
	if sites := s.people.Sites(); !opt.Empty && len(sites) > 0 {
		seed.Fill(s.wiki, s.people, sites[0].CloudID)
	}
	return s
}

func (o Options) filled() Options {
	if o.People == nil {
		o.People = seed.People()
	}
	if o.Sites == nil {
		o.Sites = []Site{{Name: "acme"}}
	}
	o.Canary = cmp.Or(o.Canary, "SIMCANARY")
	o.AccessTokenLife = cmp.Or(o.AccessTokenLife, time.Hour)
	o.CodeLife = cmp.Or(o.CodeLife, 10*time.Minute)
	o.Leeway = cmp.Or(o.Leeway, 10*time.Minute)
	o.Inactivity = cmp.Or(o.Inactivity, 90*24*time.Hour)
	return o
}

// ServeHTTP implements http.Handler.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, controlPrefix):
		s.control(w, r)
	case strings.HasPrefix(path, media.Prefix):
		s.files.ServeHTTP(w, r)
	case strings.HasPrefix(path, "/wiki/") || strings.HasPrefix(path, "/_edge/") || s.isSite(r.Host):
		s.journal.note(s, w, r, s.siteHost)
	case s.opt.NoJournal && s.opt.Record == nil:
		s.answer(w, r)
	default:
		s.journal.note(s, w, r, s.answer)
	}
}

// answer is the gateway and the authorization server.
func (s *Sim) answer(w http.ResponseWriter, r *http.Request) {
	api := isAPI(r)
	if api || r.URL.Path == tokenPath {
		if !pause(r.Context(), time.Duration(s.latency.Load())) {
			return
		}
	}
	switch {
	case api:
		s.faults.around(w, r, s.api)
	default:
		s.auth.ServeHTTP(w, r)
	}
}

const tokenPath = "/oauth/token"

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, rest.Prefix) }

func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// SetLatency changes how long is waited before each answer of the token
// endpoint and the API.
func (s *Sim) SetLatency(d time.Duration) { s.latency.Store(int64(d)) }

// SetIndexLag changes how far CQL search is behind the wiki.
func (s *Sim) SetIndexLag(d time.Duration) { s.lag.Store(int64(d)) }
