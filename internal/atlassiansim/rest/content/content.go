// Package content has what stands in the tree of the simulated Confluence and is
// no page: folders, whiteboards, databases and embedded links. Only their
// outside is there, as in the real API.
package content

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/rest/op"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// kinds are the kinds of objects by the names of their paths.
func kinds() map[string]string {
	return map[string]string{"folders": "folder", "whiteboards": "whiteboard", "databases": "database", "embeds": "embed"}
}

// Add adds the operations.
func Add(add op.Add) {
	s := &store{links: map[int64]string{}}
	for plural, kind := range kinds() {
		o := objects{s, kind}
		path := op.V2 + "/" + plural
		add("POST "+path, "write:"+kind+":confluence", o.create)
		add("GET "+path+"/{id}", "read:"+kind+":confluence", o.get)
		add("DELETE "+path+"/{id}", "delete:"+kind+":confluence", o.remove)
		add("GET "+path+"/{id}/direct-children", "read:hierarchical-content:confluence", o.children)
		add("GET "+path+"/{id}/descendants", "read:hierarchical-content:confluence", o.descendants)
		add("GET "+path+"/{id}/ancestors", "read:content.metadata:confluence", o.ancestors)
	}
	add("POST "+op.V2+"/content/convert-ids-to-types", "read:content.metadata:confluence", convert)
}

// store keeps the addresses of embedded links.
type store struct {
	mu    sync.Mutex
	links map[int64]string // guarded by mu
}

// objects are those of one kind. They are kept as pages of another type.
type objects struct {
	*store
	kind string
}

type versionJSON struct {
	CreatedAt string `json:"createdAt"`
	Message   string `json:"message"`
	Number    int    `json:"number"`
	MinorEdit bool   `json:"minorEdit"`
	AuthorID  string `json:"authorId"`
}

type objectJSON struct {
	ID         string            `json:"id"`
	Type       string            `json:"type"`
	Status     string            `json:"status"`
	Title      string            `json:"title"`
	ParentID   string            `json:"parentId,omitempty"`
	ParentType string            `json:"parentType,omitempty"`
	Position   int               `json:"position"`
	AuthorID   string            `json:"authorId"`
	OwnerID    string            `json:"ownerId"`
	CreatedAt  string            `json:"createdAt"`
	EmbedURL   string            `json:"embedUrl,omitempty"`
	SpaceID    string            `json:"spaceId"`
	Version    versionJSON       `json:"version"`
	Links      map[string]string `json:"_links"`
}

