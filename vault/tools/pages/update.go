package pages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const updatePage = "confluence_update_page"

// maxDiff is how many characters of what changed a conflict shows.
const maxDiff = 4000

type updateIn struct {
	Page     arguments.Ref `json:"page" jsonschema:"page id or URL"`
	Expected int           `json:"expected_version" jsonschema:"the version that was read and is replaced"`
	Title    string        `json:"title,omitempty" jsonschema:"new title; default: unchanged"`
	Body     string        `json:"body" jsonschema:"Markdown; replaces the whole body. Keep [[confluence:...]] marks"`
	Message  string        `json:"message,omitempty" jsonschema:"what was changed, for the history"`
	Site     string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
}

var updatePageTool = tool.Spec[updateIn, writeOut]{
	Name: updatePage, Title: "Update a Confluence page",
	Description: "Replace title and body of a Confluence page. Read it first and pass its version; if it has changed since, nothing is written and the answer says what changed.",
	Write:       true, Destructive: true,
	Run: update,
}

// edit is one update, on its way.
type edit struct {
	in    updateIn
	begun time.Time
}

func update(ctx context.Context, t *tool.Set, in updateIn) (writeOut, string, error) {
	in.Title, in.Message = strings.TrimSpace(in.Title), strings.TrimSpace(in.Message)
	if err := errors.Join(arguments.OneLine("title", in.Title, maxTitle), arguments.OneLine("message", in.Message, maxMessage)); err != nil {
		return writeOut{}, "", err
	}
	if in.Expected < 1 {
		return writeOut{}, "", usererr.New(usererr.BadInput, "The argument \"expected_version\" must be the version that was read", "Read the page with confluence_get_page first")
	}
	if _, err := storage(in.Body, nil); err != nil { // before anything is begun
		return writeOut{}, "", err
	}
	e := edit{in, time.Now()}
	out, err := guard.Do(ctx, t.Door, guard.Op[writeOut]{
		Tool: updatePage, Site: in.Site, Page: string(in.Page), Input: in,
		Run:    e.run,
		Settle: e.settle,
		Check:  fmt.Sprintf("Read the page with confluence_get_page: if it is at version %d with your text, the change was made", in.Expected+1),
	})
	return out, writeText(out), err
}

func (e edit) run(ctx context.Context, w *guard.Wiki) (writeOut, error) {
	page, err := w.Page(ctx, string(e.in.Page))
	if err != nil {
		return writeOut{}, err
	}
	if page.Version != e.in.Expected {
		return writeOut{}, e.conflict(ctx, w, page)
	}
	out, err := e.put(ctx, w, page)
	if !errors.Is(err, guard.ErrConflict) {
		return out, err
	}
	now, readErr := w.PageVersion(ctx, page.ID, 0)
	if readErr != nil {
		return writeOut{}, err
	}
	// A proxy on the way to Confluence may have sent it twice, and what was
	// refused is the second.
	if next, err := e.next(ctx, w, now); err == nil && e.made(ctx, w, page, next, e.begun) == ours {
		return e.done(w, next, now, nil), nil
	}
	return writeOut{}, e.conflict(ctx, w, now)
}

func (e edit) put(ctx context.Context, w *guard.Wiki, before guard.Page) (writeOut, error) {
	body, lost, err := e.body(before)
	if err != nil {
		return writeOut{}, errors.Join(guard.ErrRefused, err)
	}
	page, err := w.UpdatePage(ctx, before, guard.Edit{
		Title: e.title(before), Body: body, Message: e.in.Message, Number: e.in.Expected + 1,
	})
	if err != nil {
		return writeOut{}, err
	}
	return e.done(w, page, page, lost), nil
}

// body is what is written over before, and what that takes away which
// Markdown cannot say.
func (e edit) body(before guard.Page) (body string, lost []string, err error) {
	was, err := markup.ToMarkdown(before.Body, markup.Options{})
	if err != nil {
		was = markup.Document{Flattened: []string{"content that cannot be read"}}
	}
	body, err = storage(e.in.Body, was.Originals)
	return body, dropped(was, body), err
}

// done is the answer about the version that was written.
func (e edit) done(w *guard.Wiki, written, now guard.Page, lost []string) writeOut {
	message := fmt.Sprintf("The page was updated to version %d.", written.Version)
	if now.Version != written.Version {
		message += fmt.Sprintf(" It has changed since and is at version %d.", now.Version)
	}
	if len(lost) > 0 {
		message += fmt.Sprintf(" No longer on the page: %s. Version %d still has it.", strings.Join(lost, ", "), e.in.Expected)
	}
	return answered(w, written, message)
}

