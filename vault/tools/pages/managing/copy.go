package managing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// taskWait is how long a call waits for work that Confluence does by and by; it
// is less than what the guard lets a write take.
const taskWait = 18 * time.Second

// from reads the page and the one that it goes to.
func (d deed) from(ctx context.Context, w *guard.Wiki) (page, to guard.Page, err error) {
	if page, err = d.page(ctx, w); err != nil {
		return page, to, err
	}
	to, err = d.target(ctx, w)
	return page, to, err
}

// copyTitle is the title of the copy. A space has each title once.
func (d deed) copyTitle(page guard.Page) string {
	if title := strings.TrimSpace(d.in.Title); title != "" {
		return title
	}
	return "Copy of " + page.Title
}

func (d deed) copy(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, to, err := d.from(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	made, err := pages.Copy(ctx, w, page, to, d.copyTitle(page))
	if err != nil {
		return change.Out{}, err
	}
	return d.made(w, made), nil
}

func (d deed) made(w *guard.Wiki, made guard.Page) change.Out {
	return change.Answered(w, made, "The page was copied. Who may see the original was not copied.")
}

// settleCopy finds the copy by its title, which a space has only once, and
// copies again if the title is free.
func (d deed) settleCopy(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
	page, to, err := d.from(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	for range 2 {
		made, err := w.PageByTitle(ctx, to.Space, d.copyTitle(page))
		if err == nil {
			return d.settled(ctx, w, made, page, started)
		}
		if usererr.CodeOf(err) != usererr.NotFound {
			return change.Out{}, err
		}
		out, err := d.copy(ctx, w)
		if !errors.Is(err, guard.ErrDuplicate) {
			return out, err
		}
	}
	return change.Out{}, usererr.New(usererr.Unknown, "A page of the copy's title appears and is gone again", "Look at the place with confluence_get_tree")
}

// settled answers about a copy that is there, and was perhaps there before.
func (d deed) settled(ctx context.Context, w *guard.Wiki, made, page guard.Page, started time.Time) (change.Out, error) {
	made.Updated = made.Created
	switch change.Wrote(ctx, w, made, started, made.Version == 1 && markup.SameText(made.Body, page.Body)) {
	case change.Ours:
		return d.made(w, made), nil
	case change.Others:
		return change.Out{}, usererr.Wrap(guard.ErrDuplicate, usererr.Conflict, "The space "+made.Space+" has a page of the copy's title already", "Give another title")
	}
	return change.Out{}, usererr.New(usererr.Unknown, "There is a page of the copy's title, and it is not certain whether this call made it", "Look at it: "+made.URL)
}

// prefix comes before the titles of copies of a tree. Within a space there has
// to be one.
func (d deed) prefix(page, to guard.Page) string {
	if d.in.Title == "" && page.SpaceID == to.SpaceID {
		return "Copy of "
	}
	return d.in.Title
}

func (d deed) copyTree(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, to, err := d.from(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	if err := outside(ctx, w, page, to); err != nil {
		return change.Out{}, err
	}
	prefix := d.prefix(page, to)
	task, err := pages.CopyTree(ctx, w, page, to, prefix)
	if err != nil {
		return change.Out{}, err
	}
	task = pages.Wait(ctx, w, task, taskWait, func(now pages.Task) {
		tool.Progress(ctx, now.Percent, 100, "Confluence copies the pages")
	})
	if task.Done && !task.OK {
		return change.Out{}, usererr.New(usererr.Unknown, "Confluence could not copy all of the pages", "Look at what is there with confluence_get_tree, below page "+to.ID)
	}
	if !task.Done {
		return change.Answered(w, to, fmt.Sprintf("Confluence is still copying the pages to below this one: %d %% are done. Look again with confluence_get_tree.", task.Percent)), nil
	}
	message := "The pages were copied. Who may see the originals was not copied."
	if task.Pages > 0 {
		message = fmt.Sprintf("%d pages were copied. Who may see the originals was not copied.", task.Pages)
	}
	if made, err := w.PageByTitle(ctx, to.Space, prefix+page.Title); err == nil {
		return change.Answered(w, made, message), nil
	}
	return change.Answered(w, to, message+" They are below this page."), nil
}

// outside refuses a target within the tree that a page is the top of.
func outside(ctx context.Context, w *guard.Wiki, page, to guard.Page) error {
	above, err := trees.Above(ctx, w, to)
	if err == nil && slices.ContainsFunc(above.Nodes, func(n trees.Node) bool { return n.ID == page.ID }) {
		err = guard.Refused(usererr.BadInput, "The target is the page itself or stands below it", "Name a target outside of that tree")
	}
	return err
}

// settleTree finds the copy of the topmost page. Without it nobody knows: the
// work may wait for its turn.
func (d deed) settleTree(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
	page, to, err := d.from(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	made, err := w.PageByTitle(ctx, to.Space, d.prefix(page, to)+page.Title)
	if err != nil {
		return change.Out{}, usererr.New(usererr.Unknown, "It is not known whether the pages are being copied", "Look below page "+to.ID+" with confluence_get_tree in a minute")
	}
	out, err := d.settled(ctx, w, made, page, started)
	if err == nil {
		out.Message = "The pages are copied, or are being copied. Look with confluence_get_tree."
	}
	return out, err
}

func (d deed) archive(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	task, err := pages.Archive(ctx, w, page)
	if err != nil {
		return change.Out{}, err
	}
	return d.archived(ctx, w, page, task)
}

func (d deed) archived(ctx context.Context, w *guard.Wiki, page guard.Page, task pages.Task) (change.Out, error) {
	task = pages.Wait(ctx, w, task, taskWait, func(now pages.Task) { tool.Progress(ctx, now.Percent, 100, "Confluence archives the page") })
	if task.Done && !task.OK {
		return change.Out{}, usererr.New(usererr.Unknown, "Confluence could not archive the page", "Look at it: "+page.URL)
	}
	if task.Done {
		page.Status = "archived"
		return change.Answered(w, page, "The page was archived."), nil
	}
	return change.Answered(w, page, "Confluence is archiving the page. Look at it in a minute."), nil
}

// settleArchive sends it again only if the page is not archived; that Confluence
// refuses then says nothing of the first.
func (d deed) settleArchive(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) {
	page, err := pages.Named(ctx, w, string(d.in.Page))
	if err != nil {
		return change.Out{}, err
	}
	if page.Status == "archived" {
		return change.Answered(w, page, "The page was archived."), nil
	}
	task, err := pages.Archive(ctx, w, page)
	if err != nil {
		return change.Out{}, usererr.New(usererr.Unknown, "It is not known whether the page is being archived", "Look at it in a minute")
	}
	return d.archived(ctx, w, page, task)
}
