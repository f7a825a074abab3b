package comments

import (
	"context"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// New is a comment to be made: a reply to To, else about Quote, else below the
// page.
type New struct {
	Body  string // storage format
	To    *Comment
	Quote Match
}

// Create makes a comment on a page that was read through w.
func Create(ctx context.Context, w *guard.Wiki, page guard.Page, n New) (Comment, error) {
	if page.Status != "current" {
		return Comment{}, usererr.Wrap(guard.ErrRefused, usererr.BadInput, "The page is "+page.Status+", so nobody can comment on it", "")
	}
	made := comments.New{Body: n.Body, Inline: n.Quote.Text != "", Quote: n.Quote.Text, Matches: n.Quote.Of, Match: n.Quote.Index}
	switch {
	case n.To != nil:
		made.Parent, made.Inline = n.To.ID, n.To.Inline
	case page.Type == "blogpost":
		made.PostID = page.ID
	default:
		made.PageID = page.ID
	}
	var out comments.Comment
	err := w.Send(ctx, "The page "+page.ID, scopeWrite, func(c *confluence.Client) (err error) {
		out, err = comments.Create(ctx, c, made)
		return err
	})
	if confluence.Is(err, confluence.KindBadRequest) && made.Inline && n.To == nil {
		err = usererr.Wrap(err, usererr.BadInput, "Confluence does not find the quoted text on the page as it shows it", "Quote less of it, from within one paragraph")
		return Comment{}, errors.Join(guard.ErrRefused, err)
	}
	if err != nil {
		return Comment{}, err
	}
	out.Parent = made.Parent
	return ours(w, page, out), nil
}

// Edit is the next version of a comment that was read through w.
type Edit struct {
	Body     string
	Resolved *bool
}

// Update writes the version after c. The chain of the error has
// [guard.ErrConflict] if c is not the newest.
func Update(ctx context.Context, w *guard.Wiki, page guard.Page, c Comment, e Edit) (Comment, error) {
	var out comments.Comment
	err := w.Send(ctx, "The comment "+c.ID, scopeWrite, func(client *confluence.Client) (err error) {
		out, err = comments.Update(ctx, client, c.theirs(), comments.Edit{Number: c.Version + 1, Body: e.Body, Resolved: e.Resolved})
		return err
	})
	if confluence.Is(err, confluence.KindConflict) {
		return Comment{}, usererr.Wrap(errors.Join(guard.ErrConflict, err), usererr.Conflict, "The comment was changed by somebody else", "Read it again with confluence_get_comments")
	}
	if err != nil {
		return Comment{}, err
	}
	out.Parent = c.Parent
	return ours(w, page, out), nil
}

// Delete deletes a comment for good. One that is not there any more is deleted.
func Delete(ctx context.Context, w *guard.Wiki, c Comment) error {
	gone := false
	err := w.Send(ctx, "The comment "+c.ID, scopeDelete, func(client *confluence.Client) error {
		err := comments.Delete(ctx, client, c.theirs())
		gone = confluence.Is(err, confluence.KindNotFound)
		return err
	})
	if !gone {
		return err
	}
	// Not found is also the answer for those who may not.
	if _, _, readErr := Get(ctx, w, c.ID); usererr.CodeOf(readErr) == usererr.NotFound {
		return nil
	}
	return err
}
