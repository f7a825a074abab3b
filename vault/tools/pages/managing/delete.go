package managing

import (
	"context"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/confirm"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
)

// deletion is a deletion that was agreed to, or comes again.
type deletion struct {
	deed
	agreed    confirm.Deed
	confirmed bool
}

// delete asks, unless it was agreed to, and then deletes.
func (d deed) delete(ctx context.Context) (change.Out, string, error) {
	agreed, ok, err := confirm.Given(ctx, d.set, manage, d.in.Confirm)
	if err != nil {
		return change.Out{}, "", err
	}
	caller, _ := identity.From(ctx) // a guest is refused below
	// One that comes again may have been agreed to before: the journal knows.
	if d.in.Dry || !ok && !caller.Replayed {
		out, err := guard.Do(ctx, d.set.Door, guard.Op[change.Out]{Tool: manage, Site: d.in.Site, Page: string(d.in.Page), Run: d.ask})
		return out, change.Text(out), err
	}
	del := deletion{d, agreed, ok}
	return d.do(ctx, del.run, del.settle)
}

// named is what the person agrees to.
func (d deed) named(w *guard.Wiki, page guard.Page) confirm.Deed {
	return confirm.Deed{Action: d.in.Action, Site: w.Site(), Kind: page.Type, ID: page.ID, Version: page.Version}
}

// ask looks at the page and asks whether it may go.
func (d deed) ask(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	if err := fits(d.in.Action, page); err != nil {
		return change.Out{}, err
	}
	if d.in.Dry {
		return d.preview(ctx, w)
	}
	what := map[string]string{
		"trash": "Put into the trash", "purge": "Remove from the trash for good", "discard_draft": "Discard for good",
	}[d.in.Action]
	says := fmt.Sprintf("%s: the %s %q (id %s, version %d) of space %s on site %s", what, kind(page), page.Title, page.ID, page.Version, page.Space, w.Site())
	return change.Out{}, confirm.Ask(ctx, d.set, manage, d.named(w, page), says+d.below(ctx, w, page))
}

// fits refuses before anybody is asked what would be refused after.
func fits(action string, page guard.Page) error {
	want := map[string]string{"purge": "trashed", "discard_draft": "draft"}[action]
	switch {
	case want != "" && page.Status != want:
		return usererr.New(usererr.BadInput, fmt.Sprintf("The page is %s, not %s, so nothing was done", page.Status, want), "Use trash for a published page, purge for one in the trash, discard_draft for a draft")
	case want == "" && page.Status != "current" && page.Status != "archived":
		return usererr.New(usererr.BadInput, "The page is "+page.Status+", so it cannot be put into the trash", "Use purge for a page in the trash, discard_draft for a draft")
	}
	return nil
}

func kind(page guard.Page) string {
	switch {
	case page.Status == "draft":
		return "draft"
	case page.Type == "blogpost":
		return "blog post"
	}
	return "page"
}

// below says how many pages stand below one, if that is easily found out.
func (d deed) below(ctx context.Context, w *guard.Wiki, page guard.Page) string {
	if page.Type != "page" || page.Status != "current" {
		return ""
	}
	n, more, err := trees.Count(ctx, w, page)
	if err != nil || n == 0 {
		return ""
	}
	number := fmt.Sprint(n)
	if more {
		number = "more than " + number
	}
	if d.in.Action == "move" || d.in.Action == "copy_tree" {
		return fmt.Sprintf(", with %s below it", number)
	}
	return fmt.Sprintf(", without the %s below it", number)
}

func (d deletion) run(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	if !d.confirmed {
		return change.Out{}, guard.Refused(usererr.Refused, "Nothing was done: this needs to be confirmed", "Make the call again")
	}
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	if err := d.agreed.Covers(d.named(w, page)); err != nil {
		return change.Out{}, err
	}
	return d.remove(ctx, w, page)
}

func (d deletion) remove(ctx context.Context, w *guard.Wiki, page guard.Page) (change.Out, error) {
	var err error
	switch d.in.Action {
	case "trash":
		err = pages.Trash(ctx, w, page)
		page.Status = "trashed"
	case "purge":
		err = pages.Purge(ctx, w, page)
		page.Status = "gone"
	default:
		err = pages.Discard(ctx, w, page)
		page.Status = "gone"
	}
	if err != nil {
		return change.Out{}, err
	}
	return d.removed(w, page), nil
}

func (d deletion) removed(w *guard.Wiki, page guard.Page) change.Out {
	message := "The page was removed for good."
	if d.in.Action == "trash" {
		message = "The page is in the trash. Action restore takes it out again."
	}
	return change.Answered(w, page, message)
}

// settle finds out whether the page is gone. It was agreed to when this was
// begun.
func (d deletion) settle(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) {
	page, err := pages.Named(ctx, w, string(d.in.Page))
	switch {
	case usererr.CodeOf(err) == usererr.NotFound && d.in.Action != "trash":
		id := w.PageID(string(d.in.Page))
		w.Note("page", id, "")
		return d.removed(w, guard.Page{ID: id, Status: "gone"}), nil
	case err != nil:
		return change.Out{}, err
	case page.Status == "trashed" && d.in.Action == "trash":
		return d.removed(w, page), nil
	case fits(d.in.Action, page) != nil:
		return change.Out{}, usererr.New(usererr.Unknown, "The page is "+page.Status+" now", "Look at it")
	case d.confirmed && d.agreed.Covers(d.named(w, page)) != nil: // to another version
		return change.Out{}, usererr.New(usererr.Unknown, "The page has changed since its deletion was begun", "Look at it")
	}
	return d.remove(ctx, w, page)
}
