// Package comments has the tools that read and write comments.
package comments

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, getTool)
	tool.Register(s, set, commentTool)
}

// getIn are the arguments of the tool that reads. A cursor holds all that was
// asked, so that it needs nothing beside it.
type getIn struct {
	Page    arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Comment arguments.Ref `json:"comment,omitempty" jsonschema:"instead of page: one, with its replies, in full"`
	Kind    string        `json:"kind,omitempty" jsonschema:"footer or inline; default both"`
	State   string        `json:"state,omitempty" jsonschema:"open or resolved: only inline ones"`
	Limit   int           `json:"limit,omitempty" jsonschema:"1 to 50 threads, default 15"`
	Cursor  string        `json:"cursor,omitempty"`
	Site    string        `json:"site,omitempty"`
}

type getOut struct {
	Notice     string    `json:"notice"`
	Page       string    `json:"page"`
	Title      string    `json:"title"`
	Comments   []comment `json:"comments"`
	NextCursor string    `json:"next_cursor,omitempty"`
}

// comment is a comment or a reply. All are in one list, a reply behind what it
// answers, since nested answers cost models more than they say.
type comment struct {
	ID       string `json:"id"`
	ReplyTo  string `json:"reply_to,omitempty"`
	Kind     string `json:"kind"`
	State    string `json:"state,omitempty"`
	Quote    string `json:"quote,omitempty"`
	Author   string `json:"author"`
	Updated  string `json:"updated,omitempty"`
	Version  int    `json:"version"`
	Markdown string `json:"markdown"`
	Cut      bool   `json:"cut,omitempty"`
}

const getName = "confluence_get_comments"

var getTool = tool.Spec[getIn, getOut]{
	Name: getName, Title: "Read comments",
	Description: "Comments of a Confluence page with replies: inline ones with the text they are about and their state, and those below the page.",
	Run:         get,
}

// Limits of one answer, in characters.
const (
	budget   = 30_000 // all comments, from which on they are cut
	maxAlone = 40_000 // one that was asked for alone
	maxShort = 300    // one beyond the budget
)

const maxReplies = 25 // of one comment; more only when it is asked for alone

// at is where a list goes on: the inline comments come first.
type at struct {
	Page, Site string
	Inline     bool
	Footer     bool // below the page as well, after the inline ones
	States     []string
	Limit      int
	Cursor     string
}

// get reads the comments of a page, or one comment with all its replies.
func get(ctx context.Context, t *tool.Set, in getIn) (getOut, string, error) {
	from, err := start(ctx, t, in)
	if err != nil {
		return getOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getOut]{
		Tool: getName, Site: from.Site, Page: from.Page, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (getOut, error) {
			if in.Comment != "" {
				return thread(ctx, w, string(in.Comment))
			}
			return list(ctx, t, w, from)
		},
	})
	return out, text(out), err
}

// start is where a list begins, or goes on.
func start(ctx context.Context, t *tool.Set, in getIn) (at, error) {
	if in.Cursor != "" {
		var from at
		return from, t.Door.OpenCursor(ctx, getName, in.Cursor, &from)
	}
	if (in.Page == "") == (in.Comment == "") {
		return at{}, usererr.New(usererr.BadInput, "Give either page or comment", "page lists the comments of a page, comment reads one of them")
	}
	limit, err := arguments.Within("limit", in.Limit, 15, 1, 50)
	if err != nil {
		return at{}, err
	}
	kind, err := arguments.OneOf("kind", in.Kind, "both", "footer", "inline")
	if err != nil {
		return at{}, err
	}
	state, err := arguments.OneOf("state", in.State, "all", "open", "resolved")
	if err != nil {
		return at{}, err
	}
	from := at{Page: string(in.Page), Site: in.Site, Inline: kind != "footer", Footer: kind != "inline" && state == "all", Limit: limit}
	switch {
	case state != "all" && kind == "footer":
		return at{}, usererr.New(usererr.BadInput, "Comments below the page have no state", "Leave out state, or ask for kind inline")
	case state == "open":
		from.States = []string{"open", "reopened"}
	case state == "resolved":
		from.States = []string{"resolved"}
	}
	return from, nil
}

