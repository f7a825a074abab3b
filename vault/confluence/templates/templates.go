// Package templates asks for the templates of pages: v1, which OAuth tokens
// still reach. Errors are those of package confluence.
package templates

import (
	"context"
	"net/http"
	"net/url"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

const path = "/rest/api/template/page"

// most is how many templates are asked for at once, and maxParts how often.
const (
	most     = "50"
	maxParts = 4
)

// Template is a template of pages.
type Template struct {
	ID, Name, Description string
	Space                 string // key; "" for a global one, or where the answer does not say
	Body                  string // storage format with variables
}

type templateJSON struct {
	ID          confluence.ID `json:"templateId"`
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Space       struct {
		Key string `json:"key"`
	} `json:"space"`
	Body confluence.Body `json:"body"`
}

// List lists the templates of a space, or the global ones for "", with their
// bodies.
func List(ctx context.Context, c *confluence.Client, space string) ([]Template, error) {
	query := url.Values{"limit": {most}, "expand": {"body"}}
	if space != "" {
		query.Set("spaceKey", space)
	}
	var all []Template
	for range maxParts {
		var answer struct {
			Results []templateJSON   `json:"results"`
			Links   confluence.Links `json:"_links"`
		}
		header, err := c.Do(ctx, confluence.Request{Method: http.MethodGet, Path: path, Query: query}, &answer)
		if err != nil {
			return nil, err
		}
		for _, t := range answer.Results {
			if t.ID != "" {
				all = append(all, Template{ID: string(t.ID), Name: t.Name, Description: t.Description, Space: t.Space.Key, Body: t.Body.Storage.Value})
			}
		}
		next, err := confluence.Follow(path, answer.Links.Next, header)
		if err != nil || next.Get("start") == "" {
			return all, err
		}
		query.Set("start", next.Get("start"))
	}
	return all, nil
}
