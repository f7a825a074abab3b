package properties

import (
	"context"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/search"
	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/details"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

type row struct {
	Page   string  `json:"page"`
	Title  string  `json:"title"`
	Space  string  `json:"space"`
	URL    string  `json:"url"`
	Values []value `json:"values"`
}

type value struct {
	Key   string `json:"key"`
	Value string `json:"value" jsonschema:"Markdown"`
}

// maxValue is how many characters of a value are shown.
const maxValue = 1000

// report reads the page properties of one page, or of those that are found. A
// page without any is left out, but counts towards the limit.
func (at *position) report(ctx context.Context, w *guard.Wiki, out *getOut) (bool, error) {
	if at.In.Page != "" {
		page, err := w.Page(ctx, string(at.In.Page))
		if err == nil {
			at.add(out, page)
		}
		return false, err
	}
	hits, err := search.Find(ctx, w, at.query())
	if err != nil {
		return false, err
	}
	for i, h := range hits.Hits {
		tool.Progress(ctx, i, len(hits.Hits), "reading pages")
		if h.Type != "page" {
			continue
		}
		page, err := w.PageVersion(ctx, h.ID, 0)
		if err != nil {
			if gone(err) {
				continue // the index is behind
			}
			return false, err
		}
		at.add(out, page)
	}
	at.Cursor, at.Start = hits.Cursor, hits.Start
	return hits.Cursor != "", nil
}

// query leaves it to the search to put together what must all hold.
func (at *position) query() search.Query {
	q := search.Query{CQL: at.In.CQL, Types: []string{"page"}, Spaces: []string{at.In.Space}, Limit: at.Limit, Cursor: at.Cursor, Start: at.Start}
	if at.In.Label != "" {
		q.Labels = []string{at.In.Label}
	}
	return q
}

func (at *position) add(out *getOut, page guard.Page) {
	found, err := details.Read(page.Body)
	if err != nil {
		return // nothing that could be read
	}
	r := row{Page: page.ID, Title: page.Title, Space: page.Space, URL: page.URL}
	for _, f := range found {
		if len(at.In.Columns) > 0 && !slices.ContainsFunc(at.In.Columns, func(c string) bool { return strings.EqualFold(strings.TrimSpace(c), f.Key) }) {
			continue
		}
		r.Values = append(r.Values, value{tool.Clip(f.Key, 200), shown(f.Value)})
	}
	if len(r.Values) > 0 {
		out.Rows = append(out.Rows, r)
	}
}

func shown(cell string) string {
	doc, err := markup.ToMarkdown(cell, markup.Options{})
	if err != nil {
		return "(cannot be shown)"
	}
	return tool.Clip(strings.TrimSpace(doc.Markdown), maxValue)
}

// gone reports whether a page is not there any more, or not for the person.
func gone(err error) bool { return usererr.CodeOf(err) == usererr.NotFound }
