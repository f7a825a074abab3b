// Package rest is Confluence Cloud's REST API as it looks through the API
// gateway: v2, what is left of v1, and 410 for the rest. It checks tokens and
// scopes as the gateway does and answers errors in the shapes that were
// measured, which are several.
package rest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/oauth"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/reply"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Prefix is the path below which the gateway serves sites by their cloud id.
const Prefix = "/ex/confluence/"

// Config says what is served. All fields are required.
type Config struct {
	Wiki   *wiki.Wiki
	People *directory.Directory
	// Check finds what an access token allows.
	Check func(token string) (oauth.Access, bool)
	// Lag is how far the search index is behind.
	Lag func() time.Duration
	// Files are the attachments that were uploaded.
	Files *media.Store
}

// API is the gateway with Confluence behind it. It may be used from several
// goroutines.
type API struct {
	cfg Config
	mux *http.ServeMux
}

// New returns an API.
func New(cfg Config) *API {
	a := &API{cfg: cfg, mux: http.NewServeMux()}
	a.routes()
	return a
}

// call is one request that passed the gateway.
type call struct {
	op.Call
	api    *API
	access oauth.Access
}

// callKey is where a request's context keeps its call.
type callKey struct{}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	reply.Trace(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		// The edge refuses PATCH before anybody looks at the token.
		reply.HTML(w, http.StatusMethodNotAllowed, "405 Method Not Allowed")
		return
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	access, ok := a.cfg.Check(token)
	if !ok {
		reply.Gateway(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	cloudID, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	site, ok := a.cfg.Wiki.Site(cloudID)
	if !ok {
		reply.Gateway(w, http.StatusNotFound, "No message available")
		return
	}
	if !has(access, site) {
		reply.NotPermitted(w)
		return
	}
	c := &call{Call: op.Call{Wiki: a.cfg.Wiki, People: a.cfg.People, Who: access.Person, Site: site}, api: a, access: access}
	inner := r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	inner.URL = &url.URL{Path: "/" + path, RawQuery: r.URL.RawQuery}
	a.mux.ServeHTTP(w, inner)
}

// has reports whether a token reaches a site and its person may use it.
func has(access oauth.Access, site directory.Site) bool {
	if access.Person.NoLicence || !site.Has(access.Person.Name) {
		return false
	}
	for _, id := range access.Sites {
		if id == site.CloudID {
			return true
		}
	}
	return false
}

// operation answers a call. Its error is a [wiki.Error]; nil, nil is 204.
type operation func(*call) (any, error)

// handle adds an operation. The token needs one of the scopes.
func (a *API) handle(pattern, scopes string, do operation) {
	anyOf := strings.Fields(scopes)
	a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(callKey{}).(*call)
		if !ok {
			panic("rest: a request that did not pass the gateway") // ServeHTTP is the only way in
		}
		c.Request = r
		if !c.access.Can(anyOf...) {
			w.Header().Set("X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK")
			reply.Gateway(w, http.StatusUnauthorized, "Unauthorized; scope does not match")
			return
		}
		body, err := do(c)
		switch {
		case err != nil:
			c.fail(w, err)
		case body == nil:
			w.WriteHeader(http.StatusNoContent)
		default:
			if to, ok := body.(op.Redirect); ok {
				w.Header().Set("Location", string(to))
				w.WriteHeader(http.StatusFound)
				return
			}
			if linked, ok := body.(linker); ok {
				linked.Header(w.Header())
			}
			status := http.StatusOK
			if other, ok := body.(op.Answer); ok {
				status, body = other.Status, other.Body
			}
			reply.JSON(w, status, body)
		}
	})
}

// linker is an answer that also has a Link header.
type linker interface{ Header(http.Header) }

// add is [API.handle] for the packages below this one.
func (a *API) add(pattern, scopes string, do op.Func) {
	a.handle(pattern, scopes, func(c *call) (any, error) { return do(&c.Call) })
}
