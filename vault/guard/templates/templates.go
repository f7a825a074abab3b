// Package templates gives the templates of pages with the guard's leave: those
// of a space that policy allows, and the global ones.
package templates

import (
	"context"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/templates"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const scope = "read:template:confluence and read:content-details:confluence (or read:confluence-content.summary)"

// Template is a template of pages.
type Template struct {
	ID, Name, Description string
	Space                 string // key; "" for a global one
	Body                  string // storage format with variables
}

// List lists the templates of a space and the global ones; for "" those alone.
func List(ctx context.Context, w *guard.Wiki, space string) ([]Template, error) {
	var all []Template
	if space != "" {
		in, err := w.Space(ctx, space)
		if err != nil {
			return nil, err
		}
		if all, err = list(ctx, w, in.Key); err != nil {
			return nil, err
		}
	}
	global, err := list(ctx, w, "")
	return append(all, global...), err
}

func list(ctx context.Context, w *guard.Wiki, space string) ([]Template, error) {
	var found []templates.Template
	err := w.Ask(ctx, "The list of templates", scope, func(c *confluence.Client) (err error) {
		found, err = templates.List(ctx, c, space)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]Template, 0, len(found))
	for _, t := range found {
		// One that says another space than was asked for is not what it seems.
		if t.Space != "" && !strings.EqualFold(t.Space, space) {
			w.Withhold(1)
			continue
		}
		w.Note("template", t.ID, space)
		all = append(all, Template{t.ID, t.Name, t.Description, space, t.Body})
	}
	return all, nil
}

// Named finds a template of a space, or a global one, by its id or name.
func Named(ctx context.Context, w *guard.Wiki, space, name string) (Template, error) {
	all, err := List(ctx, w, space)
	if err != nil {
		return Template{}, err
	}
	var found []Template
	for _, t := range all {
		if t.ID == name {
			return t, nil
		}
		if strings.EqualFold(t.Name, name) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Template{}, usererr.New(usererr.NotFound, "There is no template "+plaintext.Line(name, 80)+" in that space or for all", "confluence_templates lists them; name the space as well")
	}
	return Template{}, usererr.New(usererr.BadInput, "There are several templates of that name", "Give the id of one")
}
