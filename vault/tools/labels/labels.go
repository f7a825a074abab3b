// Package labels has the tool for the labels of pages.
package labels

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/labels"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/search"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, labelsTool) }

// labelsIn are the arguments. Reading and writing share one tool, so that the
// list of tools stays short; it is announced as one that writes.
type labelsIn struct {
	Action string          `json:"action" jsonschema:"list, add or remove (of pages), find (pages by labels) or used (in a space)"`
	Pages  []arguments.Ref `json:"pages,omitempty" jsonschema:"up to 25 ids or URLs"`
	Labels []string        `json:"labels,omitempty" jsonschema:"names"`
	Any    bool            `json:"any,omitempty" jsonschema:"find: one label is enough"`
	Space  string          `json:"space,omitempty" jsonschema:"key, for find and used"`
	Site   string          `json:"site,omitempty"`
	Limit  int             `json:"limit,omitempty" jsonschema:"1 to 50, default 25"`
	Cursor string          `json:"cursor,omitempty"`
}

type labelsOut struct {
	Message    string   `json:"message"`
	Pages      []page   `json:"pages,omitempty"`
	Labels     []string `json:"labels,omitempty"`
	NextCursor string   `json:"next_cursor,omitempty"`
}

// page is a page with its labels, or why there are none.
type page struct {
	ID     string   `json:"id"`
	Title  string   `json:"title,omitempty"`
	Space  string   `json:"space,omitempty"`
	Labels []string `json:"labels,omitempty"`
	Error  string   `json:"error,omitempty"`
}

const name = "confluence_labels"

var labelsTool = tool.Spec[labelsIn, labelsOut]{
	Name: name, Title: "Labels of pages",
	Description: "List, add and remove labels of Confluence pages, several at once; find pages by labels; list the labels of a space.",
	Write:       true, Destructive: true,
	Run: run,
}

// Limits of one call.
const (
	maxPages  = 25
	maxLabels = 20
	maxLabel  = 255 // bytes
)

// cursor is where find and used go on.
type cursor struct {
	Action, Site, Space string
	Query               search.Query
	Limit               int
	Cursor              string
}

// run lists, adds or removes the labels of pages, or finds pages and labels.
func run(ctx context.Context, t *tool.Set, in labelsIn) (labelsOut, string, error) {
	in, err := checked(in)
	if err != nil {
		return labelsOut{}, "", err
	}
	op := guard.Op[labelsOut]{Tool: name, Site: in.Site, Input: in, Check: "Look with confluence_labels, action list: adding and removing may be repeated"}
	switch in.Action {
	case "find", "used":
		at, err := begin(ctx, t, in)
		if err != nil {
			return labelsOut{}, "", err
		}
		op.Site = at.Site
		op.Run = func(ctx context.Context, w *guard.Wiki) (labelsOut, error) { return at.look(ctx, t, w) }
	default:
		op.Page = string(in.Pages[0])
		op.Run = func(ctx context.Context, w *guard.Wiki) (labelsOut, error) { return each(ctx, w, in) }
		if in.Action != "list" {
			// A page that has a label, or has it no more, stays so.
			op.Settle = func(ctx context.Context, w *guard.Wiki, _ time.Time) (labelsOut, error) { return each(ctx, w, in) }
		}
	}
	out, err := guard.Do(ctx, t.Door, op)
	return out, text(out), err
}

// checked brings arguments into one form and refuses what no action takes.
// Confluence keeps labels in small letters.
func checked(in labelsIn) (labelsIn, error) {
	bad := func(text, hint string) (labelsIn, error) { return in, usererr.New(usererr.BadInput, text, hint) }
	action, err := arguments.OneOf("action", in.Action, "list", "add", "remove", "find", "used")
	if err != nil {
		return in, err
	}
	in.Action = action
	var names []string
	for _, text := range in.Labels {
		for _, label := range strings.Split(text, ",") {
			if label = strings.ToLower(strings.TrimPrefix(strings.TrimSpace(label), "#")); label != "" && !slices.Contains(names, label) {
				names = append(names, label)
			}
		}
	}
	in.Labels = names
	ofPages := action == "list" || action == "add" || action == "remove"
	switch {
	case in.Cursor != "" && !ofPages:
	case ofPages && len(in.Pages) == 0:
		return bad(`The argument "pages" is missing`, "Give ids or URLs of pages")
	case len(in.Pages) > maxPages:
		return bad(fmt.Sprintf("More than %d pages are named", maxPages), "Split the call")
	case !ofPages && len(in.Pages) > 0:
		return bad("The argument pages belongs to the actions list, add and remove", "")
	case (action == "add" || action == "remove" || action == "find") && len(names) == 0:
		return bad(`The argument "labels" is missing`, "")
	case len(names) > maxLabels:
		return bad(fmt.Sprintf("More than %d labels are named", maxLabels), "Split the call")
	case action == "used" && in.Space == "":
		return bad(`The argument "space" is missing`, "confluence_list_spaces has the keys")
	}
	for _, label := range names {
		if len(label) > maxLabel || strings.ContainsFunc(label, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return bad("The label "+plaintext.Line(label, 60)+" cannot be one", "Labels are single words; join several with hyphens")
		}
	}
	return in, nil
}

