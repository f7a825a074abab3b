package rest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// flexible is an id that callers write as a string or as a number.
type flexible string

// UnmarshalJSON reads a string or a number.
func (f *flexible) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*f = flexible(text)
		return nil
	}
	var n json.Number
	err := json.Unmarshal(data, &n)
	*f = flexible(n)
	return err
}

// written is the body of a request that creates or changes a page.
type written struct {
	ID       flexible `json:"id"`
	SpaceID  flexible `json:"spaceId"`
	Status   string   `json:"status"`
	Title    *string  `json:"title"`
	ParentID flexible `json:"parentId"`
	Body     *struct {
		bodyJSON
		Storage *bodyJSON `json:"storage"`
	} `json:"body"`
	Version *struct {
		Number  *int   `json:"number"`
		Message string `json:"message"`
	} `json:"version"`
}

// maxRequest is above wiki.MaxBody, since a body grows when it is escaped.
const maxRequest = 3 * wiki.MaxBody

// read decodes and checks what creating and changing have in common.
func (c *call) read(changing bool) (written, error) {
	var in written
	data, err := io.ReadAll(io.LimitReader(c.Body, maxRequest+1))
	if err != nil || len(data) > maxRequest {
		return in, &wiki.Error{Status: http.StatusRequestEntityTooLarge, Code: "REQUEST_ENTITY_TOO_LARGE", Title: "request is too large in size (over 5 MB)"}
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return in, wiki.Bad("JSON parse error")
	}
	if in.Body != nil && in.Body.Storage != nil {
		in.Body.bodyJSON = *in.Body.Storage
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
func optional(name string, text flexible) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return number(name, string(text))
}

func createPage(c *call) (any, error) {
	in, err := c.read(false)
	if err != nil {
		return nil, err
	}
	space, err := number("spaceId", string(in.SpaceID))
	if err != nil {
		return nil, err
	}
	parent, err := optional("parentId", in.ParentID)
	if err != nil {
		return nil, err
	}
	draft := wiki.Draft{
		Space: space, Parent: parent, Root: c.URL.Query().Get("root-level") == "true",
		Status: in.Status, Title: *in.Title, Body: in.text(),
	}
	if c.URL.Query().Get("private") == "true" {
		draft.VisibleTo = []string{c.who().Name}
	}
	p, err := c.api.cfg.Wiki.Create(c.site.CloudID, c.who(), draft)
	return c.changed(p, err)
}

func updatePage(c *call) (any, error) {
	in, err := c.read(true)
	if err != nil {
		return nil, err
	}
	n, err := c.number("id")
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
	p, err := c.api.cfg.Wiki.Update(c.site.CloudID, c.who(), wiki.Edit{
		ID: n, Status: in.Status, Title: *in.Title, Body: in.text(), Message: in.Version.Message,
		Number: *in.Version.Number, Parent: parent,
	})
	return c.changed(p, err)
}

// updateTitle is the only way to change a page without resending its body.
func updateTitle(c *call) (any, error) {
	n, err := c.number("id")
	if err != nil {
		return nil, err
	}
	var in struct {
		Status string  `json:"status"`
		Title  *string `json:"title"`
	}
	if err := json.NewDecoder(io.LimitReader(c.Body, maxRequest)).Decode(&in); err != nil || in.Title == nil || in.Status == "" {
		return nil, wiki.Bad("'status' and 'title' must not be null")
	}
	p, err := c.api.cfg.Wiki.Update(c.site.CloudID, c.who(), wiki.Edit{ID: n, Status: in.Status, Title: *in.Title, KeepBody: true})
	return c.changed(p, err)
}

// changed is the answer to a write: the page with its body.
func (c *call) changed(p wiki.Page, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	answer := c.showPage(p, p.Newest(), "storage")
	answer.Links.Base = c.site.URL + "/wiki"
	return answer, nil
}

func deletePage(c *call) (any, error) {
	n, err := c.number("id")
	if err != nil {
		return nil, err
	}
	return nil, c.api.cfg.Wiki.Delete(c.site.CloudID, c.who(), n, c.URL.Query().Get("purge") == "true")
}
