// Package history has the tool that lists and compares the versions of a page.
package history

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/versions"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/change"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, versionsTool) }

const getVersions = "confluence_versions"

type versionsIn struct {
	Page     arguments.Ref `json:"page" jsonschema:"id or URL"`
	From     int           `json:"from,omitempty" jsonschema:"compare: older version"`
	To       int           `json:"to,omitempty" jsonschema:"compare: newer version, default current"`
	Compare  bool          `json:"compare,omitempty" jsonschema:"show what changed"`
	MaxChars int           `json:"max_chars,omitempty" jsonschema:"of what changed"`
	Limit    int           `json:"limit,omitempty" jsonschema:"list: 1 to 100, default 25"`
	Cursor   string        `json:"cursor,omitempty"`
	Site     string        `json:"site,omitempty"`
}

type versionOut struct {
	Version int    `json:"version"`
	Written string `json:"written,omitempty"`
	Author  string `json:"author_id,omitempty"`
	Message string `json:"message,omitempty"`
	Minor   bool   `json:"minor,omitempty"`
}

type versionsOut struct {
	Notice     string       `json:"notice"`
	ID         string       `json:"id"`
	Title      string       `json:"title"`
	Versions   []versionOut `json:"versions"`
	Changes    string       `json:"changes,omitempty"`
	NextCursor string       `json:"next_cursor,omitempty"`
}

var versionsTool = tool.Spec[versionsIn, versionsOut]{
	Name: getVersions, Title: "History of a Confluence page",
	Description: "List the versions of a page, or compare two. confluence_get_page reads an old one, confluence_manage_page restores it.",
	Run:         list,
}

// versionsCursor is where a list goes on.
type versionsCursor struct {
	Site, Page, Cursor string
	Limit              int
}

func list(ctx context.Context, t *tool.Set, in versionsIn) (versionsOut, string, error) {
	limit, err := arguments.Within("limit", in.Limit, 25, 1, 100)
	if err != nil {
		return versionsOut{}, "", err
	}
	if in.MaxChars, err = arguments.Within("max_chars", in.MaxChars, 20000, 1000, 100000); err != nil {
		return versionsOut{}, "", err
	}
	at := versionsCursor{Site: in.Site, Page: string(in.Page), Limit: limit}
	if in.Cursor != "" {
		if err := t.Door.OpenCursor(ctx, getVersions, in.Cursor, &at); err != nil {
			return versionsOut{}, "", err
		}
	}
	run := func(ctx context.Context, w *guard.Wiki) (versionsOut, error) { return at.list(ctx, t, w) }
	if in.Compare || in.From != 0 || in.To != 0 {
		run = in.compare
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[versionsOut]{Tool: getVersions, Site: at.Site, Page: at.Page, Input: in, Run: run})
	return out, text(out), err
}

func (at versionsCursor) list(ctx context.Context, t *tool.Set, w *guard.Wiki) (versionsOut, error) {
	page, err := w.Page(ctx, at.Page)
	if err != nil {
		return versionsOut{}, err
	}
	found, next, err := versions.List(ctx, w, page, at.Limit, at.Cursor)
	if err != nil {
		return versionsOut{}, err
	}
	out := versionsOut{Notice: tool.Notice, ID: page.ID, Title: page.Title, Versions: []versionOut{}}
	for _, v := range found {
		out.Versions = append(out.Versions, versionOut{v.Number, tool.Stamp(v.Created), v.Author, tool.Clip(v.Message, 300), v.Minor})
	}
	if next != "" {
		out.NextCursor, err = t.Door.Cursor(ctx, getVersions, versionsCursor{w.Site(), page.ID, next, at.Limit})
	}
	return out, err
}

func (in versionsIn) compare(ctx context.Context, w *guard.Wiki) (versionsOut, error) {
	page, err := w.Page(ctx, string(in.Page))
	if err != nil {
		return versionsOut{}, err
	}
	if in.To == 0 {
		in.To = page.Version
	}
	if in.From == 0 {
		in.From = in.To - 1
	}
	if in.From < 1 || in.To > page.Version || in.From >= in.To {
		return versionsOut{}, usererr.New(usererr.BadInput, fmt.Sprintf("There is nothing to compare between the versions %d and %d of a page at version %d", in.From, in.To, page.Version),
			"Give from and to, the older one first")
	}
	older, err := w.PageVersion(ctx, page.ID, in.From)
	if err != nil {
		return versionsOut{}, err
	}
	newer := page
	if in.To != page.Version {
		if newer, err = w.PageVersion(ctx, page.ID, in.To); err != nil {
			return versionsOut{}, err
		}
	}
	out := versionsOut{Notice: tool.Notice, ID: page.ID, Title: page.Title, Versions: []versionOut{described(older), described(newer)}}
	if older.Title != newer.Title {
		out.Changes = fmt.Sprintf("Title: %q became %q.\n", older.Title, newer.Title)
	}
	out.Changes += change.Differences(older.Body, newer.Body, in.MaxChars)
	if lost := markup.Loss(older.Body, newer.Body); len(lost) > 0 {
		out.Changes += "No longer there, beside the text: " + strings.Join(change.Some(lost), ", ") + "\n"
	}
	return out, nil
}

func described(p guard.Page) versionOut {
	return versionOut{Version: p.Version, Written: tool.Stamp(p.Updated), Author: p.Author, Message: tool.Clip(p.Message, 300)}
}

func text(out versionsOut) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Versions of page %s\n", out.ID)
	// Before the content, so that nobody else can have written it.
	tool.More(&b, out.NextCursor)
	b.WriteString("\n" + tool.Notice + "\n\n# " + out.Title + "\n\n")
	for _, v := range out.Versions {
		fmt.Fprintf(&b, "- version %d, %s, by account %s", v.Version, v.Written, v.Author)
		if v.Minor {
			b.WriteString(", minor edit")
		}
		if v.Message != "" {
			b.WriteString(": " + v.Message)
		}
		b.WriteString("\n")
	}
	if out.Changes != "" {
		b.WriteString("\n" + out.Changes)
	}
	return b.String()
}
