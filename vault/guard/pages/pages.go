// Package pages creates, changes and arranges pages and blog posts with the
// guard's leave. Source and target of what is moved or copied are both checked.
// Its errors are user errors; [guard.ErrRefused], [guard.ErrConflict] and
// [guard.ErrDuplicate] are in their chain where nothing was written.
package pages

import (
	"context"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/content"
)

// Scopes that the calls need. Those of v1 take a classic scope as well.
const (
	scopeRead    = "read:page:confluence"
	scopeWrite   = "write:page:confluence"
	scopeDelete  = "delete:page:confluence"
	scopeMove    = "write:page:confluence (or write:confluence-content)"
	scopeCopy    = "read:content-details:confluence and write:page:confluence (or write:confluence-content)"
	scopeArchive = "read:content.metadata:confluence and write:page:confluence (or write:confluence-content)"
	scopeTask    = "read:content.metadata:confluence (or read:confluence-space.summary)"
)

// Named returns a page named by id or address, and a draft if there is no page
// of that name that was published.
func Named(ctx context.Context, w *guard.Wiki, ref string) (guard.Page, error) {
	page, err := w.Page(ctx, ref)
	if !confluence.Is(err, confluence.KindNotFound) {
		return page, err
	}
	id := w.PageID(ref)
	if id == "" {
		return page, err
	}
	var found confluence.Page
	if w.Ask(ctx, "The draft", scopeRead, func(c *confluence.Client) (err error) {
		found, err = c.Draft(ctx, id)
		return err
	}) != nil {
		return page, err
	}
	return w.Admit(ctx, "The page "+id, found)
}

// ADF is the body of a page that was read through w as an Atlassian document, in
// JSON. older says that it is not the current version.
func ADF(ctx context.Context, w *guard.Wiki, page guard.Page, older bool) (string, error) {
	what, version := "The page "+page.ID, 0
	if older {
		version = page.Version
	}
	var found confluence.Page
	err := w.Ask(ctx, what, scopeRead, func(c *confluence.Client) (err error) {
		found, err = c.ADF(ctx, page.ID, version, page.Status == "draft")
		return err
	})
	if err != nil {
		return "", err
	}
	again, err := w.Admit(ctx, what, found)
	switch {
	case err != nil:
		return "", err
	case again.ID != page.ID || again.Version != page.Version:
		return "", usererr.New(usererr.Conflict, what+" was changed while it was read", "Read it again")
	}
	return again.Body, nil
}

// New is a page or blog post to be created. Body is storage format; Parent is an
// id or address, and without it a page goes below the home page of the space.
type New struct {
	Space, Parent, Title, Body string
	Blog, Live, Draft, Private bool
}

// Create creates a page.
func Create(ctx context.Context, w *guard.Wiki, n New) (guard.Page, error) {
	space, err := w.Space(ctx, n.Space)
	if err != nil {
		return guard.Page{}, err
	}
	var parent Parent
	if n.Parent != "" {
		if parent, err = Above(ctx, w, n.Parent); err != nil {
			return guard.Page{}, err
		}
		if parent.SpaceID != space.ID {
			return guard.Page{}, guard.Refused(usererr.BadInput, "The parent page is in space "+parent.Space+", not in "+space.Key, "Give the space of the parent, or another parent")
		}
	}
	var page confluence.Page
	err = w.Send(ctx, "The space "+space.Key, scopeWrite, func(c *confluence.Client) (err error) {
		page, err = c.CreatePage(ctx, confluence.Draft{
			SpaceID: space.ID, ParentID: parent.ID, Title: n.Title, Body: n.Body, Blog: n.Blog, Live: n.Live, Unpublished: n.Draft, Private: n.Private,
		})
		return err
	})
	if err != nil {
		return guard.Page{}, duplicate(err, space.Key, n.Title)
	}
	return w.Written(ctx, "The page "+quote(n.Title), page)
}