// list reads a page's comments up to the limit.
func list(ctx context.Context, t *tool.Set, w *guard.Wiki, from at) (getOut, error) {
	page, err := w.Page(ctx, from.Page)
	if err != nil {
		return getOut{}, err
	}
	from.Page, from.Site = page.ID, w.Site()
	var all []comments.Comment
	for left := from.Limit; left > 0 && (from.Inline || from.Footer); {
		found, next, err := comments.Of(ctx, w, page, comments.Query{Inline: from.Inline, States: from.States, Limit: left, Cursor: from.Cursor})
		if err != nil {
			return getOut{}, err
		}
		left -= len(found)
		all = append(all, found...)
		if from.Cursor = next; next != "" {
			continue // policy leaves nothing out, but Confluence may give fewer than asked for
		}
		if from.Inline {
			from.Inline = false
		} else {
			from.Footer = false
		}
	}
	if all, err = withReplies(ctx, w, page, all); err != nil {
		return getOut{}, err
	}
	out := show(ctx, w, page, all, budget)
	if from.Inline || from.Footer {
		out.NextCursor, err = t.Door.Cursor(ctx, getName, from)
	}
	return out, err
}

// withReplies puts the replies to each comment behind it. Confluence has no list
// of both, so that each comment costs a request: hence the small limit.
func withReplies(ctx context.Context, w *guard.Wiki, page guard.Page, tops []comments.Comment) ([]comments.Comment, error) {
	var all []comments.Comment
	for _, top := range tops {
		replies, _, err := comments.Replies(ctx, w, page, top, comments.Query{Limit: maxReplies})
		if err != nil {
			return nil, err
		}
		all = append(append(all, top), replies...)
	}
	return all, nil
}

// thread reads one comment with all its replies.
func thread(ctx context.Context, w *guard.Wiki, id string) (getOut, error) {
	top, page, err := comments.Get(ctx, w, id)
	if err != nil {
		return getOut{}, err
	}
	all, cursor := []comments.Comment{top}, ""
	for range 4 {
		replies, next, err := comments.Replies(ctx, w, page, top, comments.Query{Limit: 250, Cursor: cursor})
		if err != nil {
			return getOut{}, err
		}
		all = append(all, replies...)
		if cursor = next; next == "" {
			break
		}
	}
	return show(ctx, w, page, all, maxAlone), nil
}

// show makes the answer out of comments, within a budget of characters.
func show(ctx context.Context, w *guard.Wiki, page guard.Page, all []comments.Comment, budget int) getOut {
	out := getOut{Notice: tool.Notice, Page: page.ID, Title: page.Title, Comments: make([]comment, 0, len(all))}
	names := naming(ctx, w, all)
	for _, c := range all {
		shown := comment{
			ID: c.ID, ReplyTo: c.Parent, Kind: "footer", Quote: c.Quote, Author: names.author(c.Author), Updated: tool.Stamp(c.Updated), Version: c.Version,
			Markdown: names.markdown(c.Body),
		}
		if c.Inline {
			shown.Kind = "inline"
			if c.Parent == "" {
				shown.State = c.State
			}
		}
		room := max(budget, maxShort)
		if clipped := tool.Clip(shown.Markdown, room); clipped != shown.Markdown {
			shown.Markdown, shown.Cut = clipped, true
		}
		budget -= len([]rune(shown.Markdown))
		out.Comments = append(out.Comments, shown)
	}
	return out
}

// text says the same as out.
func text(out getOut) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nComments of %s (page %s):\n", tool.Notice, out.Title, out.Page)
	if len(out.Comments) == 0 {
		b.WriteString("\nNone.\n")
	}
	for _, c := range out.Comments {
		what := c.Kind + " comment " + c.ID
		if c.ReplyTo != "" {
			what = "reply " + c.ID + " to " + c.ReplyTo
		}
		fmt.Fprintf(&b, "\n- %s by %s, version %d", what, c.Author, c.Version)
		if c.Updated != "" {
			b.WriteString(", " + c.Updated)
		}
		if c.State != "" {
			b.WriteString(", " + c.State)
		}
		if c.Quote != "" {
			b.WriteString(", about: \"" + c.Quote + "\"")
		}
		b.WriteString("\n  " + strings.ReplaceAll(strings.TrimSpace(c.Markdown), "\n", "\n  ") + "\n")
		if c.Cut {
			b.WriteString("  (cut; call with comment " + c.ID + " for all of it)\n")
		}
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}
