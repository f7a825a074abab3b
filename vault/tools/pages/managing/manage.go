// Package managing has the tool that moves, copies, renames, archives, deletes
// and restores pages.
package managing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files/keeping"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, manageTool) }

const manage = "confluence_manage_page"

type manageIn struct {
	Page     arguments.Ref `json:"page" jsonschema:"id or URL"`
	Action   string        `json:"action" jsonschema:"move, copy, copy_tree, rename, publish, archive, trash, purge (out of the trash, for good), discard_draft, restore (from the trash) or restore_version"`
	File     string        `json:"file,omitempty" jsonschema:"rename, trash: name or id of a file of the page instead"`
	Target   arguments.Ref `json:"target,omitempty" jsonschema:"move, copy: id or URL of the page to go below or beside"`
	Position string        `json:"position,omitempty" jsonschema:"move: append (below target, default), before or after it"`
	Title    string        `json:"title,omitempty" jsonschema:"rename, copy: new title; copy_tree: prefix of titles"`
	Version  int           `json:"version,omitempty" jsonschema:"restore_version: the one to go back to"`
	Expected int           `json:"expected_version,omitempty" jsonschema:"the current version; needed to rename, publish, restore_version"`
	Message  string        `json:"message,omitempty" jsonschema:"for the history; of a file: its comment"`
	Dry      bool          `json:"dry_run,omitempty" jsonschema:"only say what would happen"`
	Confirm  string        `json:"confirm,omitempty" jsonschema:"token of the refusal, if the person agrees"`
	Site     string        `json:"site,omitempty"`
}

var manageTool = tool.Spec[manageIn, change.Out]{
	Name: manage, Title: "Arrange Confluence pages",
	Description: "Move, copy, rename, publish, archive, delete or restore a page; rename or delete a file of it. Deleting asks for a confirmation first.",
	Write:       true, Destructive: true,
	Run: run,
}

// deed is one action, on its way.
type deed struct {
	set *tool.Set
	in  manageIn
}

func run(ctx context.Context, t *tool.Set, in manageIn) (change.Out, string, error) {
	action, err := arguments.OneOf("action", in.Action, "move", "copy", "copy_tree", "rename", "publish", "archive", "trash", "purge", "discard_draft", "restore", "restore_version")
	if err != nil {
		return change.Out{}, "", err
	}
	in.Action, in.Title = action, strings.TrimRight(in.Title, "\t\r\n")
	if err := in.check(); err != nil {
		return change.Out{}, "", err
	}
	if in.File != "" {
		return keeping.Do(ctx, t, keeping.Deed{
			Tool: manage, Action: action, Site: in.Site, Page: string(in.Page), File: in.File, Name: strings.TrimSpace(in.Title), Comment: in.Message,
			Expected: in.Expected, Dry: in.Dry, Confirm: in.Confirm, Input: in,
		})
	}
	d := deed{t, in}
	switch action {
	case "rename", "publish", "restore_version":
		return d.version(ctx)
	case "trash", "purge", "discard_draft":
		return d.delete(ctx)
	case "move":
		return d.do(ctx, d.move, func(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) { return d.move(ctx, w) })
	case "copy":
		return d.do(ctx, d.copy, d.settleCopy)
	case "copy_tree":
		return d.do(ctx, d.copyTree, d.settleTree)
	case "archive":
		return d.do(ctx, d.archive, d.settleArchive)
	}
	return d.do(ctx, d.restore, d.settleRestore)
}

// versioned are the actions that write a version of the page.
const versioned = "rename publish restore_version"

// check says which arguments an action needs besides page, and refuses those
// that would mean nothing to it.
func (in manageIn) check() error {
	if err := arguments.OneLine("title", in.Title, change.MaxTitle); err != nil {
		return err
	}
	among := func(actions string) bool { return slices.Contains(strings.Fields(actions), in.Action) }
	for _, a := range []struct {
		name          string
		given         bool
		needed, taken string // by which actions
	}{
		{"file", in.File != "", "", "rename trash"},
		{"target", in.Target != "", "move copy copy_tree", ""},
		{"position", in.Position != "", "", "move"},
		{"title", strings.TrimSpace(in.Title) != "", "rename", "copy copy_tree"},
		{"version", in.Version != 0, "restore_version", ""},
		{"message", in.Message != "", "", versioned},
		{"confirm", in.Confirm != "", "", "trash purge discard_draft"},
	} {
		switch {
		case among(a.needed) && !a.given && in.File == "":
			return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q is missing for %s", a.name, in.Action), "")
		case a.given && !among(a.needed+" "+a.taken):
			return usererr.New(usererr.BadInput, fmt.Sprintf("The argument %q means nothing for %s", a.name, in.Action), "Leave it out")
		}
	}
	_, err := arguments.OneOf("position", in.Position, pages.Below, pages.Before, pages.After)
	return err
}

// do makes the write, or says what would happen. A version that is not the
// expected one says, after the fact, nothing of what was done before it.
func (d deed) do(ctx context.Context, act func(context.Context, *guard.Wiki) (change.Out, error), settle func(context.Context, *guard.Wiki, time.Time) (change.Out, error)) (change.Out, string, error) {
	op := guard.Op[change.Out]{
		Tool: manage, Site: d.in.Site, Page: string(d.in.Page), Input: d.in, Run: act,
		Settle: func(ctx context.Context, w *guard.Wiki, started time.Time) (change.Out, error) {
			out, err := settle(ctx, w, started)
			if errors.Is(err, guard.ErrConflict) {
				err = usererr.New(usererr.Unknown, "The page has changed since, and it is not certain whether this call was done before", "")
			}
			return out, err
		},
		Check: "Look at the page with confluence_get_page, and at the place with confluence_get_tree",
	}
	if d.in.Dry {
		op.Run, op.Settle = d.preview, nil
	}
	out, err := guard.Do(ctx, d.set.Door, op)
	return out, change.Text(out), err
}

