// Package content has the tools for what stands in Confluence's tree and is no
// page: folders, whiteboards, databases and embedded links. Confluence's API
// has their outside only, and the tools say so.
package content

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/content"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const toolset = "content"

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, getTool)
	tool.Register(s, set, createTool)
}

const getName = "confluence_get_content"

type getIn struct {
	ID     arguments.Ref `json:"id" jsonschema:"id or URL of a folder, whiteboard, database or embedded link"`
	Kind   string        `json:"kind,omitempty" jsonschema:"folder, whiteboard, database or embed, if known"`
	Depth  int           `json:"depth,omitempty" jsonschema:"how deep to look below, 1 to 10, default 1"`
	Limit  int           `json:"limit,omitempty" jsonschema:"of what is below, 1 to 250, default 50"`
	Site   string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Cursor string        `json:"cursor,omitempty"`
}

type getOut struct {
	Notice     string `json:"notice"`
	Site       string `json:"site"`
	Object     object `json:"object"`
	Above      []node `json:"above,omitempty" jsonschema:"the highest first"`
	Below      []node `json:"below,omitempty"`
	NextCursor string `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
	Message    string `json:"message,omitempty"`
}

type object struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Title    string `json:"title"`
	Status   string `json:"status"`
	Space    string `json:"space"`
	Parent   string `json:"parent,omitempty"`
	Author   string `json:"author" jsonschema:"account id"`
	Created  string `json:"created"`
	Version  int    `json:"version,omitempty"`
	EmbedURL string `json:"embed_url,omitempty" jsonschema:"where an embedded link leads"`
	URL      string `json:"url"`
}

type node struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Title  string `json:"title,omitempty"`
	Parent string `json:"parent,omitempty"`
	Depth  int    `json:"depth,omitempty"`
}

var getTool = tool.Spec[getIn, getOut]{
	Name: getName, Title: "Look at a Confluence folder, whiteboard, database or embed",
	Description: "Metadata of a Confluence folder, whiteboard, database or embedded link (Smart Link): title, author, link, and what stands above and below it. What is drawn or stored in it has no API; the link opens it.",
	Toolset:     toolset,
	Run:         get,
}

// position is where a list goes on; it repeats the question.
type position struct {
	ID, Kind, Site string
	Tree           content.Tree
}

func get(ctx context.Context, t *tool.Set, in getIn) (getOut, string, error) {
	at, err := where(ctx, t, in)
	if err != nil {
		return getOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getOut]{
		Tool: getName, Site: at.Site, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (getOut, error) {
			found, err := content.Find(ctx, w, at.ID, content.Kind(at.Kind))
			if err != nil {
				return getOut{}, err
			}
			out := getOut{Notice: tool.Notice, Site: w.Site(), Object: shown(found), Message: inside(found.Kind)}
			if at.Tree.Cursor == "" {
				above, err := content.Above(ctx, w, found)
				if err != nil {
					return getOut{}, err
				}
				out.Above = nodes(above)
			}
			below, next, err := content.Below(ctx, w, found, at.Tree)
			if err != nil {
				return getOut{}, err
			}
			out.Below = nodes(below)
			if next != "" {
				at.ID, at.Kind, at.Site, at.Tree.Cursor = found.ID, string(found.Kind), w.Site(), next
				out.NextCursor, err = t.Door.Cursor(ctx, getName, at)
			}
			return out, err
		},
	})
	return out, getText(out), err
}

func where(ctx context.Context, t *tool.Set, in getIn) (position, error) {
	var at position
	if in.Cursor != "" {
		err := t.Door.OpenCursor(ctx, getName, in.Cursor, &at)
		return at, err
	}
	at = position{ID: string(in.ID), Site: in.Site}
	var err error
	if in.Kind != "" {
		if at.Kind, err = arguments.OneOf("kind", in.Kind, content.Kinds()...); err != nil {
			return at, err
		}
	}
	if at.Tree.Depth, err = arguments.Within("depth", in.Depth, 1, 1, 10); err != nil {
		return at, err
	}
	at.Tree.Limit, err = arguments.Within("limit", in.Limit, 50, 1, 250)
	return at, err
}

func inside(kind content.Kind) string {
	switch kind {
	case "whiteboard":
		return "Atlassian has no API for what is drawn on a whiteboard: open the link to see it."
	case "database":
		return "Atlassian has no API for the rows of a database: open the link to see them."
	}
	return ""
}

func shown(o content.Object) object {
	return object{
		o.ID, string(o.Kind), o.Title, o.Status, o.Space, o.ParentID, o.Author, tool.Stamp(o.Created), o.Version, tool.Clip(o.EmbedURL, 2000), o.URL,
	}
}

func nodes(found []content.Node) []node {
	var all []node
	for _, n := range found {
		all = append(all, node{n.ID, n.Type, n.Title, n.ParentID, n.Depth})
	}
	return all
}

func getText(out getOut) string {
	var b strings.Builder
	o := out.Object
	fmt.Fprintf(&b, "%s\n\n**%s** (%s %s in space %s, %s, created %s by %s)\n%s\n", tool.Notice, o.Title, o.Kind, o.ID, o.Space, o.Status, o.Created, o.Author, o.URL)
	if o.EmbedURL != "" {
		b.WriteString("Leads to " + o.EmbedURL + "\n")
	}
	if out.Message != "" {
		b.WriteString(out.Message + "\n")
	}
	if len(out.Above) > 0 {
		b.WriteString("\nAbove:")
		for _, n := range out.Above {
			b.WriteString(" " + n.Type + " " + n.ID)
		}
		b.WriteString("\n")
	}
	if len(out.Below) > 0 {
		b.WriteString("\nBelow:\n")
	}
	for _, n := range out.Below {
		fmt.Fprintf(&b, "%s- %s (%s %s)\n", strings.Repeat("  ", max(0, n.Depth-1)), n.Title, n.Type, n.ID)
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}
