// Package comments reads and writes comments with the guard's leave. A comment
// belongs to its page: who may not see the page sees none of them.
package comments

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Scopes that are needed.
const (
	scopeRead   = "read:comment:confluence"
	scopeWrite  = "write:comment:confluence"
	scopeDelete = "delete:comment:confluence"
)

// Comment is a comment of a page that the person may see.
type Comment struct {
	ID, Parent string
	Inline     bool
	Version    int
	Author     string // account id of who wrote this version
	Updated    time.Time
	Body       string // storage format
	State      string // of inline comments: open, reopened, resolved or dangling
	Quote      string // the text that an inline comment is about
	URL        string
}

func ours(w *guard.Wiki, page guard.Page, c comments.Comment) Comment {
	w.Note("comment", c.ID, page.Space)
	link := w.Link(c.Path)
	if link == "" {
		link = page.URL
	}
	return Comment{
		ID: c.ID, Parent: c.Parent, Inline: c.Inline, Version: c.Version.Number, Author: c.Version.AuthorID, Updated: c.Version.Created,
		Body: c.Body, State: c.State, Quote: plaintext.Line(c.Quote, 500), URL: link,
	}
}

func (c Comment) theirs() comments.Comment { return comments.Comment{ID: c.ID, Inline: c.Inline} }

// Query asks for one part of a page's comments, those on the top level.
type Query struct {
	Inline bool
	States []string // of inline comments; none is all
	Limit  int
	Cursor string
}

// Of returns one part of the comments of a page that was read through w, and the
// cursor to go on, "" at the end.
func Of(ctx context.Context, w *guard.Wiki, page guard.Page, q Query) (all []Comment, next string, err error) {
	var found []comments.Comment
	err = w.Ask(ctx, "The comments of the page", scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = comments.Of(ctx, c, comments.Query{
			ID: page.ID, Post: page.Type == "blogpost", Inline: q.Inline, States: q.States, Limit: q.Limit, Cursor: q.Cursor,
		})
		return err
	})
	for _, f := range found {
		all = append(all, ours(w, page, f))
	}
	return all, next, err
}

// Replies returns one part of the replies to a comment of page; of q count limit
// and cursor.
func Replies(ctx context.Context, w *guard.Wiki, page guard.Page, to Comment, q Query) (all []Comment, next string, err error) {
	var found []comments.Comment
	err = w.Ask(ctx, "The replies", scopeRead, func(c *confluence.Client) (err error) {
		found, next, err = comments.Replies(ctx, c, to.theirs(), q.Limit, q.Cursor)
		return err
	})
	for _, f := range found {
		f.Parent = to.ID
		all = append(all, ours(w, page, f))
	}
	return all, next, err
}

// maxUp is how many comments one may be below another: Confluence has one level
// of replies, and once had more.
const maxUp = 20

// Get returns the comment with an id, of whatever kind, and its page.
func Get(ctx context.Context, w *guard.Wiki, id string) (Comment, guard.Page, error) {
	what := "The comment " + plaintext.Line(id, 40)
	found, err := get(ctx, w, id)
	top := found
	for up := 0; err == nil && top.PageID == "" && top.PostID == "" && top.Parent != "" && up < maxUp; up++ {
		var above comments.Comment
		above, err = one(ctx, w, top.Parent, top.Inline)
		top = above
	}
	page := top.PageID + top.PostID
	if err == nil && page == "" { // of an attachment, or something newer
		err = usererr.New(usererr.NotFound, "", "")
	}
	var on guard.Page
	if err == nil {
		on, err = w.PageVersion(ctx, page, 0)
	}
	switch {
	case usererr.CodeOf(err) == usererr.NotFound:
		return Comment{}, guard.Page{}, usererr.Wrap(err, usererr.NotFound, what+" was not found, or it is not available to you", "confluence_get_comments has the ids of a page's comments")
	case err != nil:
		return Comment{}, guard.Page{}, err
	}
	return ours(w, on, found), on, nil
}

// get finds out the kind of a comment by asking for each.
func get(ctx context.Context, w *guard.Wiki, id string) (comments.Comment, error) {
	found, err := one(ctx, w, id, false)
	if usererr.CodeOf(err) == usererr.NotFound {
		return one(ctx, w, id, true)
	}
	return found, err
}

func one(ctx context.Context, w *guard.Wiki, id string, inline bool) (found comments.Comment, err error) {
	err = w.Ask(ctx, "The comment "+plaintext.Line(id, 40), scopeRead, func(c *confluence.Client) (err error) {
		found, err = comments.Get(ctx, c, id, inline)
		return err
	})
	return found, err
}
