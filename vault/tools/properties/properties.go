// Package properties has the tools for what pages keep beside their text:
// content properties, which apps read, and page properties, the tables in
// "details" macros that people read as a report.
package properties

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/properties"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

const toolset = "properties"

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, getTool)
	tool.Register(s, set, setTool)
}

const getName = "confluence_get_properties"

type getIn struct {
	Kind    string        `json:"kind,omitempty" jsonschema:"content: JSON properties of one page (default); report: page properties (details macro) of one page or of those that label, cql and space find"`
	Page    arguments.Ref `json:"page,omitempty" jsonschema:"id or URL"`
	Key     string        `json:"key,omitempty" jsonschema:"content: only this key"`
	Label   string        `json:"label,omitempty" jsonschema:"report: pages with this label"`
	CQL     string        `json:"cql,omitempty" jsonschema:"report: pages that this query finds"`
	Space   string        `json:"space,omitempty" jsonschema:"report: only in the space with this key"`
	Columns []string      `json:"columns,omitempty" jsonschema:"report: only these keys"`
	Site    string        `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Limit   int           `json:"limit,omitempty" jsonschema:"content: 1 to 100, default 25; report: pages, 1 to 25, default 10"`
	Cursor  string        `json:"cursor,omitempty"`
}

type getOut struct {
	Notice     string     `json:"notice"`
	Site       string     `json:"site"`
	Properties []property `json:"properties,omitempty"`
	Rows       []row      `json:"rows,omitempty" jsonschema:"a page each"`
	NextCursor string     `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
}

type property struct {
	Key     string `json:"key"`
	Value   any    `json:"value"`
	Version int    `json:"version"`
}

var getTool = tool.Spec[getIn, getOut]{
	Name: getName, Title: "Read Confluence properties",
	Description: "Read content properties (JSON) of a Confluence page, or a page-properties report: the key and value tables (details macro) of many pages as data.",
	Toolset:     toolset,
	Run:         get,
}

// position is where a list goes on; it repeats the question.
type position struct {
	In     getIn
	Limit  int
	Cursor string
	Start  int
}

func get(ctx context.Context, t *tool.Set, in getIn) (getOut, string, error) {
	at, err := where(ctx, t, in)
	if err != nil {
		return getOut{}, "", err
	}
	find := at.content
	if at.In.Kind == "report" {
		find = at.report
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[getOut]{
		Tool: getName, Site: at.In.Site, Page: string(at.In.Page), Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (getOut, error) {
			out := getOut{Notice: tool.Notice, Site: w.Site()}
			more, err := find(ctx, w, &out)
			if err != nil {
				return getOut{}, err
			}
			if more {
				at.In.Site = w.Site()
				out.NextCursor, err = t.Door.Cursor(ctx, getName, at)
			}
			return out, err
		},
	})
	return out, getText(out), err
}

func where(ctx context.Context, t *tool.Set, in getIn) (*position, error) {
	if in.Cursor != "" {
		at := &position{}
		err := t.Door.OpenCursor(ctx, getName, in.Cursor, at)
		return at, err
	}
	searches := in.Label != "" || in.CQL != "" || in.Space != ""
	known := []string{"content", "report"}
	if searches {
		known = []string{"report", "content"}
	}
	kind, err := arguments.OneOf("kind", in.Kind, known...)
	if err != nil {
		return nil, err
	}
	standard, most := 25, 100
	if kind == "report" {
		standard, most = 10, 25
	}
	limit, err := arguments.Within("limit", in.Limit, standard, 1, most)
	switch {
	case err != nil:
		return nil, err
	case kind == "content" && searches:
		return nil, usererr.New(usererr.BadInput, "label, cql and space are for a report", "Set kind to report, or give page")
	case kind == "content" && in.Page == "":
		return nil, usererr.New(usererr.BadInput, `The argument "page" is missing`, "Give a page, or label, cql or space for a report")
	case kind == "report" && searches == (in.Page != ""):
		return nil, usererr.New(usererr.BadInput, "A report is of one page, or of those that are found", "Give page, or some of label, cql and space")
	}
	in.Kind = kind
	return &position{In: in, Limit: limit}, nil
}

// content reads the content properties of one page.
func (at *position) content(ctx context.Context, w *guard.Wiki, out *getOut) (bool, error) {
	page, err := w.Page(ctx, string(at.In.Page))
	if err != nil {
		return false, err
	}
	found, next, err := properties.List(ctx, w, page, properties.Part{Key: at.In.Key, Limit: at.Limit, Cursor: at.Cursor})
	if err != nil {
		return false, err
	}
	for _, p := range found {
		out.Properties = append(out.Properties, property{p.Key, p.Value, p.Version})
	}
	at.Cursor = next
	return next != "", nil
}

func getText(out getOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	if len(out.Properties) == 0 && len(out.Rows) == 0 {
		b.WriteString("No properties were found on site " + out.Site + ".\n")
	}
	for _, p := range out.Properties {
		value, err := json.Marshal(p.Value)
		if err != nil {
			value = []byte("(cannot be shown)")
		}
		fmt.Fprintf(&b, "- %s (version %d): %s\n", p.Key, p.Version, value)
	}
	for _, r := range out.Rows {
		fmt.Fprintf(&b, "- **%s** (page %s in space %s) %s\n", r.Title, r.Page, r.Space, r.URL)
		for _, v := range r.Values {
			fmt.Fprintf(&b, "  - %s: %s\n", v.Key, v.Value)
		}
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}
