package comments

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/confirm"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/files"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// commentIn are the arguments of the tool that writes: which of them an action
// takes is checked by read.
type commentIn struct {
	Action   string        `json:"action" jsonschema:"create, reply, edit, resolve, reopen or delete"`
	Page     arguments.Ref `json:"page,omitempty" jsonschema:"create: id or URL"`
	Comment  arguments.Ref `json:"comment,omitempty" jsonschema:"all but create: comment id"`
	Body     string        `json:"body,omitempty" jsonschema:"Markdown"`
	Quote    string        `json:"quote,omitempty" jsonschema:"create: text on the page, for an inline comment"`
	Match    int           `json:"match,omitempty" jsonschema:"which one, from 1, of several such texts"`
	Expected int           `json:"expected_version,omitempty" jsonschema:"edit: the one that was read"`
	Loss     bool          `json:"allow_loss,omitempty" jsonschema:"edit: may drop what Markdown cannot say"`
	Confirm  string        `json:"confirm,omitempty" jsonschema:"delete: token of the refusal"`
	Site     string        `json:"site,omitempty"`
}

// commentOut is the comment as it is now, without what it says, which the caller
// knows.
type commentOut struct {
	Message string `json:"message"`
	ID      string `json:"id"`
	Page    string `json:"page"`
	Version int    `json:"version,omitempty"`
	State   string `json:"state,omitempty"`
	URL     string `json:"url,omitempty"`
}

const commentName = "confluence_comment"

var commentTool = tool.Spec[commentIn, commentOut]{
	Name: commentName, Title: "Write a comment",
	Description: "Comment on a Confluence page, below it or inline about a quote; reply, edit, resolve or reopen inline ones, delete (asks first).",
	Write:       true, Destructive: true, Adds: true,
	BulkFor: func(in commentIn) bool { return files.Any(in.Body) },
	Run:     write,
}

// maxBody is how many bytes of a comment are taken.
const maxBody = 1 << 20

// remark is one call, on its way.
type remark struct {
	in     commentIn
	body   string        // storage format
	images *files.Images // that it brings along to its page
	agreed func(confirm.Deed, string) error
}

// write does one thing to one comment, once.
func write(ctx context.Context, t *tool.Set, in commentIn) (commentOut, string, error) {
	r, err := read(in)
	if err != nil {
		return commentOut{}, "", err
	}
	given, ok, err := confirm.Given(ctx, t, commentName, in.Confirm)
	if err != nil {
		return commentOut{}, "", err
	}
	r.images = files.Of(t, in.Body)
	r.agreed = func(deed confirm.Deed, says string) error {
		if !ok {
			return confirm.Ask(ctx, t, commentName, deed, says)
		}
		return given.Covers(deed)
	}
	run, settle := r.steps()
	out, err := guard.Do(ctx, t.Door, guard.Op[commentOut]{
		Tool: commentName, Site: in.Site, Page: string(in.Page), Input: in, Run: run, Settle: settle, Bulk: r.images.Any(),
		Check: "Look with confluence_get_comments whether the comment is there as you want it, before trying again",
	})
	return out, sentence(out), err
}

// steps are what an action does, and how it finds out whether it did.
func (r remark) steps() (run func(context.Context, *guard.Wiki) (commentOut, error), settle func(context.Context, *guard.Wiki, time.Time) (commentOut, error)) {
	again := func(run func(context.Context, *guard.Wiki) (commentOut, error)) func(context.Context, *guard.Wiki, time.Time) (commentOut, error) {
		return func(ctx context.Context, w *guard.Wiki, _ time.Time) (commentOut, error) { return run(ctx, w) }
	}
	switch r.in.Action {
	case "create", "reply":
		return r.create, r.created
	case "edit":
		return r.edit, r.edited
	case "delete":
		return r.remove, r.removed
	}
	return r.resolve, again(r.resolve) // a comment that is resolved stays so
}

