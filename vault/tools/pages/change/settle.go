package change

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/pages"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// settle finds out whether version expected+1 is ours. If the page is still
// at expected, the change is sent again: Confluence takes each version number
// once, so it cannot be made twice. A draft has one version only, and the same
// text twice is the same.
func (c Change) settle(ctx context.Context, w *guard.Wiki, started time.Time) (Out, error) {
	for range 2 {
		page, err := pages.Named(ctx, w, c.Page)
		if err != nil {
			return Out{}, err
		}
		switch {
		case c.Publish && page.Status == "current" && page.Version == 1:
			return c.published(ctx, w, page, started)
		case page.Version < c.Expected:
			return Out{}, c.conflict(ctx, w, page)
		case page.Version > c.Expected:
			return c.settled(ctx, w, page, started)
		}
		out, err := c.put(ctx, w, page)
		if !errors.Is(err, guard.ErrConflict) {
			return out, err
		}
	}
	return Out{}, usererr.New(usererr.Unknown, "The page changes while it is looked at", "Read the page and compare")
}

// published answers about a draft that is none any more.
func (c Change) published(ctx context.Context, w *guard.Wiki, page guard.Page, started time.Time) (Out, error) {
	body, _, err := c.Body(ctx, w, page) // out of what it made, the same again
	same := err == nil && page.Title == c.title(page) && markup.SameText(page.Body, body)
	switch by := Wrote(ctx, w, page, started, same); {
	case by == Others:
		return Out{}, c.conflict(ctx, w, page)
	case !same:
		return Out{}, usererr.New(usererr.Unknown, "The draft was published, and it is not certain whether by this call", "Read the page and compare")
	}
	return c.done(w, page, page, nil), nil
}

func (c Change) settled(ctx context.Context, w *guard.Wiki, now guard.Page, started time.Time) (Out, error) {
	next, err := c.next(ctx, w, now)
	if err != nil {
		return Out{}, err
	}
	before, err := w.PageVersion(ctx, now.ID, c.Expected)
	if err != nil {
		return Out{}, err
	}
	switch c.made(ctx, w, before, next, started) {
	case Ours:
		return c.done(w, next, now, nil), nil
	case Others:
		return Out{}, c.conflict(ctx, w, now)
	}
	return Out{}, usererr.New(usererr.Unknown, "You changed this page, and it is not certain whether this call did", "Read the page and compare")
}

// next is the version after the expected one, of a page that has it.
func (c Change) next(ctx context.Context, w *guard.Wiki, now guard.Page) (guard.Page, error) {
	if now.Version == c.Expected+1 {
		return now, nil
	}
	return w.PageVersion(ctx, now.ID, c.Expected+1)
}

// made decides whose the version is that stands where ours should, after
// before.
func (c Change) made(ctx context.Context, w *guard.Wiki, before, next guard.Page, started time.Time) Whose {
	body, _, err := c.Body(ctx, w, before)
	same := err == nil && next.Title == c.title(before) && strings.TrimSpace(next.Message) == c.Message && markup.SameText(next.Body, body)
	return Wrote(ctx, w, next, started, same)
}

// conflict says what changed since the version that the caller knows, and what
// the caller wanted. Nothing was written.
func (c Change) conflict(ctx context.Context, w *guard.Wiki, now guard.Page) error {
	message := fmt.Sprintf("The page is at version %d, not %d; nothing was written", now.Version, c.Expected)
	if now.Version < c.Expected {
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
	return tool.Detailed(refusal, detail+".\n\n"+c.sides(ctx, w, now))
}

// sides shows what was changed there and what the caller wanted to change.
func (c Change) sides(ctx context.Context, w *guard.Wiki, now guard.Page) string {
	before, err := w.PageVersion(ctx, now.ID, c.Expected)
	if err != nil {
		return fmt.Sprintf("Version %d cannot be read any more, so what changed cannot be shown.", c.Expected)
	}
	var title string
	if before.Title != now.Title {
		title = fmt.Sprintf("Title: %q is now %q.\n", before.Title, now.Title)
	}
	text := tool.Notice + "\n" + title + Differences(before.Body, now.Body, maxDiff)
	if body, _, err := c.Body(ctx, w, before); err == nil {
		text += fmt.Sprintf("\nYour change to version %d:\n", c.Expected) + c.differs(before, body, maxDiff)
	}
	return text
}
