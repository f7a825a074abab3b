// Package comments speaks about the comments of pages and blog posts, below
// them (footer) and in their text (inline). All of it is REST v2.
package comments

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Comment is a comment. A reply has a Parent; whether it has a PageID or PostID
// as well depends on the call.
type Comment struct {
	ID, PageID, PostID, Parent string
	Inline                     bool
	Status                     string
	Version                    confluence.Version // the newest
	Body                       string             // storage format
	State                      string             // of inline comments: open, reopened, resolved or dangling
	Quote                      string             // the text that an inline comment is about
	Path                       string             // on the site, below /wiki
}

type commentJSON struct {
	ID      confluence.ID      `json:"id"`
	Status  string             `json:"status"`
	PageID  confluence.ID      `json:"pageId"`
	PostID  confluence.ID      `json:"blogPostId"`
	Parent  confluence.ID      `json:"parentCommentId"`
	Version confluence.Version `json:"version"`
	Body    confluence.Body    `json:"body"`
	State   string             `json:"resolutionStatus"`
	// The description has the one name, live answers have the other.
	Properties struct {
		Quote     string `json:"inlineOriginalSelection"`
		QuoteLive string `json:"inline-original-selection"`
	} `json:"properties"`
	Links confluence.Links `json:"_links"`
}

func (c commentJSON) comment(inline bool) (Comment, error) {
	if !confluence.ValidPageID(string(c.ID)) || c.Version.Number < 1 {
		return Comment{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
	}
	quote := c.Properties.Quote
	if quote == "" {
		quote = c.Properties.QuoteLive
	}
	return Comment{
		ID: string(c.ID), PageID: string(c.PageID), PostID: string(c.PostID), Parent: string(c.Parent), Inline: inline, Status: c.Status,
		Version: c.Version,
		Body:    c.Body.Storage.Value, State: c.State, Quote: quote, Path: confluence.SitePath(c.Links.WebUI),
	}, nil
}

func base(inline bool) string {
	if inline {
		return "/api/v2/inline-comments"
	}
	return "/api/v2/footer-comments"
}

// Query asks for one part of the comments of a page or post, those on the top
// level, in the order in which they were made.
type Query struct {
	ID     string // of the page or post
	Post   bool
	Inline bool
	States []string // of inline comments; none is all
	Limit  int
	Cursor string
}

// Of returns one part of a page's comments, and the cursor to go on, "" at the
// end.
func Of(ctx context.Context, c *confluence.Client, q Query) ([]Comment, string, error) {
	path := "/api/v2/pages/" + q.ID
	if q.Post {
		path = "/api/v2/blogposts/" + q.ID
	}
	query := part(q.Limit, q.Cursor)
	if q.Inline {
		path += "/inline-comments"
		query["resolution-status"] = q.States
	} else {
		path += "/footer-comments"
	}
	if !confluence.ValidPageID(q.ID) {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return list(ctx, c, path, query, q.Inline)
}

// Replies returns one part of the replies to a comment.
func Replies(ctx context.Context, c *confluence.Client, to Comment, limit int, cursor string) ([]Comment, string, error) {
	if !confluence.ValidPageID(to.ID) {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	return list(ctx, c, base(to.Inline)+"/"+to.ID+"/children", part(limit, cursor), to.Inline)
}

func part(limit int, cursor string) url.Values {
	query := url.Values{"body-format": {"storage"}, "limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return query
}

func list(ctx context.Context, c *confluence.Client, path string, query url.Values, inline bool) ([]Comment, string, error) {
	found, next, err := confluence.List[commentJSON](ctx, c, path, query)
	if err != nil {
		return nil, "", err
	}
	all := make([]Comment, 0, len(found))
	for _, f := range found {
		one, err := f.comment(inline)
		if err != nil {
			return nil, "", err
		}
		all = append(all, one)
	}
	return all, next, nil
}

// Get returns a comment of one kind, or [confluence.KindNotFound].
func Get(ctx context.Context, c *confluence.Client, id string, inline bool) (Comment, error) {
	if !confluence.ValidPageID(id) {
		return Comment{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	var answer commentJSON
	r := confluence.Request{Method: http.MethodGet, Path: base(inline) + "/" + id, Query: url.Values{"body-format": {"storage"}}}
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Comment{}, err
	}
	return answer.comment(inline)
}

// New is a comment to be made: below a page or post, as a reply to Parent, or,
// if it is inline, about the match of Quote with that index, from 0, of as many
// as there are in the text of the page.
type New struct {
	PageID, PostID, Parent string
	Inline                 bool
	Body                   string // storage format
	Quote                  string
	Matches, Match         int
}

// Create makes a comment.
func Create(ctx context.Context, c *confluence.Client, n New) (Comment, error) {
	body := map[string]any{"body": stored(n.Body)}
	switch {
	case n.Parent != "":
		body["parentCommentId"] = n.Parent
	case n.PostID != "":
		body["blogPostId"] = n.PostID
	default:
		body["pageId"] = n.PageID
	}
	if n.Inline && n.Parent == "" {
		body["inlineCommentProperties"] = map[string]any{
			"textSelection": n.Quote, "textSelectionMatchCount": n.Matches, "textSelectionMatchIndex": n.Match,
		}
	}
	return send(ctx, c, confluence.Request{Method: http.MethodPost, Path: base(n.Inline), Body: body}, n.Inline)
}

// Edit is the next version of a comment. Number must be the current version
// plus one.
type Edit struct {
	Number   int
	Body     string
	Resolved *bool // of inline comments; nil leaves it
}

// Update writes the next version of a comment.
func Update(ctx context.Context, c *confluence.Client, of Comment, e Edit) (Comment, error) {
	body := map[string]any{"version": map[string]any{"number": e.Number}, "body": stored(e.Body)}
	if e.Resolved != nil {
		body["resolved"] = *e.Resolved
	}
	if !confluence.ValidPageID(of.ID) {
		return Comment{}, &confluence.Error{Kind: confluence.KindNotFound}
	}
	return send(ctx, c, confluence.Request{Method: http.MethodPut, Path: base(of.Inline) + "/" + of.ID, Body: body}, of.Inline)
}

// Delete deletes a comment for good.
func Delete(ctx context.Context, c *confluence.Client, of Comment) error {
	if !confluence.ValidPageID(of.ID) {
		return &confluence.Error{Kind: confluence.KindNotFound}
	}
	_, err := c.Do(ctx, confluence.Request{Method: http.MethodDelete, Path: base(of.Inline) + "/" + of.ID}, nil)
	return err
}

func stored(body string) map[string]string {
	return map[string]string{"representation": "storage", "value": body}
}

func send(ctx context.Context, c *confluence.Client, r confluence.Request, inline bool) (Comment, error) {
	var answer commentJSON
	if _, err := c.Do(ctx, r, &answer); err != nil {
		return Comment{}, err
	}
	made, err := answer.comment(inline)
	if err != nil {
		return Comment{}, &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK, Unsure: true}
	}
	return made, nil
}