// read checks what can be checked before anything is begun.
func read(in commentIn) (remark, error) {
	action, err := arguments.OneOf("action", in.Action, "create", "reply", "edit", "resolve", "reopen", "delete")
	if err != nil {
		return remark{}, err
	}
	in.Action = action
	bad := func(text, hint string) (remark, error) { return remark{}, usererr.New(usererr.BadInput, text, hint) }
	writes := slices.Contains([]string{"create", "reply", "edit"}, action)
	switch {
	case action == "create" && in.Page == "":
		return bad(`The argument "page" is missing`, "To answer a comment use action reply")
	case action != "create" && in.Comment == "":
		return bad(`The argument "comment" is missing`, "confluence_get_comments has the ids")
	case action == "create" && in.Comment != "" || action != "create" && (in.Page != "" || in.Quote != ""):
		return bad("The arguments page and quote belong to action create, comment to the others", "")
	case writes && strings.TrimSpace(in.Body) == "":
		return bad(`The argument "body" is missing`, "Give the comment as Markdown")
	case !writes && in.Body != "":
		return bad("The action "+action+" takes no body", "To change what a comment says use action edit")
	case action == "edit" && in.Expected < 1:
		return bad(`The argument "expected_version" is missing`, "Read the comment with confluence_get_comments first")
	case len(in.Quote) > 2000:
		return bad("The quote is longer than 2,000 bytes", "Quote less of it")
	case in.Match < 0 || in.Match > 0 && in.Quote == "":
		return bad(`The argument "match" says which match of quote is meant, from 1`, "")
	case len(in.Body) > maxBody:
		return remark{}, usererr.New(usererr.TooLarge, "The comment is larger than 1 MB", "Put it on a page")
	}
	body, err := markup.FromMarkdown(in.Body, markup.Options{})
	if err != nil {
		return bad("The body cannot be converted from Markdown", "Simplify it and try again")
	}
	return remark{in: in, body: body}, nil
}

// illustrated is r with the names of attachments in place of the images that its
// text brings along.
func (r remark) illustrated(ctx context.Context) (remark, error) {
	if !r.images.Any() {
		return r, nil
	}
	text, err := r.images.Text(ctx)
	if err != nil {
		return r, err
	}
	r.in.Body = text
	if r.body, err = markup.FromMarkdown(text, markup.Options{}); err != nil {
		return r, usererr.Wrap(err, usererr.BadInput, "The body cannot be converted from Markdown", "Simplify it and try again")
	}
	return r, nil
}

// answered is the answer about a comment.
func answered(page guard.Page, c comments.Comment, message string) commentOut {
	out := commentOut{Message: message, ID: c.ID, Page: page.ID, Version: c.Version, URL: c.URL}
	if c.Inline && c.Parent == "" {
		out.State = c.State
	}
	return out
}

// sentence says the same as out.
func sentence(out commentOut) string {
	text := fmt.Sprintf("%s\n\nComment %s", out.Message, out.ID)
	if out.Page != "" {
		text += " on page " + out.Page
	}
	if out.Version > 0 {
		text += fmt.Sprintf(", version %d", out.Version)
	}
	if out.State != "" {
		text += ", " + out.State
	}
	return text + "\n" + out.URL + "\n"
}

// place finds the page of a new comment, and what it is about.
func (r remark) place(ctx context.Context, w *guard.Wiki) (guard.Page, comments.New, error) {
	made := comments.New{Body: r.body}
	if r.in.Action == "reply" {
		to, page, err := comments.Get(ctx, w, string(r.in.Comment))
		made.To = &to
		return page, made, err
	}
	page, err := w.Page(ctx, string(r.in.Page))
	if err != nil || r.in.Quote == "" {
		return page, made, err
	}
	made.Quote, err = choose(comments.Find(page.Body, r.in.Quote), r.in.Match)
	return page, made, err
}

// choose takes the match that is meant.
func choose(found []comments.Match, match int) (comments.Match, error) {
	refuse := func(text, hint string) error { return usererr.Wrap(guard.ErrRefused, usererr.BadInput, text, hint) }
	switch {
	case len(found) == 0:
		return comments.Match{}, refuse("The quoted text is not on the page", "Quote exactly what a reader sees, without Markdown, from within one paragraph")
	case match > len(found):
		return comments.Match{}, refuse(fmt.Sprintf("The quoted text is on the page %d times, so there is no match %d", len(found), match), "")
	case match > 0:
		return found[match-1], nil
	case len(found) == 1:
		return found[0], nil
	}
	var b strings.Builder
	for i, m := range found[:min(len(found), 10)] {
		fmt.Fprintf(&b, "%d: %s\n", i+1, m.Around)
	}
	return comments.Match{}, tool.Detailed(
		refuse(fmt.Sprintf("The quoted text is on the page %d times", len(found)), "Say which with match, or quote more of it"), tool.Notice+"\n"+b.String())
}

