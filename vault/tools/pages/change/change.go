// Package change writes the next version of a page, once: all tools that do so
// share how they see conflicts, show what would change, refuse to lose what
// Markdown cannot say, and find out what became of a write whose answer is lost.
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
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Limits of what is written and shown.
const (
	MaxTitle   = 255 // characters
	MaxMessage = 500 // characters
	maxDiff    = 4000
	MaxPreview = 12000
)

// Out is the answer to a write: the page as it is now, without its body.
type Out struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Space    string `json:"space"`
	Site     string `json:"site"`
	Version  int    `json:"version"`
	URL      string `json:"url"`
	ParentID string `json:"parent_id,omitempty"`
	Status   string `json:"status,omitempty"`
	Message  string `json:"message"`
	Changes  string `json:"changes,omitempty"`
}

// Answered is the answer about a page.
func Answered(w *guard.Wiki, p guard.Page, message string) Out {
	status := p.Status
	if status == "current" {
		status = ""
	}
	return Out{ID: p.ID, Title: p.Title, Space: p.Space, Site: w.Site(), Version: p.Version, URL: p.URL, ParentID: p.ParentID, Status: status, Message: message}
}

// Text says the same as out.
func Text(out Out) string {
	if out.Title == "" { // it is gone, and nobody can say more
		return fmt.Sprintf("%s\n\nPage %s on site %s\n", out.Message, out.ID, out.Site)
	}
	text := fmt.Sprintf("%s\n\n%s (page %s in space %s on site %s, version %d", out.Message, out.Title, out.ID, out.Space, out.Site, out.Version)
	for _, more := range [][2]string{{", parent ", out.ParentID}, {", ", out.Status}} {
		if more[1] != "" {
			text += more[0] + more[1]
		}
	}
	text += ")\n" + out.URL + "\n"
	if out.Changes != "" {
		text += "\n" + tool.Notice + "\n" + out.Changes
	}
	return text
}

// Change is the next version of a page, on its way.
type Change struct {
	Tool, Site, Page string
	Input            any // the arguments
	Expected         int // the version that is replaced
	Title            string
	Message          string // for the history
	Minor, Publish   bool
	Lossy            bool // what would be lost may be
	Dry              bool // nothing is written
	// Images come along with the body, and are there before it is written. Nil
	// is none.
	Images *files.Images
	// Body makes the new body out of the page as it was expected, and lists
	// what that loses. It gives the same again for the same page.
	Body func(ctx context.Context, w *guard.Wiki, before guard.Page) (body string, lost []string, err error)
	// Done says what was done, such as "updated".
	Done string

	begun time.Time
}

// Make makes the change, or shows it.
func (c Change) Make(ctx context.Context, t *tool.Set) (Out, string, error) {
	c.Title, c.Message = strings.TrimSpace(c.Title), strings.TrimSpace(c.Message)
	if err := errors.Join(arguments.OneLine("title", c.Title, MaxTitle), arguments.OneLine("message", c.Message, MaxMessage)); err != nil {
		return Out{}, "", err
	}
	if c.Expected < 1 {
		return Out{}, "", usererr.New(usererr.BadInput, "The argument \"expected_version\" must be the version that was read", "Read the page with confluence_get_page first")
	}
	c.begun = time.Now()
	op := guard.Op[Out]{
		Tool: c.Tool, Site: c.Site, Page: c.Page, Input: c.Input, Bulk: c.Images.Any(),
		Run:    c.run,
		Settle: c.settle,
		Check:  fmt.Sprintf("Read the page with confluence_get_page: if it is at version %d with your text, the change was made", c.Expected+1),
	}
	if c.Dry {
		op.Run, op.Settle = c.preview, nil
	}
	out, err := guard.Do(ctx, t.Door, op)
	return out, Text(out), err
}

func (c Change) preview(ctx context.Context, w *guard.Wiki) (Out, error) {
	page, err := c.expected(ctx, w)
	if err == nil {
		err = pages.CanUpdate(page, c.Publish)
	}
	if err != nil {
		return Out{}, err
	}
	body, lost, err := c.Body(ctx, w, page)
	if err != nil {
		return Out{}, err
	}
	out := Answered(w, page, "Nothing was written: this is what would change.")
	if len(lost) > 0 {
		out.Message += fmt.Sprintf(" This would be lost, so it needs allow_loss: %s.", strings.Join(Some(lost), ", "))
	}
	if title := c.title(page); c.Publish || title != page.Title && page.Status != "draft" { // of which several may have a title
		out.Message += Taken(ctx, w, page, title)
	}
	out.Changes = c.differs(page, body, MaxPreview)
	return out, nil
}

