package pages

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/arrange"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Positions of a moved page.
const (
	Before = arrange.Before
	After  = arrange.After
	Below  = arrange.Below
)

// allowed refuses what policy denies, also where a caller brings a page that it
// did not get here.
func allowed(w *guard.Wiki, all ...guard.Page) error {
	for _, p := range all {
		if !w.Allowed(p.Space) {
			return w.Deny("The page "+p.ID, p.Type, p.ID, p.Space)
		}
	}
	return nil
}

// Move puts a page before, after or below another, with all below it, and
// returns it as it is then.
func Move(ctx context.Context, w *guard.Wiki, page, target guard.Page, position string) (guard.Page, error) {
	err := allowed(w, page, target)
	if err == nil {
		err = CanMove(page, target, position)
	}
	if err != nil {
		return guard.Page{}, err
	}
	err = w.Send(ctx, "The page "+page.ID, scopeMove, func(c *confluence.Client) error {
		return arrange.Move(ctx, c, page.ID, position, target.ID)
	})
	if confluence.Is(err, confluence.KindBadRequest) {
		return guard.Page{}, usererr.Wrap(errors.Join(guard.ErrRefused, err), usererr.BadInput, "Confluence does not take the page there",
			"The target must not be below the page itself, and its space must not have a page of that title")
	}
	if err != nil {
		return guard.Page{}, duplicate(err, target.Space, page.Title)
	}
	moved, err := w.PageVersion(ctx, page.ID, 0)
	return moved, guard.Happened(err)
}

// CanMove refuses what [Move] does not try.
func CanMove(page, target guard.Page, position string) error {
	switch {
	case page.Type != "page" || target.Type != "page":
		return guard.Refused(usererr.BadInput, "Blog posts have no place in the tree of pages", "Name two pages")
	case page.ID == target.ID:
		return guard.Refused(usererr.BadInput, "The page and its target are the same", "Name another target")
	case page.Status != "current" || target.Status != "current":
		return guard.Refused(usererr.BadInput, "Only published pages can be moved, to published pages", "Restore or publish it first")
	case position != Below && target.ParentID == "":
		// Confluence takes it, and the page is nowhere to be seen.
		return guard.Refused(usererr.BadInput, "The target stands at the top of its space, and nothing can be moved beside it", "Move the page below another one")
	}
	return nil
}

// Copy copies a page below parent, with labels, attachments and properties but
// not with who may see it.
func Copy(ctx context.Context, w *guard.Wiki, page, parent guard.Page, title string) (guard.Page, error) {
	if err := copied(w, page, parent); err != nil {
		return guard.Page{}, err
	}
	var id string
	err := w.Send(ctx, "The page "+page.ID, scopeCopy, func(c *confluence.Client) (err error) {
		id, err = arrange.One(ctx, c, arrange.Copy{ID: page.ID, Parent: parent.ID, Title: title})
		return err
	})
	if err != nil {
		return guard.Page{}, duplicate(err, parent.Space, title)
	}
	made, err := w.PageVersion(ctx, id, 0)
	return made, guard.Happened(err)
}

func copied(w *guard.Wiki, page, parent guard.Page) error {
	if err := allowed(w, page, parent); err != nil {
		return err
	}
	return CanCopy(page, parent)
}

// CanCopy refuses what [Copy] and [CopyTree] do not try.
func CanCopy(page, parent guard.Page) error {
	if page.Type != "page" || parent.Type != "page" || page.Status != "current" || parent.Status != "current" {
		return guard.Refused(usererr.BadInput, "Only published pages can be copied, to below published pages", "Name two pages")
	}
	return nil
}

// Task is work that Confluence does by and by.
type Task struct {
	ID       string
	Percent  int
	Done, OK bool
	Pages    int
}

// CopyTree begins to copy a page and all below it to below parent. Prefix comes
// before the titles of the copies.
func CopyTree(ctx context.Context, w *guard.Wiki, page, parent guard.Page, prefix string) (Task, error) {
	if err := copied(w, page, parent); err != nil {
		return Task{}, err
	}
	var id string
	err := w.Send(ctx, "The page "+page.ID, scopeArchive, func(c *confluence.Client) (err error) {
		id, err = arrange.Tree(ctx, c, page.ID, parent.ID, prefix)
		return err
	})
	if err != nil {
		return Task{}, duplicate(err, parent.Space, prefix+page.Title)
	}
	return Task{ID: id}, nil
}

