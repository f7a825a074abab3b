// Package spaces speaks about spaces beside finding one: lists by what they are,
// a space with its description, new ones, and who may what in one.
package spaces

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Space is a space. Description and Labels are only there if it was asked for
// alone.
type Space struct {
	ID, Key, Name, Type, Status string
	Author                      string // account id
	HomeID                      string
	Path                        string // on the site, below /wiki
	Description                 string // plain text
	Labels                      []string
}

type spaceJSON struct {
	ID         confluence.ID    `json:"id"`
	Key        string           `json:"key"`
	Name       string           `json:"name"`
	Type       string           `json:"type"`
	Status     string           `json:"status"`
	AuthorID   string           `json:"authorId"`
	HomepageID confluence.ID    `json:"homepageId"`
	Links      confluence.Links `json:"_links"`
	Expandable struct {
		Home string `json:"homepage"` // v1: /rest/api/content/123
	} `json:"_expandable"`
	Description struct {
		Plain struct {
			Value string `json:"value"`
		} `json:"plain"`
	} `json:"description"`
	Labels struct {
		Results []struct {
			Name string `json:"name"`
		} `json:"results"`
	} `json:"labels"`
}

func (s spaceJSON) space() (Space, error) {
	if s.ID == "" || s.Key == "" {
		return Space{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	out := Space{
		ID: string(s.ID), Key: s.Key, Name: s.Name, Type: s.Type, Status: s.Status, Author: s.AuthorID, HomeID: string(s.HomepageID),
		Path: confluence.SitePath(s.Links.WebUI), Description: s.Description.Plain.Value,
	}
	if out.HomeID == "" {
		if _, id, found := strings.Cut(s.Expandable.Home, "/content/"); found && confluence.ValidPageID(id) {
			out.HomeID = id
		}
	}
	for _, l := range s.Labels.Results {
		out.Labels = append(out.Labels, l.Name)
	}
	return out, nil
}

// Filter narrows a list of spaces. The zero Filter is all that are not archived.
type Filter struct {
	Type, Status string // "" is any type, and status current
	Labels       []string
	FavouriteOf  string // account id
	Limit        int
	Cursor       string
}

const path = "/api/v2/spaces"

// List returns one part of the spaces that the bearer sees, and the cursor to go
// on, "" at the end.
func List(ctx context.Context, c *confluence.Client, f Filter) ([]Space, string, error) {
	query := url.Values{"limit": {strconv.Itoa(f.Limit)}, "status": {"current"}}
	for name, value := range map[string]string{"type": f.Type, "status": f.Status, "favorited-by": f.FavouriteOf, "cursor": f.Cursor} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(f.Labels) > 0 {
		query["labels"] = f.Labels
	}
	found, next, err := confluence.List[spaceJSON](ctx, c, path, query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Space, 0, len(found))
	for _, f := range found {
		one, err := f.space()
		if err != nil {
			return nil, "", err
		}
		all = append(all, one)
	}
	return all, next, nil
}

// Get returns the space with an id, with its description and labels.
func Get(ctx context.Context, c *confluence.Client, id string) (Space, error) {
	var answer spaceJSON
	r := confluence.Request{Method: http.MethodGet, Path: path + "/" + url.PathEscape(id), Query: url.Values{"description-format": {"plain"}, "include-labels": {"true"}}}
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Space{}, err
	}
	return answer.space()
}

// New is a space to be created.
type New struct {
	Key, Name, Description string
	Private                bool // only for who creates it
}

// Create creates a space. Sites with roles have it in v2; others refuse that,
// and are asked in the older way.
func Create(ctx context.Context, c *confluence.Client, n New) (Space, error) {
	body := map[string]any{"key": n.Key, "name": n.Name}
	if n.Description != "" {
		body["description"] = map[string]string{"value": n.Description, "representation": "plain"}
	}
	if n.Private {
		body["createPrivateSpace"] = true
	}
	made, err := create(ctx, c, confluence.Request{Method: http.MethodPost, Path: path, Body: body})
	// These say that nothing was created. A missing scope is one of them: v1
	// takes another.
	for _, no := range []confluence.Kind{confluence.KindNotFound, confluence.KindBadRequest, confluence.KindScope, confluence.KindForbidden, confluence.KindGone} {
		if confluence.Is(err, no) {
			return createOlder(ctx, c, n)
		}
	}
	return made, err
}

func createOlder(ctx context.Context, c *confluence.Client, n New) (Space, error) {
	body := map[string]any{"key": n.Key, "name": n.Name}
	if n.Description != "" {
		body["description"] = map[string]any{"plain": map[string]string{"value": n.Description, "representation": "plain"}}
	}
	at := "/rest/api/space"
	if n.Private {
		at += "/_private"
	}
	return create(ctx, c, confluence.Request{Method: http.MethodPost, Path: at, Body: body})
}

func create(ctx context.Context, c *confluence.Client, r confluence.Request) (Space, error) {
	var answer spaceJSON
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Space{}, err
	}
	made, err := answer.space()
	if err != nil {
		return Space{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return made, nil
}

// Permission is something that somebody may do.
type Permission struct {
	Kind, ID string // user, group or role
	May      string // such as "create page"
}

// Permissions returns one part of who may what in a space, and the cursor to go
// on, "" at the end.
func Permissions(ctx context.Context, c *confluence.Client, id, cursor string) ([]Permission, string, error) {
	type assignment struct {
		Principal struct {
			Type string        `json:"type"`
			ID   confluence.ID `json:"id"`
		} `json:"principal"`
		Operation struct {
			Key    string `json:"key"`
			Target string `json:"targetType"`
		} `json:"operation"`
	}
	query := url.Values{"limit": {"250"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	found, next, err := confluence.List[assignment](ctx, c, path+"/"+url.PathEscape(id)+"/permissions", query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Permission, 0, len(found))
	for _, f := range found {
		all = append(all, Permission{f.Principal.Type, string(f.Principal.ID), f.Operation.Key + " " + f.Operation.Target})
	}
	return all, next, nil
}
