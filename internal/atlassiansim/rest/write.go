package rest

import (
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// written is the body of a request that creates or changes a page.
type written struct {
	ID       op.Flexible `json:"id"`
	SpaceID  op.Flexible `json:"spaceId"`
	Status   string      `json:"status"`
	Title    *string     `json:"title"`
	ParentID op.Flexible `json:"parentId"`
	Subtype  string      `json:"subtype"`
	Body     *struct {
		op.Body
		Storage *op.Body `json:"storage"`
	} `json:"body"`
	Version *struct {
		Number  *int   `json:"number"`
		Message string `json:"message"`
	} `json:"version"`
}

// read decodes and checks what creating and changing have in common.
func (c *call) read(changing bool) (written, error) {
	var in written
	if err := c.Read(&in); err != nil {
		return in, err
	}
	if in.Body != nil && in.Body.Storage != nil {
		in.Body.Body = *in.Body.Storage
	}
	switch {
	case in.Status == "" && !changing:
		in.Status = "current"
	case in.Status != "current" && in.Status != "draft":
		return in, wiki.Bad("Provided value {" + in.Status + "} for 'status' is not allowed")
	}
	if in.Title == nil && in.Status == "draft" && !changing {
		in.Title = new(string)
	}
	switch {
	case in.Title == nil:
		return in, wiki.Bad("'title' must not be null")
	case in.Body == nil && changing:
		return in, wiki.Bad("'body' must not be null")
	case in.Body != nil && in.Body.Representation != "storage":
		return in, wiki.Bad("Representation {" + in.Body.Representation + "} is not simulated")
	}
	return in, nil
}

func (in written) text() string {
	if in.Body == nil {
		return ""
	}
	return in.Body.Value
}

// optional reads an id that may be missing.
func optional(name string, text op.Flexible) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return op.Number(name, string(text))
}

func createPage(c *call) (any, error)     { return create(c, "page") }
func createBlogPost(c *call) (any, error) { return create(c, "blogpost") }

func create(c *call, kind string) (any, error) {
	in, err := c.read(false)
	if err != nil {
		return nil, err
	}
	space, err := op.Number("spaceId", string(in.SpaceID))
	if err != nil {
		return nil, err
	}
	parent, err := optional("parentId", in.ParentID)
	if err != nil {
		return nil, err
	}
	draft := wiki.Draft{
		Space: space, Parent: parent, Root: c.URL.Query().Get("root-level") == "true",
		Type: kind, Status: in.Status, Title: *in.Title, Body: in.text(),
	}
	if in.Subtype != "" && (in.Subtype != "live" || kind != "page") {
		return nil, wiki.Bad("Provided value {" + in.Subtype + "} for 'subtype' is not allowed")
	}
	draft.Live = in.Subtype == "live"
	if c.URL.Query().Get("private") == "true" {
		draft.VisibleTo = []string{c.Who.Name}
	}
	p, err := c.Wiki.Create(c.Site.CloudID, c.Who, draft)
	return c.changed(p, err)
}

func updatePage(c *call) (any, error) {
	in, err := c.read(true)
	if err != nil {
		return nil, err
	}
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	if string(in.ID) != strconv.FormatInt(n, 10) {
		return nil, wiki.Bad("The id in the body must be the id in the path")
	}
	if in.Version == nil || in.Version.Number == nil || *in.Version.Number < 1 {
		return nil, wiki.Bad("'version.number' must not be null")
	}
	parent, err := optional("parentId", in.ParentID)
	if err != nil {
		return nil, err
	}
	p, err := c.Wiki.Update(c.Site.CloudID, c.Who, wiki.Edit{
		ID: n, Status: in.Status, Title: *in.Title, Body: in.text(), Message: in.Version.Message,
		Number: *in.Version.Number, Parent: parent,
	})
	return c.changed(p, err)
}

// updateTitle is the only way to change a page without resending its body.
func updateTitle(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	var in struct {
		Status string  `json:"status"`
		Title  *string `json:"title"`
	}
	if err := c.Read(&in); err != nil || in.Title == nil || in.Status == "" {
		return nil, wiki.Bad("'status' and 'title' must not be null")
	}
	p, err := c.Wiki.Update(c.Site.CloudID, c.Who, wiki.Edit{ID: n, Status: in.Status, Title: *in.Title, KeepBody: true})
	return c.changed(p, err)
}

// changed is the answer to a write: the page with its body.
func (c *call) changed(p wiki.Page, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	answer := c.showPage(p, p.Newest(), "storage")
	answer.Links.Base = c.Site.URL + "/wiki"
	return answer, nil
}

func deletePage(c *call) (any, error) {
	n, err := c.Number("id")
	if err != nil {
		return nil, err
	}
	return nil, c.Wiki.Delete(c.Site.CloudID, c.Who, n, c.URL.Query().Get("purge") == "true")
}