// Archive archives a page.
func Archive(ctx context.Context, w *guard.Wiki, page guard.Page) (Task, error) {
	err := allowed(w, page)
	if err == nil {
		err = CanArchive(page)
	}
	if err != nil {
		return Task{}, err
	}
	var id string
	err = w.Send(ctx, "The page "+page.ID, scopeArchive, func(c *confluence.Client) (err error) {
		id, err = arrange.Archive(ctx, c, page.ID)
		return err
	})
	return Task{ID: id}, err
}

// CanArchive refuses what [Archive] does not try.
func CanArchive(page guard.Page) error {
	if page.Type != "page" || page.Status != "current" {
		return guard.Refused(usererr.BadInput, "Only published pages can be archived", "")
	}
	return nil
}

// Wait looks at a task until it is done, at most for so long; tell is called
// with each look. That it cannot be looked at ends the wait and is no error: what
// was begun goes on.
func Wait(ctx context.Context, w *guard.Wiki, task Task, limit time.Duration, tell func(Task)) Task {
	until := time.Now().Add(limit)
	pause := 250 * time.Millisecond
	for {
		var now arrange.Task
		if w.Ask(ctx, "The task "+task.ID, scopeTask, func(c *confluence.Client) (err error) {
			now, err = arrange.Look(ctx, c, task.ID)
			return err
		}) != nil {
			return task
		}
		task.Percent, task.Done, task.OK, task.Pages = now.Percent, now.Done, now.OK, now.Pages
		tell(task)
		if task.Done || time.Now().Add(pause).After(until) {
			return task
		}
		select {
		case <-ctx.Done():
			return task
		case <-time.After(pause):
		}
		pause = min(2*pause, 2*time.Second)
	}
}

// Trash puts a page into the trash of its space.
func Trash(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	if page.Status != "current" && page.Status != "archived" {
		return guard.Refused(usererr.BadInput, "The page is not published, so it cannot be put into the trash", "Use purge for a page in the trash, and discard_draft for a draft")
	}
	return remove(ctx, w, page, false, false)
}

// Purge removes a page from the trash for good.
func Purge(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	if page.Status != "trashed" {
		return guard.Refused(usererr.BadInput, "The page is not in the trash, so it cannot be purged", "Use trash first")
	}
	return remove(ctx, w, page, true, false)
}

// Discard removes a draft that was never published.
func Discard(ctx context.Context, w *guard.Wiki, page guard.Page) error {
	if page.Status != "draft" {
		return guard.Refused(usererr.BadInput, "The page is not a draft", "Use trash for a published page")
	}
	return remove(ctx, w, page, false, true)
}

func remove(ctx context.Context, w *guard.Wiki, page guard.Page, purge, draft bool) error {
	if err := allowed(w, page); err != nil {
		return err
	}
	return w.Send(ctx, "The page "+page.ID, scopeDelete, func(c *confluence.Client) error {
		return c.Delete(ctx, page.ID, page.Type == "blogpost", purge, draft)
	})
}

// Untrash takes a page out of the trash.
func Untrash(ctx context.Context, w *guard.Wiki, page guard.Page) (guard.Page, error) {
	err := allowed(w, page)
	if err == nil {
		err = CanRestore(page)
	}
	if err != nil {
		return guard.Page{}, err
	}
	var back confluence.Page
	err = w.Send(ctx, "The page "+page.ID, scopeWrite, func(c *confluence.Client) (err error) {
		back, err = c.UpdatePage(ctx, confluence.Edit{ID: page.ID, Title: page.Title, Body: page.Body, Number: page.Version + 1, Blog: page.Type == "blogpost"})
		return err
	})
	if err != nil {
		return guard.Page{}, duplicate(err, page.Space, page.Title)
	}
	return w.Written(ctx, "The page "+page.ID, back)
}

// CanRestore refuses what [Untrash] does not try.
func CanRestore(page guard.Page) error {
	if page.Status != "trashed" {
		return guard.Refused(usererr.BadInput, "The page is not in the trash", "")
	}
	return nil
}
