// Package spaces lists, describes and creates spaces with the guard's leave.
package spaces

import (
	"context"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/spaces"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Scopes that are needed; v1 calls take other ones.
const (
	scopeRead  = "read:space:confluence"
	scopeWrite = "write:space:confluence (or write:confluence-space)"
)

// Space is a space that the person may reach.
type Space struct {
	guard.Space
	Status, Author string
	HomeID         string
	Description    string
	Labels         []string
}

func ours(w *guard.Wiki, s spaces.Space) Space {
	w.Note("space", s.Key, "")
	return Space{
		Space:  guard.Space{ID: s.ID, Key: s.Key, Name: s.Name, Type: s.Type, URL: w.Link(s.Path)},
		Status: s.Status, Author: s.Author, HomeID: s.HomeID, Description: s.Description, Labels: s.Labels,
	}
}

// Filter narrows a list of spaces.
type Filter struct {
	Type, Status string
	Labels       []string
	Favourites   bool // of the person
	Limit        int
	Cursor       string
}

// List returns one part of the spaces that the person may reach, and the cursor
// to go on, "" at the end. A part may be empty although there are more.
func List(ctx context.Context, w *guard.Wiki, f Filter) (all []Space, next string, err error) {
	asked := spaces.Filter{Type: f.Type, Status: f.Status, Labels: f.Labels, Limit: f.Limit, Cursor: f.Cursor}
	if f.Favourites {
		me, err := w.Me(ctx)
		if err != nil {
			return nil, "", err
		}
		asked.FavouriteOf = me.ID
	}
	var found []spaces.Space
	err = w.Ask(ctx, "The list of spaces", scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = spaces.List(ctx, c, asked)
		return err
	})
	withheld := 0
	for _, s := range found {
		if !w.Allowed(s.Key) {
			withheld++
			continue
		}
		all = append(all, ours(w, s))
	}
	w.Withhold(withheld)
	return all, next, err
}

// Get returns the space with key, with its description and labels.
func Get(ctx context.Context, w *guard.Wiki, key string) (Space, error) {
	known, err := w.Space(ctx, key)
	if err != nil {
		return Space{}, err
	}
	var found spaces.Space
	err = w.Ask(ctx, "The space "+known.Key, scopeRead, func(c *confluence.Client) (err error) {
		found, err = spaces.Get(ctx, c, known.ID)
		return err
	})
	if err != nil {
		return Space{}, err
	}
	if !w.Allowed(found.Key) {
		return Space{}, w.Deny("The space "+known.Key, "space", found.Key, "")
	}
	return ours(w, found), nil
}

// New is a space to be created.
type New = spaces.New

// Create creates a space that policy allows.
func Create(ctx context.Context, w *guard.Wiki, n New) (Space, error) {
	what := "The space " + plaintext.Line(n.Key, 80)
	if !w.Allowed(n.Key) {
		return Space{}, errors.Join(guard.ErrRefused, w.Deny(what, "space", n.Key, ""))
	}
	var made spaces.Space
	err := w.Send(ctx, what, scopeWrite, func(c *confluence.Client) (err error) {
		made, err = spaces.Create(ctx, c, n)
		return err
	})
	switch {
	case confluence.Is(err, confluence.KindBadRequest):
		return Space{}, usererr.Wrap(errors.Join(guard.ErrRefused, err), usererr.Conflict, what+" was not created: Confluence does not accept the key or the name", "Another space may have the key; choose another, of letters and digits")
	case confluence.Is(err, confluence.KindNotFound):
		return Space{}, usererr.Wrap(errors.Join(guard.ErrRefused, err), usererr.Denied, "You may not create spaces on this site", "Ask the site's administrator for the permission")
	case err != nil:
		return Space{}, err
	}
	return ours(w, made), nil
}

// Permission is what somebody may do in a space.
type Permission struct {
	Kind, ID string // user, group or role
	May      []string
}

// maxParts limits the parts of a list of permissions that are read.
const maxParts = 8

// Permissions lists who may what in the space with key, by person and group;
// more says that there are more than were read.
func Permissions(ctx context.Context, w *guard.Wiki, key string) (in guard.Space, all []Permission, more bool, err error) {
	if in, err = w.Space(ctx, key); err != nil {
		return in, nil, false, err
	}
	w.Note("space", in.Key, "")
	index := map[string]int{}
	cursor := ""
	for range maxParts {
		var part []spaces.Permission
		err = w.Ask(ctx, "The permissions of space "+in.Key, scopeRead, func(c *confluence.Client) (err error) {
			part, cursor, err = spaces.Permissions(ctx, c, in.ID, cursor)
			return err
		})
		if err != nil {
			return in, nil, false, err
		}
		for _, p := range part {
			i, known := index[p.Kind+" "+p.ID]
			if !known {
				i = len(all)
				index[p.Kind+" "+p.ID] = i
				all = append(all, Permission{Kind: p.Kind, ID: p.ID})
			}
			all[i].May = append(all[i].May, p.May)
		}
		if cursor == "" {
			break
		}
	}
	return in, all, cursor != "", nil
}