// Taken says, in a preview, that another page of the space has a title already.
// Blog posts may share theirs.
func Taken(ctx context.Context, w *guard.Wiki, page guard.Page, title string) string {
	if page.Type == "blogpost" {
		return ""
	}
	other, err := w.PageByTitle(ctx, page.Space, title)
	if err != nil || other.ID == page.ID {
		return ""
	}
	return " It would be refused: the space has a page of that title, " + other.URL + "."
}

// differs shows what a body changes.
func (c Change) differs(before guard.Page, body string, limit int) string {
	var title string
	if c.title(before) != before.Title {
		title = fmt.Sprintf("Title: %q becomes %q.\n", before.Title, c.title(before))
	}
	if body == before.Body {
		return title + "The body stays as it is.\n"
	}
	return title + Differences(before.Body, body, limit)
}

// Differences shows what changed between two bodies, in Markdown.
func Differences(before, after string, limit int) string {
	x, err1 := markup.ToMarkdown(before, markup.Options{})
	y, err2 := markup.ToMarkdown(after, markup.Options{})
	if err1 != nil || err2 != nil {
		return "What changed cannot be shown as Markdown.\n"
	}
	if changed := markup.Diff(x.Markdown, y.Markdown, limit); changed != "" {
		return changed
	}
	return "The text reads the same in both.\n"
}

// expected is the page, if it is at the version that is replaced.
func (c Change) expected(ctx context.Context, w *guard.Wiki) (guard.Page, error) {
	page, err := pages.Named(ctx, w, c.Page)
	if err == nil && page.Version != c.Expected {
		err = c.conflict(ctx, w, page)
	}
	return page, err
}

func (c Change) run(ctx context.Context, w *guard.Wiki) (Out, error) {
	page, err := c.expected(ctx, w)
	if err != nil {
		return Out{}, err
	}
	out, err := c.put(ctx, w, page)
	if !errors.Is(err, guard.ErrConflict) {
		return out, err
	}
	now, readErr := w.PageVersion(ctx, page.ID, 0)
	if readErr != nil {
		return Out{}, err
	}
	// A proxy on the way to Confluence may have sent it twice, and what was
	// refused is the second.
	if next, err := c.next(ctx, w, now); err == nil && c.made(ctx, w, page, next, c.begun) == Ours {
		return c.done(w, next, now, nil), nil
	}
	return Out{}, c.conflict(ctx, w, now)
}

func (c Change) put(ctx context.Context, w *guard.Wiki, before guard.Page) (Out, error) {
	body, lost, err := c.Body(ctx, w, before)
	if err != nil {
		return Out{}, errors.Join(guard.ErrRefused, err)
	}
	if len(lost) > 0 && !c.Lossy {
		refusal := guard.Refused(usererr.BadInput, "Nothing was written: this would lose what Markdown cannot say and your text does not have",
			"Keep the marks of these in your text, edit only a section, or set allow_loss if they may go")
		return Out{}, tool.Detailed(refusal, tool.Notice+"\nWould be lost: "+strings.Join(Some(lost), ", "))
	}
	if err := c.Images.Bring(ctx, w, before); err != nil {
		return Out{}, err
	}
	page, minor, err := pages.Update(ctx, w, before, pages.Edit{
		Title: c.title(before), Body: body, Message: c.Message, Number: c.Expected + 1, Minor: c.Minor, Publish: c.Publish,
	})
	if err != nil {
		return Out{}, err
	}
	out := c.done(w, page, page, lost)
	if c.Minor && !minor {
		out.Message += " Confluence did not take it as a minor edit."
	}
	return out, nil
}

// done is the answer about the version that was written.
func (c Change) done(w *guard.Wiki, written, now guard.Page, lost []string) Out {
	message := fmt.Sprintf("The page was %s to version %d.", c.Done, written.Version)
	switch {
	case c.Publish:
		message = "The page was published."
	case written.Status == "draft": // which has one version only
		message = "The draft was written. confluence_manage_page publishes it."
	}
	if now.Version != written.Version {
		message += fmt.Sprintf(" It has changed since and is at version %d.", now.Version)
	}
	if len(lost) > 0 {
		message += fmt.Sprintf(" No longer on the page: %s. Version %d still has it.", strings.Join(Some(lost), ", "), c.Expected)
	}
	return Answered(w, written, message)
}

func (c Change) title(before guard.Page) string {
	if c.Title != "" {
		return c.Title
	}
	return before.Title
}