// PostsByTitle returns the blog posts of a space with exactly this title: there
// may be several.
func PostsByTitle(ctx context.Context, w *guard.Wiki, space, title string) ([]guard.Page, error) {
	in, err := w.Space(ctx, space)
	if err != nil {
		return nil, err
	}
	var found []confluence.Page
	err = w.Ask(ctx, "The blog post "+quote(title), scopeRead, func(c *confluence.Client) (err error) {
		found, err = c.PostsByTitle(ctx, in.ID, title)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]guard.Page, 0, len(found))
	for _, p := range found {
		post, err := w.PageVersion(ctx, p.ID, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, post)
	}
	return all, nil
}

// Parent is what a page may stand below: another page, or a folder or the like.
type Parent struct {
	ID, Space, SpaceID string
}

// Above finds the parent of a page that is to be.
func Above(ctx context.Context, w *guard.Wiki, ref string) (Parent, error) {
	page, err := w.Page(ctx, ref)
	if err == nil {
		return Parent{page.ID, page.Space, page.SpaceID}, nil
	}
	if !confluence.Is(err, confluence.KindNotFound) && usererr.CodeOf(err) != usererr.BadInput {
		return Parent{}, err
	}
	object, otherErr := content.Find(ctx, w, ref, "")
	if otherErr != nil {
		return Parent{}, err // it was most likely meant as a page
	}
	return Parent{object.ID, object.Space, object.SpaceID}, nil
}

// duplicate says of a title that is taken where that is.
func duplicate(err error, space, title string) error {
	if !confluence.Is(err, confluence.KindDuplicateTitle) {
		return err
	}
	return usererr.Wrap(errors.Join(guard.ErrDuplicate, err), usererr.Conflict,
		"The space "+space+" has a page titled "+quote(title)+" already", "Update that page or choose another title")
}

func quote(text string) string { return `"` + plaintext.Line(text, 80) + `"` }

// Edit replaces title and body of a page. Number is the version that is
// written: the current one plus one.
type Edit struct {
	Title, Body, Message string
	Number               int
	Minor                bool // nobody is told
	Publish              bool // a draft is published; else it stays one
}

// Update writes a version of a page that was read through w. Minor says whether
// Confluence took it as a minor edit.
func Update(ctx context.Context, w *guard.Wiki, before guard.Page, e Edit) (page guard.Page, minor bool, err error) {
	what := "The page " + before.ID
	if !w.Allowed(before.Space) {
		return page, false, w.Deny(what, before.Type, before.ID, before.Space)
	}
	if err := CanUpdate(before, e.Publish); err != nil {
		return page, false, err
	}
	draft := before.Status == "draft"
	if draft {
		e.Number = 1
	}
	var written confluence.Page
	err = w.Send(ctx, what, scopeWrite, func(c *confluence.Client) (err error) {
		written, err = c.UpdatePage(ctx, confluence.Edit{
			ID: before.ID, Title: e.Title, Body: e.Body, Message: e.Message, Number: e.Number,
			Blog: before.Type == "blogpost", Draft: draft && !e.Publish, Minor: e.Minor,
		})
		return err
	})
	if confluence.Is(err, confluence.KindConflict) {
		return page, false, usererr.Wrap(errors.Join(guard.ErrConflict, err), usererr.Conflict, "The page was changed by somebody else", "Read it again, then update that version")
	}
	if err != nil {
		return page, false, duplicate(err, before.Space, e.Title)
	}
	page, err = w.Written(ctx, what, written)
	return page, written.Version.Minor, err
}

// CanUpdate refuses what [Update] does not try.
func CanUpdate(page guard.Page, publish bool) error {
	what := "The page " + page.ID
	switch {
	case page.Status != "current" && page.Status != "draft":
		// Confluence would take it out of the trash and ignore the new body.
		return guard.Refused(usererr.BadInput, what+" is "+plaintext.Line(page.Status, 20)+", so it cannot be updated", "Restore it with confluence_manage_page first")
	case publish && page.Status != "draft":
		return guard.Refused(usererr.BadInput, what+" is published already", "Leave out publish")
	}
	return nil
}
