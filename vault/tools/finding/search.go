// Package finding has the tools that find pages and spaces.
package finding

import (
	"context"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	find "github.com/coatcheck-mcp/coatcheck/vault/guard/search"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

type searchIn struct {
	Query  string `json:"query,omitempty" jsonschema:"plain words to look for; quotes make a phrase"`
	CQL    string `json:"cql,omitempty" jsonschema:"Confluence query instead of query, e.g. type = page AND title ~ \"plan\" ORDER BY lastmodified DESC"`
	Space  string `json:"space,omitempty" jsonschema:"only in the space with this key"`
	Site   string `json:"site,omitempty" jsonschema:"site name, if the person has several"`
	Limit  int    `json:"limit,omitempty" jsonschema:"1 to 50, default 10"`
	Cursor string `json:"cursor,omitempty" jsonschema:"next_cursor of the answer before"`
}

type searchOut struct {
	Notice     string   `json:"notice"`
	Site       string   `json:"site"`
	Results    []result `json:"results"`
	Total      *int     `json:"total,omitempty" jsonschema:"absent if not known"`
	NextCursor string   `json:"next_cursor,omitempty" jsonschema:"absent at the end"`
}

type result struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Type    string `json:"type"`
	Space   string `json:"space"`
	URL     string `json:"url"`
	Updated string `json:"updated,omitempty"`
	Excerpt string `json:"excerpt,omitempty"`
}

// Add adds the tools.
func Add(s *mcp.Server, set *tool.Set) {
	tool.Register(s, set, searchTool)
	tool.Register(s, set, listSpacesTool)
}

const searchName = "confluence_search"

var searchTool = tool.Spec[searchIn, searchOut]{
	Name: searchName, Title: "Search Confluence",
	Description: "Find Confluence pages and blog posts by plain words (query) or CQL (cql). Returns ids, titles, links and excerpts; read one with confluence_get_page.",
	Run:         search,
}

// searchCursor is where a search goes on. It repeats the question, so that
// the rest cannot be asked of another one.
type searchCursor struct {
	Search find.Query
	Site   string
}

func search(ctx context.Context, t *tool.Set, in searchIn) (searchOut, string, error) {
	at, err := searchAt(ctx, t, in)
	if err != nil {
		return searchOut{}, "", err
	}
	out, err := guard.Do(ctx, t.Door, guard.Op[searchOut]{
		Tool: searchName, Site: at.Site, Input: in,
		Run: func(ctx context.Context, w *guard.Wiki) (searchOut, error) {
			hits, err := find.Find(ctx, w, at.Search)
			if err != nil {
				return searchOut{}, err
			}
			out := searchOut{Notice: tool.Notice, Site: w.Site(), Results: []result{}}
			for _, h := range hits.Hits {
				out.Results = append(out.Results, result{h.ID, h.Title, h.Type, h.Space, h.URL, tool.Stamp(h.Modified), tool.Clip(h.Excerpt, 400)})
			}
			if hits.Total >= 0 {
				out.Total = &hits.Total
			}
			if hits.Cursor != "" {
				at.Search.Cursor, at.Search.Start, at.Site = hits.Cursor, hits.Start, w.Site()
				out.NextCursor, err = t.Door.Cursor(ctx, searchName, at)
			}
			return out, err
		},
	})
	return out, searchText(out), err
}

func searchAt(ctx context.Context, t *tool.Set, in searchIn) (searchCursor, error) {
	limit, err := arguments.Within("limit", in.Limit, 10, 1, 50)
	if err != nil {
		return searchCursor{}, err
	}
	if in.Cursor != "" {
		var at searchCursor
		if err := t.Door.OpenCursor(ctx, searchName, in.Cursor, &at); err != nil {
			return at, err
		}
		if in.Query != "" && in.Query != at.Search.Text || in.CQL != "" && in.CQL != at.Search.CQL || in.Space != "" && in.Space != at.Search.Space {
			return at, usererr.New(usererr.BadInput, "The cursor belongs to another search", "Repeat the search unchanged, or leave out cursor")
		}
		return at, nil
	}
	switch {
	case in.Query == "" && in.CQL == "":
		return searchCursor{}, usererr.New(usererr.BadInput, "There is nothing to search for", "Give query (plain words) or cql")
	case in.Query != "" && in.CQL != "":
		return searchCursor{}, usererr.New(usererr.BadInput, "Both query and cql are given", "Give one of them")
	case len(in.Query) > 1000:
		return searchCursor{}, usererr.New(usererr.BadInput, "The query is longer than 1,000 bytes", "Use fewer words")
	}
	return searchCursor{find.Query{CQL: in.CQL, Text: in.Query, Space: in.Space, Limit: limit}, in.Site}, nil
}

func searchText(out searchOut) string {
	var b strings.Builder
	b.WriteString(tool.Notice + "\n\n")
	switch {
	case len(out.Results) == 0 && out.NextCursor == "":
		b.WriteString("Nothing was found on site " + out.Site + ".\n")
	case out.Total != nil:
		fmt.Fprintf(&b, "%d of %d results on site %s:\n\n", len(out.Results), *out.Total, out.Site)
	default:
		fmt.Fprintf(&b, "%d results on site %s:\n\n", len(out.Results), out.Site)
	}
	for _, r := range out.Results {
		fmt.Fprintf(&b, "- **%s** (%s %s in space %s", r.Title, r.Type, r.ID, r.Space)
		if r.Updated != "" {
			b.WriteString(", updated " + r.Updated)
		}
		b.WriteString(")\n  " + r.URL + "\n")
		if r.Excerpt != "" {
			b.WriteString("  " + r.Excerpt + "\n")
		}
	}
	tool.More(&b, out.NextCursor)
	return b.String()
}