// create makes a comment or a reply.
func (r remark) create(ctx context.Context, w *guard.Wiki) (commentOut, error) {
	r, err := r.illustrated(ctx)
	if err != nil {
		return commentOut{}, errors.Join(guard.ErrRefused, err)
	}
	page, made, err := r.place(ctx, w)
	if err == nil {
		err = r.images.Bring(ctx, w, page)
	}
	if err != nil {
		return commentOut{}, err
	}
	c, err := comments.Create(ctx, w, page, made)
	if err != nil {
		return commentOut{}, err
	}
	return answered(page, c, "The comment was made."), nil
}

// created looks for a comment by the same person with the same text, made since.
// Nothing in Confluence refuses a second one, so without it nobody knows.
func (r remark) created(ctx context.Context, w *guard.Wiki, started time.Time) (commentOut, error) {
	r, err := r.illustrated(ctx)
	if err != nil {
		return commentOut{}, unsure(err)
	}
	page, made, err := r.place(ctx, w)
	if err != nil && page.ID == "" {
		return commentOut{}, unsure(err)
	}
	me, err := w.Me(ctx)
	if err != nil {
		return commentOut{}, err
	}
	inline := r.in.Quote != "" || made.To != nil && made.To.Inline
	var found []comments.Comment
	for cursor, parts := "", 0; parts < 10; parts++ {
		var part []comments.Comment
		if made.To != nil {
			part, cursor, err = comments.Replies(ctx, w, page, *made.To, comments.Query{Limit: 250, Cursor: cursor})
		} else {
			part, cursor, err = comments.Of(ctx, w, page, comments.Query{Inline: inline, Limit: 250, Cursor: cursor})
		}
		if err != nil {
			return commentOut{}, err
		}
		for _, c := range part {
			if c.Author == me.ID && c.Version == 1 && !c.Updated.Before(started.Add(-skew)) && markup.SameText(c.Body, r.body) {
				found = append(found, c)
			}
		}
		if cursor == "" {
			break
		}
	}
	if len(found) == 1 {
		return answered(page, found[0], "The comment was made."), nil
	}
	return commentOut{}, usererr.New(usererr.Unknown, "It is not certain whether the comment was made", "")
}

// unsure is err as something that leaves the outcome open: a page that cannot be
// read now says nothing about the comment.
func unsure(err error) error {
	return usererr.New(usererr.Unknown, "It is not certain whether the comment was made: "+usererr.Text(err, ""), "")
}

// skew is how far Confluence's clock may be behind ours for a comment to be
// taken for the one that was sent. It is short: the same words may have been
// said a minute before.
const skew = 2 * time.Second

// edit replaces what a comment says, if it still is at the version that was read.
func (r remark) edit(ctx context.Context, w *guard.Wiki) (commentOut, error) {
	r, err := r.illustrated(ctx)
	if err != nil {
		return commentOut{}, errors.Join(guard.ErrRefused, err)
	}
	c, page, err := comments.Get(ctx, w, string(r.in.Comment))
	if err != nil {
		return commentOut{}, err
	}
	if c.Version != r.in.Expected {
		return commentOut{}, conflict(c, r.in.Expected)
	}
	body, err := r.over(c)
	if err != nil {
		return commentOut{}, errors.Join(guard.ErrRefused, err)
	}
	if err := r.images.Bring(ctx, w, page); err != nil {
		return commentOut{}, err
	}
	next, err := comments.Update(ctx, w, page, c, comments.Edit{Body: body})
	if err != nil {
		return commentOut{}, err
	}
	return answered(page, next, fmt.Sprintf("The comment was changed, to version %d.", next.Version)), nil
}

// over is the body of an edit in place of that of c: what did not change keeps
// its bytes.
func (r remark) over(c comments.Comment) (string, error) {
	body, lost, err := markup.Rewrite(c.Body, r.in.Body, markup.Options{})
	if err != nil { // what stands there cannot be read, and all of it goes
		body, lost = r.body, []string{"content that cannot be read"}
	}
	if len(lost) > 0 && !r.in.Loss {
		return "", usererr.New(usererr.BadInput, "The comment would lose what Markdown cannot say: "+tool.Clip(strings.Join(lost, ", "), 500), "Keep the [[confluence:...]] marks of the comment in body, or set allow_loss")
	}
	return body, nil
}

// conflict says that a comment has changed, and what it says now.
func conflict(c comments.Comment, expected int) error {
	return tool.Detailed(
		usererr.Wrap(guard.ErrConflict, usererr.Conflict, fmt.Sprintf("The comment is at version %d, not %d; nothing was written", c.Version, expected),
			fmt.Sprintf("Work what it says now into your text, then call again with expected_version %d", c.Version)),
		tool.Notice+"\n"+tool.Clip(names(nil).markdown(c.Body), 2000))
}

