// Package labels reads and writes labels with the guard's leave.
package labels

import (
	"context"
	"errors"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/labels"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Scopes that are needed; v1 calls take a classic scope as well.
const (
	scopeRead  = "read:page:confluence"
	scopeSpace = "read:space:confluence"
	scopeWrite = "write:label:confluence with read:label:confluence (or write:confluence-content)"
)

// Of returns the labels of a page that was read through w.
func Of(ctx context.Context, w *guard.Wiki, page guard.Page) (all []string, err error) {
	err = w.Ask(ctx, "The labels of page "+page.ID, scopeRead, func(c *confluence.Client) (err error) {
		all, err = labels.Of(ctx, c, page.ID, page.Type == "blogpost")
		return err
	})
	return all, err
}

// InSpace returns one part of the labels that are used in a space, and the
// cursor to go on, "" at the end.
func InSpace(ctx context.Context, w *guard.Wiki, key string, limit int, cursor string) (all []string, next string, err error) {
	space, err := w.Space(ctx, key)
	if err != nil {
		return nil, "", err
	}
	w.Note("space", space.Key, "")
	err = w.Ask(ctx, "The labels of space "+space.Key, scopeSpace, func(c *confluence.Client) (err error) {
		all, next, err = labels.InSpace(ctx, c, space.ID, limit, cursor)
		return err
	})
	return all, next, err
}

// Add adds labels to a page that was read through w, and returns all that it has
// then. It may be repeated.
func Add(ctx context.Context, w *guard.Wiki, page guard.Page, add []string) (all []string, err error) {
	err = w.Send(ctx, "The page "+page.ID, scopeWrite, func(c *confluence.Client) (err error) {
		all, err = labels.Add(ctx, c, page.ID, add)
		return err
	})
	if confluence.Is(err, confluence.KindBadRequest) {
		refusal := usererr.Wrap(err, usererr.BadInput, "Confluence does not accept a label, or not so many", "Use letters, digits, hyphens and underscores")
		return nil, errors.Join(guard.ErrRefused, refusal)
	}
	return all, err
}

// Remove takes labels away from a page that was read through w, and returns all
// that it has then. Labels that are not there are left out. It may be repeated.
func Remove(ctx context.Context, w *guard.Wiki, page guard.Page, remove []string) ([]string, error) {
	all, err := Of(ctx, w, page)
	if err != nil {
		return nil, err
	}
	for _, name := range remove {
		if !slices.Contains(all, name) {
			continue
		}
		err := w.Send(ctx, "The page "+page.ID, scopeWrite, func(c *confluence.Client) error { return labels.Remove(ctx, c, page.ID, name) })
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(other string) bool { return other == name })
	}
	return all, nil
}