// page is the page that is named, at the version that is expected, if one is.
func (d deed) page(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
	page, err := pages.Named(ctx, w, string(d.in.Page))
	if err == nil && d.in.Expected != 0 && page.Version != d.in.Expected {
		return page, usererr.Wrap(guard.ErrConflict, usererr.Conflict, fmt.Sprintf("The page is at version %d, not %d; nothing was done", page.Version, d.in.Expected), "Look at it first")
	}
	return page, err
}

func (d deed) target(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
	return w.Page(ctx, string(d.in.Target))
}

// preview says what would happen.
func (d deed) preview(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	taken := ""
	says := fmt.Sprintf("Nothing was done: this would %s the page %q", strings.ReplaceAll(d.in.Action, "_", " "), page.Title)
	if d.in.Target != "" {
		to, err := d.target(ctx, w)
		if err != nil {
			return change.Out{}, err
		}
		says += fmt.Sprintf(" to %s the page %q in space %s", d.where(), to.Title, to.Space)
		if err := d.can(ctx, w, page, to); err != nil {
			return change.Out{}, err
		}
		title := page.Title
		switch d.in.Action {
		case "copy":
			title = d.copyTitle(page)
			says += fmt.Sprintf(" as %q", title)
		case "copy_tree":
			title = d.prefix(page, to) + title
			says += fmt.Sprintf(", with titles that begin with %q", d.prefix(page, to))
		}
		if d.in.Action != "move" || page.Space != to.Space {
			taken = change.Taken(ctx, w, to, title)
		}
	} else if err := d.can(ctx, w, page, guard.Page{}); err != nil {
		return change.Out{}, err
	}
	return change.Answered(w, page, says+d.below(ctx, w, page)+"."+taken), nil
}

// can refuses, in a preview, what would be refused.
func (d deed) can(ctx context.Context, w *guard.Wiki, page, to guard.Page) error {
	switch d.in.Action {
	case "move":
		position, _ := arguments.OneOf("position", d.in.Position, pages.Below, pages.Before, pages.After) // checked before
		if err := pages.CanMove(page, to, position); err != nil {
			return err
		}
		if err := outside(ctx, w, page, to); errors.Is(err, guard.ErrRefused) { // else Confluence tells
			return err
		}
	case "copy":
		return pages.CanCopy(page, to)
	case "copy_tree":
		if err := pages.CanCopy(page, to); err != nil {
			return err
		}
		return outside(ctx, w, page, to)
	case "archive":
		return pages.CanArchive(page)
	case "restore":
		return pages.CanRestore(page)
	}
	return nil
}

func (d deed) where() string {
	if d.in.Position == "" || d.in.Position == pages.Below {
		return "below"
	}
	return d.in.Position
}

// move moves the page. It is the same however often it is done.
func (d deed) move(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	to, err := d.target(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	position, _ := arguments.OneOf("position", d.in.Position, pages.Below, pages.Before, pages.After) // checked before
	moved, err := pages.Move(ctx, w, page, to, position)
	if err != nil {
		return change.Out{}, err
	}
	return change.Answered(w, moved, fmt.Sprintf("The page was moved to %s %q.", d.where(), to.Title)), nil
}

// version makes the actions that write a version of the page.
func (d deed) version(ctx context.Context) (change.Out, string, error) {
	c := change.Change{
		Tool: manage, Site: d.in.Site, Page: string(d.in.Page), Input: d.in, Expected: d.in.Expected, Message: d.in.Message,
		Dry: d.in.Dry, Lossy: true, Done: "renamed, which brought it",
		Body: func(_ context.Context, _ *guard.Wiki, before guard.Page) (string, []string, error) {
			return before.Body, nil, nil
		},
	}
	switch d.in.Action {
	case "rename":
		c.Title = strings.TrimSpace(d.in.Title)
	case "publish":
		c.Publish = true
	default:
		c.Done = fmt.Sprintf("put back as it was in version %d, which brought it", d.in.Version)
		if c.Message == "" {
			c.Message = fmt.Sprintf("Restored version %d", d.in.Version)
		}
		c.Body = d.former
	}
	return c.Make(ctx, d.set)
}

// former is the body of a former version.
func (d deed) former(ctx context.Context, w *guard.Wiki, before guard.Page) (string, []string, error) {
	if d.in.Version < 1 || d.in.Version >= before.Version {
		return "", nil, guard.Refused(usererr.BadInput, fmt.Sprintf("Version %d is not a former one: the page is at version %d", d.in.Version, before.Version), "confluence_versions lists them")
	}
	old, err := w.PageVersion(ctx, before.ID, d.in.Version)
	return old.Body, nil, err
}

// restore takes the page out of the trash.
func (d deed) restore(ctx context.Context, w *guard.Wiki) (change.Out, error) {
	page, err := d.page(ctx, w)
	if err != nil {
		return change.Out{}, err
	}
	back, err := pages.Untrash(ctx, w, page)
	if err != nil {
		return change.Out{}, err
	}
	return restored(w, back), nil
}

func restored(w *guard.Wiki, page guard.Page) change.Out {
	return change.Answered(w, page, "The page was taken out of the trash.")
}

func (d deed) settleRestore(ctx context.Context, w *guard.Wiki, _ time.Time) (change.Out, error) {
	page, err := pages.Named(ctx, w, string(d.in.Page))
	switch {
	case err != nil:
		return change.Out{}, err
	case page.Status == "current":
		return restored(w, page), nil
	}
	return d.restore(ctx, w)
}