func (o objects) show(c *op.Call, p wiki.Page) objectJSON {
	v := p.Newest()
	shown := objectJSON{
		ID: op.ID(p.ID), Type: p.Type, Status: p.Status, Title: v.Title, Position: p.Position, AuthorID: p.Author(), OwnerID: p.Author(),
		CreatedAt: op.When(p.Created()), SpaceID: op.ID(p.Space), Version: versionJSON{op.When(v.Created), v.Message, v.Number, false, v.Author},
		Links: map[string]string{
			"base":  c.Site.URL + "/wiki",
			"webui": "/spaces/" + url.PathEscape(c.Wiki.KeyOf(c.Cloud(), p.Space)) + "/" + p.Type + "/" + op.ID(p.ID),
		},
	}
	if p.Parent != 0 {
		shown.ParentID, shown.ParentType = op.ID(p.Parent), "page"
		if above, err := c.Wiki.Page(c.Cloud(), c.Who, p.Parent); err == nil {
			shown.ParentType = above.Type
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	shown.EmbedURL = o.links[p.ID]
	return shown
}

func (o objects) create(c *op.Call) (any, error) {
	var in struct {
		SpaceID  op.Flexible `json:"spaceId"`
		Title    string      `json:"title"`
		ParentID op.Flexible `json:"parentId"`
		EmbedURL string      `json:"embedUrl"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	space, err := op.Number("spaceId", string(in.SpaceID))
	if err != nil {
		return nil, err
	}
	draft := wiki.Draft{Space: space, Type: o.kind, Status: "current", Title: in.Title}
	if draft.Title == "" {
		draft.Title = "Untitled " + o.kind
	}
	if in.ParentID != "" {
		if draft.Parent, err = op.Number("parentId", string(in.ParentID)); err != nil {
			return nil, err
		}
	}
	p, err := c.Wiki.Create(c.Cloud(), c.Who, draft)
	if err != nil {
		return nil, err
	}
	if in.EmbedURL != "" {
		o.mu.Lock()
		o.links[p.ID] = in.EmbedURL
		o.mu.Unlock()
	}
	return o.show(c, p), nil
}

func (o objects) find(c *op.Call) (wiki.Page, error) {
	p, err := c.Page()
	if err == nil && p.Type != o.kind {
		err = wiki.NotFound()
	}
	return p, err
}

func (o objects) get(c *op.Call) (any, error) {
	p, err := o.find(c)
	if err != nil {
		return nil, err
	}
	return o.show(c, p), nil
}

func (o objects) remove(c *op.Call) (any, error) {
	p, err := o.find(c)
	if err != nil {
		return nil, err
	}
	return nil, c.Wiki.Delete(c.Cloud(), c.Who, p.ID, false)
}

type childJSON struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Title    string `json:"title"`
	Type     string `json:"type"`
	SpaceID  string `json:"spaceId"`
	Position int    `json:"childPosition"`
}

func (o objects) children(c *op.Call) (any, error) {
	p, err := o.find(c)
	if err != nil {
		return nil, err
	}
	all, err := c.Wiki.Children(c.Cloud(), c.Who, p.ID)
	if err != nil {
		return nil, err
	}
	return op.Cut(c, all, func(p wiki.Page) childJSON {
		return childJSON{op.ID(p.ID), p.Status, p.Newest().Title, p.Type, op.ID(p.Space), p.Position}
	})
}

type descendantJSON struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	Title    string `json:"title"`
	Type     string `json:"type"`
	ParentID string `json:"parentId"`
	Depth    int    `json:"depth"`
	Position int    `json:"childPosition"`
}

func (o objects) descendants(c *op.Call) (any, error) {
	p, err := o.find(c)
	if err != nil {
		return nil, err
	}
	most := 2
	if text := c.URL.Query().Get("depth"); text != "" {
		if most, err = strconv.Atoi(text); err != nil || most < 1 || most > 10 {
			return nil, op.BadParameter("depth", text)
		}
	}
	var all []descendantJSON
	var below func(id int64, depth int) error
	below = func(id int64, depth int) error {
		found, err := c.Wiki.Children(c.Cloud(), c.Who, id)
		for _, p := range found {
			all = append(all, descendantJSON{op.ID(p.ID), p.Status, p.Newest().Title, p.Type, op.ID(p.Parent), depth, p.Position})
			if depth < most {
				if err := below(p.ID, depth+1); err != nil {
					return err
				}
			}
		}
		return err
	}
	if err := below(p.ID, 1); err != nil {
		return nil, err
	}
	return op.Cut(c, all, func(d descendantJSON) descendantJSON { return d })
}

type ancestorJSON struct {
	ID   string `json:"id"`
	Type string `json:"type"`
}

func (o objects) ancestors(c *op.Call) (any, error) {
	p, err := o.find(c)
	if err != nil {
		return nil, err
	}
	all, err := c.Wiki.Ancestors(c.Cloud(), c.Who, p.ID)
	if err != nil {
		return nil, err
	}
	return op.Cut(c, all, func(p wiki.Page) ancestorJSON { return ancestorJSON{op.ID(p.ID), p.Type} })
}

// convert tells the types of ids; what is not there, or not for the caller, has
// none.
func convert(c *op.Call) (any, error) {
	var in struct {
		ContentIDs []op.Flexible `json:"contentIds"`
	}
	if err := c.Read(&in); err != nil {
		return nil, err
	}
	found := map[string]*string{}
	for _, id := range in.ContentIDs {
		found[string(id)] = nil
		n, err := op.Number("contentIds", string(id))
		if err != nil {
			continue
		}
		if p, err := c.Wiki.Page(c.Cloud(), c.Who, n); err == nil {
			kind := p.Type
			if slices.Contains([]string{"folder", "whiteboard", "database", "embed", "page", "blogpost"}, strings.ToLower(kind)) {
				found[string(id)] = &kind
			}
		}
	}
	return map[string]any{"results": found}, nil
}
