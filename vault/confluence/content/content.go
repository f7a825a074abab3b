// Package content asks Confluence for what stands in its tree and is no page:
// folders, whiteboards, databases and embedded links. The API has their outside
// only: no canvas, no rows, and nothing to change but to create and to delete.
package content

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Kind is a kind of objects.
type Kind string

// The kinds.
const (
	Folder     Kind = "folder"
	Whiteboard Kind = "whiteboard"
	Database   Kind = "database"
	Embed      Kind = "embed"
)

// Kinds lists them.
func Kinds() []Kind { return []Kind{Folder, Whiteboard, Database, Embed} }

// Object is a folder, whiteboard, database or embedded link.
type Object struct {
	Kind                 Kind
	ID, Title, Status    string
	SpaceID              string
	ParentID, ParentType string
	AuthorID             string
	Created              time.Time
	Version              int
	EmbedURL             string // of an embedded link
	Path                 string // on the site, below /wiki; "" if unknown
}

type objectJSON struct {
	ID         confluence.ID `json:"id"`
	Status     string        `json:"status"`
	Title      string        `json:"title"`
	SpaceID    confluence.ID `json:"spaceId"`
	ParentID   confluence.ID `json:"parentId"`
	ParentType string        `json:"parentType"`
	AuthorID   string        `json:"authorId"`
	CreatedAt  time.Time     `json:"createdAt"`
	EmbedURL   string        `json:"embedUrl"`
	Version    struct {
		Number int `json:"number"`
	} `json:"version"`
	Links confluence.Links `json:"_links"`
}

func (o objectJSON) object(kind Kind) (Object, error) {
	if !confluence.ValidPageID(string(o.ID)) || o.SpaceID == "" {
		return Object{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return Object{
		Kind: kind, ID: string(o.ID), Title: o.Title, Status: o.Status, SpaceID: string(o.SpaceID), ParentID: string(o.ParentID),
		ParentType: o.ParentType, AuthorID: o.AuthorID, Created: o.CreatedAt, Version: o.Version.Number, EmbedURL: o.EmbedURL,
		Path: confluence.SitePath(o.Links.WebUI),
	}, nil
}

// path is where an object is.
func path(kind Kind, id string) (string, error) {
	if !confluence.ValidPageID(id) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return "/api/v2/" + string(kind) + "s/" + id, nil
}

// Get returns an object.
func Get(ctx context.Context, c *confluence.Client, kind Kind, id string) (Object, error) {
	at, err := path(kind, id)
	if err != nil {
		return Object{}, err
	}
	var answer objectJSON
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: at}, &answer); err != nil {
		return Object{}, err
	}
	return answer.object(kind)
}

// KindOf returns what an id is of, such as page or whiteboard; "" if there is
// nothing that the bearer sees.
func KindOf(ctx context.Context, c *confluence.Client, id string) (string, error) {
	if !confluence.ValidPageID(id) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer struct {
		Results map[string]*string `json:"results"`
	}
	r := confluence.Request{Method: http.MethodPost, Path: "/api/v2/content/convert-ids-to-types", Body: map[string]any{"contentIds": []string{id}}}
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return "", err
	}
	if kind := answer.Results[id]; kind != nil {
		return *kind, nil
	}
	return "", nil
}

// Node is something above or below an object.
type Node struct {
	ID, Type, Title, ParentID string
	Depth                     int    // below: 1 for a child
	SpaceID                   string // "" where the answer does not say
}

type nodeJSON struct {
	ID       confluence.ID `json:"id"`
	Type     string        `json:"type"`
	Title    string        `json:"title"`
	ParentID confluence.ID `json:"parentId"`
	SpaceID  confluence.ID `json:"spaceId"`
	Depth    int           `json:"depth"`
}

func nodes(found []nodeJSON) []Node {
	all := make([]Node, len(found))
	for i, n := range found {
		all[i] = Node{string(n.ID), n.Type, n.Title, string(n.ParentID), n.Depth, string(n.SpaceID)}
	}
	return all
}

// Tree says what of the tree below an object is wanted.
type Tree struct {
	Depth, Limit int
	Cursor       string
}

// Below returns a part of what stands below an object or, with the kind page, a
// page, and the cursor of the next part.
func Below(ctx context.Context, c *confluence.Client, kind Kind, id string, t Tree) ([]Node, string, error) {
	at, err := path(kind, id)
	if err != nil {
		return nil, "", err
	}
	query := url.Values{"depth": {strconv.Itoa(t.Depth)}, "limit": {strconv.Itoa(t.Limit)}}
	if t.Cursor != "" {
		query.Set("cursor", t.Cursor)
	}
	found, next, err := confluence.List[nodeJSON](ctx, c, at+"/descendants", query)
	return nodes(found), next, err
}

// Above returns what stands above an object, the highest first.
func Above(ctx context.Context, c *confluence.Client, kind Kind, id string) ([]Node, error) {
	at, err := path(kind, id)
	if err != nil {
		return nil, err
	}
	found, _, err := confluence.List[nodeJSON](ctx, c, at+"/ancestors", url.Values{"limit": {"250"}})
	return nodes(found), err
}

// New is an object to be created. Without Parent it stands at the top of the
// space.
type New struct {
	Kind                     Kind
	SpaceID, ParentID, Title string
	EmbedURL                 string // of an embedded link
	Template                 string // of a whiteboard; Confluence's key
}

// Create creates an object. Confluence takes any number of the same title.
func Create(ctx context.Context, c *confluence.Client, n New) (Object, error) {
	body := map[string]any{"spaceId": n.SpaceID, "title": n.Title}
	for name, value := range map[string]string{"parentId": n.ParentID, "embedUrl": n.EmbedURL, "templateKey": n.Template} {
		if value != "" {
			body[name] = value
		}
	}
	var answer objectJSON
	if _, err := c.Do(ctx, confluence.Request{Method: http.MethodPost, Path: "/api/v2/" + string(n.Kind) + "s", Body: body}, &answer); err != nil {
		return Object{}, err
	}
	made, err := answer.object(n.Kind)
	if err != nil {
		return Object{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return made, nil
}

// Delete puts an object into the trash.
func Delete(ctx context.Context, c *confluence.Client, kind Kind, id string) error {
	at, err := path(kind, id)
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: at}, nil)
	return err
}
