package atlassiansim

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/oauth"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/view"
)

func isAPIPath(path string) bool { return strings.HasPrefix(path, "/ex/confluence/") }

// asks reports whether a POST to a path changes nothing.
func asks(path string) bool {
	for _, question := range []string{"/users-bulk", "/permission/check", "/convert-ids-to-types"} {
		if strings.HasSuffix(path, question) {
			return true
		}
	}
	return false
}

// isSite reports whether a host is that of a site.
func (s *Sim) isSite(host string) bool {
	return slices.ContainsFunc(s.people.Sites(), func(site Site) bool {
		u, err := url.Parse(site.URL)
		return err == nil && u.Host == host && strings.HasSuffix(host, ".atlassian.net")
	})
}

// siteHost is a site's own address. Tokens of apps do not work there, however
// valid they are; people in a browser see the wiki.
func (s *Sim) siteHost(w http.ResponseWriter, r *http.Request) {
	if s.isPerson(r) {
		s.view(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/_edge/tenant_info" {
		sites := s.people.Sites()
		i := max(0, slices.IndexFunc(sites, func(site Site) bool { return strings.HasSuffix(site.URL, "//"+r.Host) }))
		if len(sites) > 0 {
			_, _ = w.Write([]byte(`{"cloudId":"` + sites[i].CloudID + `"}`)) // the caller has gone: nothing to do
			return
		}
	}
	w.Header().Set("WWW-Authenticate", `OAuth realm="`+url.QueryEscape("https://"+r.Host+"/wiki")+`"`)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"message":"Client must be authenticated to access this resource.","status-code":401}`)) // as above
}

// isPerson reports whether a browser asks for a page of the wiki.
func (s *Sim) isPerson(r *http.Request) bool {
	for _, api := range []string{"/wiki/rest/", "/wiki/api/"} {
		if strings.HasPrefix(r.URL.Path, api) {
			return false
		}
	}
	return r.Method == http.MethodGet && r.Header.Get("Authorization") == "" &&
		strings.HasPrefix(r.URL.Path, view.Prefix) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// view shows a page of the wiki to whoever is logged in.
func (s *Sim) view(w http.ResponseWriter, r *http.Request) {
	cloudID, ok := s.first()
	if !ok {
		http.NotFound(w, r)
		return
	}
	who, ok := s.oauth.SignedIn(r)
	if !ok {
		http.Redirect(w, r, oauth.LoginAddress(r.URL.RequestURI()), http.StatusFound)
		return
	}
	view.Site{Wiki: s.wiki, People: s.people, Cloud: cloudID, Who: who}.ServeHTTP(w, r)
}
