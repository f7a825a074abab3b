// Package finding has the tools that find pages and spaces.
package finding

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	find "github.com/coatcheck-mcp/coatcheck/vault/guard/search"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/arguments"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

// searchIn are the arguments: a question, and filters that narrow it. Ranges of
// days are one argument each, since each argument costs every conversation.
type searchIn struct {
	Query       string        `json:"query,omitempty" jsonschema:"plain words; quotes make a phrase"`
	CQL         string        `json:"cql,omitempty" jsonschema:"instead of query"`
	Space       []string      `json:"space,omitempty" jsonschema:"keys"`
	Type        []string      `json:"type,omitempty" jsonschema:"page, blogpost, comment, attachment, ..."`
	Labels      []string      `json:"labels,omitempty" jsonschema:"any of them"`
	Author      string        `json:"author,omitempty" jsonschema:"account id or me"`
	Contributor string        `json:"contributor,omitempty" jsonschema:"the same"`
	Created     string        `json:"created,omitempty" jsonschema:"2026-01-31..2026-02-15, either end open, or 30d"`
	Updated     string        `json:"updated,omitempty" jsonschema:"the same"`
	TitleOnly   bool          `json:"title_only,omitempty" jsonschema:"query is about titles"`
	Below       arguments.Ref `json:"below,omitempty" jsonschema:"page above the results"`
	Sort        string        `json:"sort,omitempty" jsonschema:"relevance, updated, created or title"`
	Site        string        `json:"site,omitempty" jsonschema:"site name"`
	Limit       int           `json:"limit,omitempty" jsonschema:"1 to 50, default 10"`
	Cursor      string        `json:"cursor,omitempty" jsonschema:"next_cursor before"`
}

type searchOut struct {
	Notice     string   `json:"notice"`
	Site       string   `json:"site"`
	Results    []result `json:"results"`
	Total      *int     `json:"total,omitempty"`
	NextCursor string   `json:"next_cursor,omitempty"`
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
	Description: "Find Confluence content by words (query) or CQL (cql), narrowed by filters. Read a page with confluence_get_page.",
	Run:         search,
}

// searchCursor is where a search goes on. It repeats the question, so that
// the rest cannot be asked of another one.
type searchCursor struct {
	Search find.Query
	Site   string
}

// search finds one part of what is asked for.
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

// searchAt is the search that the arguments ask for, or where a cursor goes on.
func searchAt(ctx context.Context, t *tool.Set, in searchIn) (searchCursor, error) {
	limit, err := arguments.Within("limit", in.Limit, 10, 1, 50)
	if err != nil {
		return searchCursor{}, err
	}
	order, err := arguments.OneOf("sort", in.Sort, find.Orders()...)
	if err != nil {
		return searchCursor{}, err
	}
	asked := find.Query{
		CQL: in.CQL, Text: in.Query, TitleOnly: in.TitleOnly, Spaces: list(in.Space), Types: list(in.Type), Labels: list(in.Labels),
		Author: in.Author, Contributor: in.Contributor, Created: in.Created, Updated: in.Updated, Below: string(in.Below), Order: order,
	}
	if in.Cursor != "" {
		return searchOn(ctx, t, in, asked)
	}
	switch {
	case reflect.DeepEqual(asked, find.Query{Order: order}):
		return searchCursor{}, usererr.New(usererr.BadInput, "There is nothing to search for", "Give query (plain words), cql, or a filter")
	case in.Query != "" && in.CQL != "":
		return searchCursor{}, usererr.New(usererr.BadInput, "Both query and cql are given", "Give one of them")
	case in.TitleOnly && in.Query == "":
		return searchCursor{}, usererr.New(usererr.BadInput, "title_only is about query, which is missing", "In cql write title ~ \"word\"")
	case len(in.Query) > 1000:
		return searchCursor{}, usererr.New(usererr.BadInput, "The query is longer than 1,000 bytes", "Use fewer words")
	}
	asked.Limit = limit
	return searchCursor{asked, in.Site}, nil
}

// searchOn opens a cursor. The search may be repeated beside it, but not
// another.
func searchOn(ctx context.Context, t *tool.Set, in searchIn, asked find.Query) (searchCursor, error) {
	var at searchCursor
	if err := t.Door.OpenCursor(ctx, searchName, in.Cursor, &at); err != nil {
		return at, err
	}
	before := at.Search
	before.Limit, before.Cursor, before.Start = 0, "", 0
	if in.Sort == "" {
		asked.Order = before.Order
	}
	if !reflect.DeepEqual(asked, find.Query{Order: asked.Order}) && !reflect.DeepEqual(asked, before) {
		return at, usererr.New(usererr.BadInput, "The cursor belongs to another search", "Repeat the search unchanged, or leave out all but cursor")
	}
	return at, nil
}

// list takes lists apart that came as one text with commas.
func list(in []string) []string {
	var all []string
	for _, text := range in {
		for _, part := range strings.Split(text, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// searchText says the same as out.
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