func (e edit) title(before guard.Page) string {
	if e.in.Title != "" {
		return e.in.Title
	}
	return before.Title
}

// settle finds out whether version expected+1 is ours. If the page is still
// at expected, the update is sent again: Confluence takes each version number
// once, so it cannot be made twice.
func (e edit) settle(ctx context.Context, w *guard.Wiki, started time.Time) (writeOut, error) {
	for range 2 {
		page, err := w.Page(ctx, string(e.in.Page))
		if err != nil {
			return writeOut{}, err
		}
		switch {
		case page.Version < e.in.Expected:
			return writeOut{}, e.conflict(ctx, w, page)
		case page.Version > e.in.Expected:
			return e.settled(ctx, w, page, started)
		}
		out, err := e.put(ctx, w, page)
		if !errors.Is(err, guard.ErrConflict) {
			return out, err
		}
	}
	return writeOut{}, usererr.New(usererr.Unknown, "The page changes while it is looked at", "Read the page and compare")
}

func (e edit) settled(ctx context.Context, w *guard.Wiki, now guard.Page, started time.Time) (writeOut, error) {
	next, err := e.next(ctx, w, now)
	if err != nil {
		return writeOut{}, err
	}
	before, err := w.PageVersion(ctx, now.ID, e.in.Expected)
	if err != nil {
		return writeOut{}, err
	}
	switch e.made(ctx, w, before, next, started) {
	case ours:
		return e.done(w, next, now, nil), nil
	case others:
		return writeOut{}, e.conflict(ctx, w, now)
	}
	return writeOut{}, usererr.New(usererr.Unknown, "You changed this page, and it is not certain whether this call did", "Read the page and compare")
}

// next is the version after the expected one, of a page that has it.
func (e edit) next(ctx context.Context, w *guard.Wiki, now guard.Page) (guard.Page, error) {
	if now.Version == e.in.Expected+1 {
		return now, nil
	}
	return w.PageVersion(ctx, now.ID, e.in.Expected+1)
}

// made decides whose the version is that stands where ours should, after
// before.
func (e edit) made(ctx context.Context, w *guard.Wiki, before, next guard.Page, started time.Time) whose {
	body, _, err := e.body(before)
	same := err == nil && next.Title == e.title(before) && strings.TrimSpace(next.Message) == e.in.Message && sameText(next.Body, body)
	return wrote(ctx, w, next, started, same)
}

// conflict says what changed since the version that the caller knows.
// Nothing was written.
func (e edit) conflict(ctx context.Context, w *guard.Wiki, now guard.Page) error {
	message := fmt.Sprintf("The page is at version %d, not %d; nothing was written", now.Version, e.in.Expected)
	if now.Version < e.in.Expected {
		return usererr.New(usererr.Conflict, message, fmt.Sprintf("Read the page and pass expected_version %d", now.Version))
	}
	refusal := usererr.Wrap(guard.ErrConflict, usererr.Conflict, message,
		fmt.Sprintf("Work the changes below into your text, then call again with expected_version %d", now.Version))
	detail := fmt.Sprintf("Version %d was written %s by account %s", now.Version, tool.Stamp(now.Updated), now.Author)
	if me, err := w.Me(ctx); err == nil && me.ID == now.Author {
		detail = fmt.Sprintf("Version %d was written %s by you, perhaps elsewhere", now.Version, tool.Stamp(now.Updated))
	}
	if now.Message != "" {
		detail += " (" + tool.Clip(now.Message, 200) + ")"
	}
	return tool.Detailed(refusal, detail+".\n\n"+e.changes(ctx, w, now))
}

func (e edit) changes(ctx context.Context, w *guard.Wiki, now guard.Page) string {
	before, err := w.PageVersion(ctx, now.ID, e.in.Expected)
	if err != nil {
		return fmt.Sprintf("Version %d cannot be read any more, so what changed cannot be shown.", e.in.Expected)
	}
	old, err1 := markup.ToMarkdown(before.Body, markup.Options{})
	current, err2 := markup.ToMarkdown(now.Body, markup.Options{})
	if err1 != nil || err2 != nil {
		return "What changed cannot be shown as Markdown. Open the page in the browser: " + now.URL
	}
	var title string
	if before.Title != now.Title {
		title = fmt.Sprintf("Title: %q is now %q.\n", before.Title, now.Title)
	}
	changed := markup.Diff(old.Markdown, current.Markdown, maxDiff)
	if changed == "" {
		changed = "The text reads the same in both versions.\n"
	}
	return tool.Notice + "\n" + title + changed
}
