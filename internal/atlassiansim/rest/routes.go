package rest

import (
	_ "embed"
	"html"
	"io"
	"net/http"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/reply"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/arrange"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/comments"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/content"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/files"
	labelling "github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/labels"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/people"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/permissions"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/properties"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/social"
	estate "github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/spaces"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/tasks"
)

const (
	v1 = "/wiki/rest/api"
	v2 = "/wiki/api/v2"

	// The families of scopes that more than one operation takes.
	readPage  = "read:page:confluence"
	writePage = "write:page:confluence"
	readSpace = "read:space:confluence"
	readUser  = "read:confluence-user read:content-details:confluence"
	search    = "search:confluence read:content-details:confluence"
)

func (a *API) routes() {
	a.handle("GET "+v2+"/pages", readPage, pages)
	a.handle("POST "+v2+"/pages", writePage, createPage)
	a.handle("GET "+v2+"/pages/{id}", readPage, page)
	a.handle("PUT "+v2+"/pages/{id}", writePage, updatePage)
	a.handle("DELETE "+v2+"/pages/{id}", "delete:page:confluence", deletePage)
	a.handle("PUT "+v2+"/pages/{id}/title", writePage, updateTitle)
	a.handle("GET "+v2+"/pages/{id}/versions", readPage, versions)
	a.handle("GET "+v2+"/pages/{id}/versions/{number}", readPage, version)
	a.handle("GET "+v2+"/pages/{id}/labels", readPage, labels)
	a.handle("GET "+v2+"/pages/{id}/ancestors", "read:content.metadata:confluence", ancestors)
	a.handle("GET "+v2+"/pages/{id}/direct-children", "read:hierarchical-content:confluence", children)
	a.handle("GET "+v2+"/blogposts", readPage, blogPosts)
	a.handle("POST "+v2+"/blogposts", writePage, createBlogPost)
	a.handle("GET "+v2+"/blogposts/{id}", readPage, blogPost)
	a.handle("PUT "+v2+"/blogposts/{id}", writePage, updatePage)
	a.handle("DELETE "+v2+"/blogposts/{id}", "delete:page:confluence", deletePage)
	a.handle("GET "+v2+"/blogposts/{id}/versions", readPage, versions)
	a.handle("GET "+v2+"/spaces", readSpace, spaces)
	a.handle("GET "+v2+"/spaces/{id}", readSpace, space)
	a.handle("GET "+v2+"/spaces/{id}/pages", readPage, pagesInSpace)
	a.handle("POST "+v2+"/users-bulk", "read:user:confluence", usersBulk)

	a.handle("GET "+v1+"/search", search, find)
	a.handle("GET "+v1+"/user/current", readUser, currentUser)
	a.handle("GET "+v1+"/user", readUser, user)

	arrange.Add(a.add)
	comments.Add(a.add)
	files.Add(a.add, a.cfg.Files)
	labelling.Add(a.add)
	people.Add(a.add)
	estate.Add(a.add)
	tasks.Add(a.add)
	properties.Add(a.add)
	permissions.Add(a.add)
	content.Add(a.add)
	social.Add(a.add)

	for _, line := range strings.Split(strings.TrimSpace(removed), "\n") {
		method, path, _ := strings.Cut(line, " ")
		a.mux.HandleFunc(method+" "+v1+path, gone)
	}
	a.mux.HandleFunc(v2+"/", func(w http.ResponseWriter, r *http.Request) {
		if a.known(r) {
			reply.V2(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED",
				"org.springframework.web.HttpRequestMethodNotSupportedException: Request method '"+r.Method+"' not supported")
			return
		}
		reply.V2(w, http.StatusNotFound, "NOT_FOUND", "Not Found")
	})
	a.mux.HandleFunc(v1+"/", unknownV1)
	for _, path := range []string{"/content/", "/space/"} {
		a.mux.HandleFunc(v1+path, func(w http.ResponseWriter, _ *http.Request) { reply.HTML(w, http.StatusNotFound, "404 Not Found") })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { reply.HTML(w, http.StatusNotFound, "404 Not Found") })
}

// known reports whether the path exists with another method.
func (a *API) known(r *http.Request) bool {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := a.mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			return true
		}
	}
	return false
}

// unknownV1 is what the older web framework says to a path it does not know.
func unknownV1(w http.ResponseWriter, r *http.Request) {
	text := "null for uri: https://" + r.Host + r.URL.Path
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		reply.JSON(w, http.StatusNotFound, map[string]any{"message": text, "status-code": http.StatusNotFound})
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?><status><status-code>404</status-code><message>`+html.EscapeString(text)+`</message></status>`) // the caller has gone: nothing to do
}

// gone answers for everything that was removed from v1.
func gone(w http.ResponseWriter, _ *http.Request) {
	reply.V1(w, http.StatusGone, "com.atlassian.confluence.api.service.exceptions.pagesmodes.GoneException: This deprecated endpoint has been removed.")
}

// removed lists what v1 no longer has for OAuth tokens. Atlassian's published
// description of v1 had these operations in 2024 and has them no longer.
//
//go:embed removed.txt
var removed string
