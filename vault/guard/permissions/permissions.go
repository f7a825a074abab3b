// Package permissions reads and changes the restrictions of pages with the
// guard's leave. Pages are given as [guard.Page], so that they have passed it.
package permissions

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/permissions"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const (
	scopeRead   = "read:content-details:confluence (or read:confluence-content.all)"
	scopeWrite  = "write:content.restriction:confluence (or write:confluence-content)"
	scopeCheck  = "read:content.permission:confluence (or read:confluence-content.permission)"
	scopeAbove  = "read:content.metadata:confluence"
	scopeGroups = "read:user:confluence and read:group:confluence (or read:confluence-user)"
)

// The operations that can be restricted.
const (
	Read   = permissions.Read
	Update = permissions.Update
)

// Subject is a user or a group.
type Subject = permissions.Subject

// Named are who may do each operation; nobody named is everybody who may see
// the space.
type Named = permissions.Named

const maxName = 100

func what(page guard.Page) string { return "The restrictions of page " + page.ID }

// Of returns the restrictions of a page.
func Of(ctx context.Context, w *guard.Wiki, page guard.Page) (Named, error) {
	return of(ctx, w, page, page.ID)
}

func of(ctx context.Context, w *guard.Wiki, page guard.Page, id string) (named Named, err error) {
	err = w.Ask(ctx, what(page), scopeRead, func(c *confluence.Client) (err error) {
		named, err = permissions.Restrictions(ctx, c, id)
		return err
	})
	for _, all := range named {
		for i := range all {
			all[i].Name = plaintext.Line(all[i].Name, maxName)
		}
	}
	return named, err
}

// Inherited is what is above a page and restricts reading it.
type Inherited struct {
	Page string // id
	Read []Subject
}

// MaxAbove is how many pages above a page are looked at, the nearest first.
const MaxAbove = 10

// Above returns the restrictions that a page inherits, the nearest first, and
// whether there is more above than was looked at. What is above a page is in
// the same space.
func Above(ctx context.Context, w *guard.Wiki, page guard.Page) (all []Inherited, more bool, err error) {
	if page.Type != "page" {
		return nil, false, nil
	}
	var ids []string
	err = w.Ask(ctx, what(page), scopeAbove, func(c *confluence.Client) (err error) {
		ids, err = permissions.Above(ctx, c, page.ID)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	for i := len(ids) - 1; i >= 0; i-- {
		if len(ids)-i > MaxAbove {
			return all, true, nil
		}
		named, err := of(ctx, w, page, ids[i])
		if err != nil {
			return nil, false, err
		}
		w.Note("page", ids[i], page.Space)
		if len(named[Read]) > 0 {
			all = append(all, Inherited{ids[i], named[Read]})
		}
	}
	return all, false, nil
}

// May reports whether a user may do an operation with a page, all things
// considered.
func May(ctx context.Context, w *guard.Wiki, page guard.Page, account, operation string) (may bool, err error) {
	err = w.Ask(ctx, "The permissions of page "+page.ID, scopeCheck, func(c *confluence.Client) (err error) {
		may, err = permissions.May(ctx, c, page.ID, account, operation)
		return err
	})
	return may, err
}

// MyGroups returns the ids of the groups that the person is in.
func MyGroups(ctx context.Context, w *guard.Wiki) (ids []string, err error) {
	me, err := w.Me(ctx)
	if err != nil {
		return nil, err
	}
	err = w.Ask(ctx, "Your groups", scopeGroups, func(c *confluence.Client) (err error) {
		ids, err = permissions.GroupsOf(ctx, c, me.ID)
		return err
	})
	return ids, err
}

// Add names a subject for an operation.
func Add(ctx context.Context, w *guard.Wiki, page guard.Page, operation string, s Subject) error {
	return w.Send(ctx, what(page), scopeWrite, func(c *confluence.Client) error {
		return permissions.Add(ctx, c, page.ID, operation, s)
	})
}

// Remove names a subject no longer; one that is not named is no error.
func Remove(ctx context.Context, w *guard.Wiki, page guard.Page, operation string, s Subject) error {
	return w.Send(ctx, what(page), scopeWrite, func(c *confluence.Client) error {
		err := permissions.Remove(ctx, c, page.ID, operation, s)
		if confluence.Is(err, confluence.KindNotFound) {
			return nil
		}
		return err
	})
}