// each lists or changes the labels of all pages. What goes wrong with one page
// is said beside it; what leaves open whether it was changed ends the call.
func each(ctx context.Context, w *guard.Wiki, in labelsIn) (labelsOut, error) {
	var out labelsOut
	var failures []error
	for _, ref := range in.Pages {
		shown, err := one(ctx, w, string(ref), in)
		if err == nil {
			out.Pages = append(out.Pages, shown)
			continue
		}
		if done := len(out.Pages) - len(failures); len(in.Pages) == 1 || ctx.Err() != nil || !about(err) {
			if done > 0 && in.Action != "list" {
				err = tool.Detailed(err, fmt.Sprintf("%d of %d pages are done. The call may be repeated as it is.", done, len(in.Pages)))
			}
			return labelsOut{}, err
		}
		failures = append(failures, err)
		out.Pages = append(out.Pages, page{ID: plaintext.Line(string(ref), 200), Error: usererr.Text(err, "")})
	}
	done := len(in.Pages) - len(failures)
	if done == 0 {
		return labelsOut{}, failures[0]
	}
	out.Message = fmt.Sprintf("%s: %d of %d pages.", map[string]string{"list": "Labels", "add": "Labels added", "remove": "Labels removed"}[in.Action], done, len(in.Pages))
	return out, nil
}

// about reports whether an error is about one page, so that the next may go
// better.
func about(err error) bool {
	return slices.Contains([]usererr.Code{usererr.NotFound, usererr.Denied, usererr.BadInput, usererr.Conflict}, usererr.CodeOf(err))
}

// one does it for one page, which passes the gate as every page does.
func one(ctx context.Context, w *guard.Wiki, ref string, in labelsIn) (page, error) {
	p, err := w.Page(ctx, ref)
	if err != nil {
		return page{}, err
	}
	var all []string
	switch in.Action {
	case "add":
		all, err = labels.Add(ctx, w, p, in.Labels)
	case "remove":
		all, err = labels.Remove(ctx, w, p, in.Labels)
	default:
		all, err = labels.Of(ctx, w, p)
	}
	slices.Sort(all)
	return page{ID: p.ID, Title: p.Title, Space: p.Space, Labels: all}, err
}

// begin is where find and used begin, or go on.
func begin(ctx context.Context, t *tool.Set, in labelsIn) (cursor, error) {
	limit, err := arguments.Within("limit", in.Limit, 25, 1, 50)
	if err != nil {
		return cursor{}, err
	}
	at := cursor{Action: in.Action, Site: in.Site, Space: in.Space, Limit: limit, Query: search.Query{
		Labels: in.Labels, AllLabels: !in.Any, Spaces: []string{in.Space}, Order: "updated", Limit: limit,
	}}
	if in.Cursor == "" {
		return at, nil
	}
	at = cursor{}
	if err := t.Door.OpenCursor(ctx, name, in.Cursor, &at); err != nil {
		return at, err
	}
	if at.Action != in.Action {
		return at, usererr.New(usererr.BadInput, "The cursor belongs to action "+at.Action, "Leave out cursor")
	}
	return at, nil
}

// look finds pages by labels, or the labels of a space.
func (at cursor) look(ctx context.Context, t *tool.Set, w *guard.Wiki) (labelsOut, error) {
	var out labelsOut
	var err error
	at.Site = w.Site()
	if at.Action == "used" {
		if out.Labels, at.Cursor, err = labels.InSpace(ctx, w, at.Space, at.Limit, at.Cursor); err != nil {
			return out, err
		}
		out.Message = fmt.Sprintf("%d labels that are used in space %s.", len(out.Labels), at.Space)
	} else {
		hits, err := search.Find(ctx, w, at.Query)
		if err != nil {
			return out, err
		}
		for _, h := range hits.Hits {
			out.Pages = append(out.Pages, page{ID: h.ID, Title: h.Title, Space: h.Space})
		}
		at.Cursor, at.Query.Cursor, at.Query.Start = hits.Cursor, hits.Cursor, hits.Start
		out.Message = fmt.Sprintf("%d pages.", len(out.Pages))
	}
	if at.Cursor != "" {
		out.NextCursor, err = t.Door.Cursor(ctx, name, at)
	}
	return out, err
}

// text says the same as out.
func text(out labelsOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n" + out.Message + "\n\n")
	for _, p := range out.Pages {
		switch {
		case p.Error != "":
			fmt.Fprintf(&b, "- %s: %s\n", p.ID, p.Error)
		case p.Labels != nil:
			fmt.Fprintf(&b, "- %s (page %s in space %s): %s\n", p.Title, p.ID, p.Space, strings.Join(p.Labels, ", "))
		default:
			fmt.Fprintf(&b, "- %s (page %s in space %s)\n", p.Title, p.ID, p.Space)
		}
	}
	if len(out.Labels) > 0 {
		b.WriteString(strings.Join(out.Labels, ", ") + "\n")
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}
