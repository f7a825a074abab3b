package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/media"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/reply"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

var inBody = regexp.MustCompile(`<ri:attachment[^>]* ri:filename="([^"]+)"`)

// files are the names of the attachments of a page: those that its body
// mentions. What is in them is made up.
func files(p wiki.Page) []string {
	var names []string
	for _, m := range inBody.FindAllStringSubmatch(p.Newest().Body, -1) {
		names = append(names, m[1])
	}
	return names
}

type attachmentJSON struct {
	ID           string      `json:"id"`
	Status       string      `json:"status"`
	Title        string      `json:"title"`
	CreatedAt    string      `json:"createdAt"`
	PageID       string      `json:"pageId"`
	MediaType    string      `json:"mediaType"`
	FileSize     int         `json:"fileSize"`
	FileID       string      `json:"fileId"`
	WebUILink    string      `json:"webuiLink"`
	DownloadLink string      `json:"downloadLink"`
	Version      versionJSON `json:"version"`
	Links        struct {
		WebUI    string `json:"webui"`
		Download string `json:"download"`
	} `json:"_links"`
}

func attachments(c *call) (any, error) {
	p, err := c.Page()
	if err != nil {
		return nil, err
	}
	type numbered struct {
		n    int
		name string
	}
	var all []numbered
	for i, name := range files(p) {
		if want := c.URL.Query().Get("filename"); want == "" || want == name {
			all = append(all, numbered{i, name})
		}
	}
	return op.Cut(&c.Call, all, func(f numbered) attachmentJSON {
		a := attachmentJSON{
			ID: attachmentID(p.ID, f.n), Status: "current", Title: f.name, CreatedAt: op.When(p.Created()), PageID: op.ID(p.ID),
			MediaType: media.Type(f.name), FileSize: len(media.Content(f.name)), FileID: fmt.Sprintf("sim-%d-%d", p.ID, f.n), Version: showVersion(p.Versions[0]),
			WebUILink:    "/pages/viewpageattachments.action?pageId=" + op.ID(p.ID),
			DownloadLink: "/download/attachments/" + op.ID(p.ID) + "/" + url.PathEscape(f.name) + "?version=1&api=v2",
		}
		a.Links.WebUI, a.Links.Download = a.WebUILink, a.DownloadLink
		return a
	})
}

func attachmentID(page int64, n int) string { return fmt.Sprintf("att%d%02d", page, n) }

// download sends the caller on to the media service. Without the scope it is
// a 401 as everywhere.
func (a *API) download(w http.ResponseWriter, r *http.Request) {
	c, ok := r.Context().Value(callKey{}).(*call)
	if !ok {
		panic("rest: a request that did not pass the gateway") // ServeHTTP is the only way in
	}
	c.Request = r
	if !c.access.Can("readonly:content.attachment:confluence", "read:attachment:confluence") {
		w.Header().Set("X-Failure-Category", "FAILURE_CLIENT_SCOPE_CHECK")
		reply.Gateway(w, http.StatusUnauthorized, "Unauthorized; scope does not match")
		return
	}
	p, err := c.Page()
	if err != nil {
		c.fail(w, err)
		return
	}
	for i, name := range files(p) {
		if attachmentID(p.ID, i) == c.PathValue("attachment") {
			w.Header().Set("Location", media.Address(r, name))
			w.WriteHeader(http.StatusFound)
			return
		}
	}
	c.fail(w, wiki.NotFound())
}
