// Package properties reads and writes the content properties that Confluence
// keeps beside pages and blog posts: a key and a JSON value.
package properties

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Property is one version of a property.
type Property struct {
	ID, Key string
	Value   json.RawMessage
	Version int
}

type propertyJSON struct {
	ID      confluence.ID   `json:"id"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Version struct {
		Number int `json:"number"`
	} `json:"version"`
}

var numeric = regexp.MustCompile(`^[0-9]{1,19}$`)

func (p propertyJSON) property() (Property, error) {
	if !numeric.MatchString(string(p.ID)) || p.Key == "" || p.Version.Number < 1 {
		return Property{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	return Property{string(p.ID), p.Key, p.Value, p.Version.Number}, nil
}

// Owner is what has properties: a page, or a blog post of that id.
type Owner struct {
	ID   string
	Blog bool
}

func (o Owner) path() (string, error) {
	if !numeric.MatchString(o.ID) {
		return "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	if o.Blog {
		return "/api/v2/blogposts/" + o.ID + "/properties", nil
	}
	return "/api/v2/pages/" + o.ID + "/properties", nil
}

// Part is a part of the properties: those of Key if it is not "", from Cursor on.
type Part struct {
	Key, Cursor string
	Limit       int
}

// List returns a part of the properties, and the cursor of the next, "" at the
// end.
func List(ctx context.Context, c *confluence.Client, of Owner, part Part) ([]Property, string, error) {
	path, err := of.path()
	if err != nil {
		return nil, "", err
	}
	query := url.Values{"limit": {strconv.Itoa(part.Limit)}}
	if part.Key != "" {
		query.Set("key", part.Key)
	}
	if part.Cursor != "" {
		query.Set("cursor", part.Cursor)
	}
	found, next, err := confluence.List[propertyJSON](ctx, c, path, query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Property, len(found))
	for i, p := range found {
		if all[i], err = p.property(); err != nil {
			return nil, "", err
		}
	}
	return all, next, nil
}

// Create adds a property. A second one of the same key is refused with
// [confluence.KindConflict].
func Create(ctx context.Context, c *confluence.Client, of Owner, key string, value json.RawMessage) (Property, error) {
	path, err := of.path()
	if err != nil {
		return Property{}, err
	}
	return write(ctx, c, confluence.Request{Method: http.MethodPost, Path: path, Body: map[string]any{"key": key, "value": value}})
}

// Update writes the next version of a property. Its Version must be the current
// one plus one; anything else is [confluence.KindConflict].
func Update(ctx context.Context, c *confluence.Client, of Owner, p Property) (Property, error) {
	path, err := of.path()
	if err != nil {
		return Property{}, err
	}
	body := map[string]any{"key": p.Key, "value": p.Value, "version": map[string]any{"number": p.Version}}
	return write(ctx, c, confluence.Request{Method: http.MethodPut, Path: path + "/" + url.PathEscape(p.ID), Body: body})
}

func write(ctx context.Context, c *confluence.Client, r confluence.Request) (Property, error) {
	var answer propertyJSON
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Property{}, err
	}
	p, err := answer.property()
	if err != nil {
		return Property{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return p, nil
}

// Delete removes a property for good.
func Delete(ctx context.Context, c *confluence.Client, of Owner, id string) error {
	path, err := of.path()
	if err != nil {
		return err
	}
	_, err = c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: path + "/" + url.PathEscape(id)}, nil)
	return err
}
