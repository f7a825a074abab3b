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
	"net/http"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
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
	opt    Options
	people *directory.Directory
}

// New returns a simulated Atlassian.
func New(opt Options) *Sim {
	return &Sim{opt: opt, people: directory.New(opt.People, opt.Sites)}
}

// ServeHTTP implements http.Handler.
func (s *Sim) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "not built yet", http.StatusNotImplemented)
}

// SiteURL is the address of a site's own host, "" if there is no such site.
func (s *Sim) SiteURL(name string) string {
	site, _ := s.people.Site(name)
	return site.URL
}

// Page is a page of the wiki, for tests.
type Page struct {
	ID, Space, Title, Status string
	Version                  int
	Body                     string // storage format
}

// AnyPage returns a page of a space that everybody may read; always the same.
func (s *Sim) AnyPage(string) Page { return Page{} }

// PageByTitle finds a current page.
func (s *Sim) PageByTitle(string, string) (Page, bool) { return Page{}, false }

// CountPages counts the current pages with a title in a space.
func (s *Sim) CountPages(string, string) int { return 0 }

// CreatePages adds n pages for load to a space.
func (s *Sim) CreatePages(string, int) []Page { return nil }

// MintToken gives a person a grant of the first app without a browser.
func (s *Sim) MintToken(string, []string) (string, string) { return "", "" }

// AddPerson adds a person to the company.
func (s *Sim) AddPerson(p Person) Person { return s.people.AddPerson(p) }

// Secrets lists every token, code and verifier seen or handed out so far.
func (s *Sim) Secrets() []string { return nil }

// Request is an entry of the journal.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	Query  string
	Auth   bool // an Authorization header was there
	Status int  // 0 if the answer was dropped
	Body   string
}

// Requests lists all requests.
func (s *Sim) Requests() []Request { return nil }

// TokenRequests lists the requests to the token endpoint.
func (s *Sim) TokenRequests() []Request { return nil }

// Writes lists the requests that changed the wiki, or tried to.
func (s *Sim) Writes() []Request { return nil }

// FailNext answers the next n API requests with status and body.
func (s *Sim) FailNext(int, int, string) {}

// Exchange is one request to the API and its answer.
type Exchange struct {
	Request *http.Request // its body has been read
	Body    []byte
	Status  int
	Answer  []byte
}
