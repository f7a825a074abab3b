// Package trees has the tool that shows where pages stand.
package trees

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/trees"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// Add adds the tool.
func Add(s *mcp.Server, set *tool.Set) { tool.Register(s, set, treeTool) }

const getTree = "confluence_get_tree"

type treeIn struct {
	Page   arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Space  string        `json:"space,omitempty" jsonschema:"key, instead of page: from its top"`
	View   string        `json:"view,omitempty" jsonschema:"children (default), descendants or ancestors"`
	Depth  int           `json:"depth,omitempty" jsonschema:"levels of descendants, 1 to 9, default 3"`
	Limit  int           `json:"limit,omitempty" jsonschema:"1 to 500 items, default 100"`
	Cursor string        `json:"cursor,omitempty"`
	Site   string        `json:"site,omitempty"`
}

type itemOut struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Type     string `json:"type,omitempty"`
	Depth    int    `json:"depth"`
	Children bool   `json:"has_children,omitempty"`
}

type treeOut struct {
	Notice     string    `json:"notice"`
	Site       string    `json:"site"`
	Items      []itemOut `json:"items"`
	Part       string    `json:"part,omitempty"`
	NextCursor string    `json:"next_cursor,omitempty"`
}

var treeTool = tool.Spec[treeIn, treeOut]{
	Name: getTree, Title: "Show where pages stand",
	Description: "List what is below or above a page, or in a space: ids, titles and depths, in the order of the tree.",
	Run:         tree,
}

// treeCursor is where a list goes on.
type treeCursor struct {
	Site, Page, Space, View string
	Depth, Limit, Offset    int
}

func tree(ctx context.Context, t *tool.Set, in treeIn) (treeOut, string, error) {
	at, err := from(ctx, t, in)
	if err != nil {
		return treeOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[treeOut]{
		Tool: getTree, Site: at.Site, Page: at.Page, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (treeOut, error) { return at.look(ctx, t, w) },
	})
	return out, text(out), err
}

func from(ctx context.Context, t *tool.Set, in treeIn) (at treeCursor, err error) {
	if in.Cursor != "" {
		return at, t.Door.OpenCursor(ctx, getTree, in.Cursor, &at)
	}
	if (in.Page == "") == (in.Space == "") {
		return at, usererr.New(usererr.BadInput, "It is not said where to look", "Give either page or space")
	}
	at = treeCursor{Site: in.Site, Page: string(in.Page), Space: in.Space}
	if at.View, err = arguments.OneOf("view", in.View, "children", "descendants", "ancestors"); err != nil {
		return at, err
	}
	if at.View == "ancestors" && in.Space != "" {
		return at, usererr.New(usererr.BadInput, "A space has nothing above it", "Give page for view ancestors")
	}
	if at.Limit, err = arguments.Within("limit", in.Limit, 100, 1, 500); err != nil {
		return at, err
	}
	at.Depth, err = arguments.Within("depth", in.Depth, 3, 1, trees.MaxDepth)
	switch {
	case err == nil && at.View == "children" && in.Depth > 1:
		at.View = "descendants"
	case at.View == "children":
		at.Depth = 1
	}
	return at, err
}

func (at treeCursor) look(ctx context.Context, t *tool.Set, w *guard.Wiki) (treeOut, error) {
	found, err := at.read(ctx, w)
	if err != nil {
		return treeOut{}, err
	}
	out := treeOut{Notice: tool.Notice, Site: w.Site(), Items: []itemOut{}}
	first := min(at.Offset, len(found.Nodes))
	last := min(first+at.Limit, len(found.Nodes))
	for _, n := range found.Nodes[first:last] {
		item := itemOut{ID: n.ID, Title: n.Title, Type: n.Type, Depth: n.Depth, Children: n.Children}
		if item.Type == "page" {
			item.Type = ""
		}
		out.Items = append(out.Items, item)
	}
	if first > 0 || last < len(found.Nodes) {
		out.Part = fmt.Sprintf("Items %d to %d of %d are shown.", first+1, last, len(found.Nodes))
	}
	if found.More {
		out.Part += " There is more below than was looked at: ask for a page further down."
	}
	if last < len(found.Nodes) {
		at.Site, at.Offset = w.Site(), last
		out.NextCursor, err = t.Door.Cursor(ctx, getTree, at)
	}
	out.Part = strings.TrimSpace(out.Part)
	return out, err
}

func (at treeCursor) read(ctx context.Context, w *guard.Wiki) (trees.Tree, error) {
	if at.Space != "" {
		return trees.Space(ctx, w, at.Space, at.Depth)
	}
	page, err := w.Page(ctx, at.Page)
	switch {
	case err != nil:
		return trees.Tree{}, err
	case page.Type != "page":
		return trees.Tree{}, usererr.New(usererr.BadInput, "This is a blog post, and those have no place in the tree of pages", "Name a page or a space")
	case at.View == "ancestors":
		return trees.Above(ctx, w, page)
	}
	return trees.Below(ctx, w, page, at.Depth)
}

func text(out treeOut) string {
	var b strings.Builder
	if out.Part != "" {
		b.WriteString(out.Part + "\n")
	}
	// Before the content, so that nobody else can have written it.
	tool.More(&b, out.NextCursor)
	b.WriteString(tool.Notice + "\n\n")
	if len(out.Items) == 0 {
		b.WriteString("Nothing is there.\n")
	}
	least := 1
	if len(out.Items) > 0 {
		least = min(least, out.Items[0].Depth)
	}
	for _, item := range out.Items {
		b.WriteString(strings.Repeat("  ", item.Depth-least) + "- " + tool.Clip(item.Title, 200) + " (" + item.ID)
		if item.Type != "" {
			b.WriteString(", " + item.Type)
		}
		if item.Children {
			b.WriteString(", has children")
		}
		b.WriteString(")\n")
	}
	return b.String()
}
