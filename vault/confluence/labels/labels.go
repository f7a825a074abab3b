// Package labels speaks about the labels of pages and blog posts. They are read
// in v2; adding and removing is v1, which OAuth tokens still reach.
package labels

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

func names(list []confluence.Label) []string {
	all := make([]string, 0, len(list))
	for _, l := range list {
		all = append(all, l.String())
	}
	return all
}

// Of returns the labels of a page or blog post, at most 250.
func Of(ctx context.Context, c *confluence.Client, id string, post bool) ([]string, error) {
	kind := "pages"
	if post {
		kind = "blogposts"
	}
	if !confluence.ValidPageID(id) {
		return nil, &confluence.Error{Kind: confluence.KindNotFound}
	}
	found, _, err := confluence.List[confluence.Label](ctx, c, "/api/v2/"+kind+"/"+id+"/labels", url.Values{"limit": {"250"}})
	return names(found), err
}

// InSpace returns one part of the labels that are used in a space, and the
// cursor to go on, "" at the end.
func InSpace(ctx context.Context, c *confluence.Client, space string, limit int, cursor string) ([]string, string, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	found, next, err := confluence.List[confluence.Label](ctx, c, "/api/v2/spaces/"+url.PathEscape(space)+"/content/labels", query)
	return names(found), next, err
}

// Add adds labels and returns all that are there then. Those that are there
// already stay.
func Add(ctx context.Context, c *confluence.Client, id string, add []string) ([]string, error) {
	body := make([]map[string]string, 0, len(add))
	for _, name := range add {
		body = append(body, map[string]string{"prefix": "global", "name": name})
	}
	if !confluence.ValidPageID(id) {
		return nil, &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer struct {
		Results []confluence.Label `json:"results"`
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodPost, Path: "/rest/api/content/" + id + "/label", Body: body}, &answer)
	return names(answer.Results), err
}

// Remove takes a label away.
func Remove(ctx context.Context, c *confluence.Client, id, name string) error {
	if !confluence.ValidPageID(id) {
		return &confluence.Error{Kind: confluence.KindNotFound}
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: "/rest/api/content/" + id + "/label", Query: url.Values{"name": {name}}}, nil)
	return err
}