// edited finds out whether the version after the expected one is ours.
// Confluence takes each version number once, so that sending it again cannot
// make two.
func (r remark) edited(ctx context.Context, w *guard.Wiki, _ time.Time) (commentOut, error) {
	r, err := r.illustrated(ctx)
	if err != nil {
		return commentOut{}, usererr.New(usererr.Unknown, "It is not certain whether the comment was changed: "+usererr.Text(err, ""), "")
	}
	for range 2 { // the version may come while this looks
		c, page, err := comments.Get(ctx, w, string(r.in.Comment))
		if err != nil {
			return commentOut{}, err
		}
		me, err := w.Me(ctx)
		switch {
		case err != nil:
			return commentOut{}, err
		case c.Version == r.in.Expected:
			if out, err := r.edit(ctx, w); !errors.Is(err, guard.ErrConflict) {
				return out, err
			}
			continue
		case c.Version == r.in.Expected+1 && c.Author == me.ID && r.says(ctx, w, c):
			return answered(page, c, fmt.Sprintf("The comment was changed, to version %d.", c.Version)), nil
		case c.Version == r.in.Expected+1 && c.Author != me.ID:
			return commentOut{}, conflict(c, r.in.Expected)
		}
		break
	}
	return commentOut{}, usererr.New(usererr.Unknown, "The comment was changed, and it is not certain whether this call did", "")
}

// says reports whether a comment reads like the body of the call.
func (r remark) says(ctx context.Context, w *guard.Wiki, c comments.Comment) bool {
	now := naming(ctx, w, []comments.Comment{c}).markdown(c.Body)
	return markup.SameText(c.Body, r.body) || slices.Equal(strings.Fields(now), strings.Fields(r.in.Body))
}

// resolve settles an inline comment, or opens it again. One that is so already
// is left alone.
func (r remark) resolve(ctx context.Context, w *guard.Wiki) (commentOut, error) {
	c, page, err := comments.Get(ctx, w, string(r.in.Comment))
	if err != nil {
		return commentOut{}, err
	}
	resolved := r.in.Action == "resolve"
	refuse := func(text, hint string) (commentOut, error) {
		return commentOut{}, usererr.Wrap(guard.ErrRefused, usererr.BadInput, text, hint)
	}
	switch {
	case !c.Inline:
		return refuse("Only inline comments can be resolved; this one is below the page", "Reply to it instead")
	case c.Parent != "":
		return refuse("A reply cannot be resolved, only the comment above it", "Use comment "+c.Parent)
	case c.State == "dangling":
		return refuse("The text that the comment is about is no longer on the page, so its state cannot be changed", "Reply to it, or delete it")
	case resolved == (c.State == "resolved"):
		return answered(page, c, "The comment is "+c.State+"."), nil
	}
	next, err := comments.Update(ctx, w, page, c, comments.Edit{Body: c.Body, Resolved: &resolved})
	if err != nil {
		return commentOut{}, err
	}
	return answered(page, next, "The comment is "+next.State+" now."), nil
}

// remove deletes a comment after a yes, which is for the version that was shown.
func (r remark) remove(ctx context.Context, w *guard.Wiki) (commentOut, error) {
	c, page, err := comments.Get(ctx, w, string(r.in.Comment))
	if err != nil {
		return commentOut{}, err
	}
	says := fmt.Sprintf("Delete the comment %s on the page %q and its replies for good; it says: %q", c.ID, page.Title, tool.Clip(names(nil).markdown(c.Body), 200))
	if err := r.agreed(confirm.Deed{Action: "delete", Site: w.Site(), Kind: "comment", ID: c.ID, Version: c.Version}, says); err != nil {
		return commentOut{}, errors.Join(guard.ErrRefused, err)
	}
	if err := comments.Delete(ctx, w, c); err != nil {
		return commentOut{}, err
	}
	return commentOut{Message: "The comment was deleted.", ID: c.ID, Page: page.ID}, nil
}

// removed is remove, for which a comment that is not there was deleted.
func (r remark) removed(ctx context.Context, w *guard.Wiki, _ time.Time) (commentOut, error) {
	out, err := r.remove(ctx, w)
	if usererr.CodeOf(err) == usererr.NotFound {
		return commentOut{Message: "The comment is not there any more.", ID: string(r.in.Comment)}, nil
	}
	return out, err
}
