// Package search finds pages with the guard's leave.
package search

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/search"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// scope is what a search needs: v1 calls take a classic scope as well.
const scope = "search:confluence (or read:content-details:confluence)"

// Hits are the results that the person may see.
type Hits struct {
	Hits   []Hit
	Total  int    // -1 if not known
	Cursor string // "" at the end
	Start  int
}

// Hit is one result.
type Hit struct {
	ID, Type, Title, Space, SpaceName, Excerpt, URL string
	Modified                                        time.Time
}

// Find finds pages. Policy is part of the query, and each result is checked
// nevertheless: the index lags, and a query may be cleverer than we are.
func Find(ctx context.Context, w *guard.Wiki, s Query) (Hits, error) {
	cql, err := s.cql(ctx, w)
	if err != nil {
		return Hits{}, err
	}
	var found search.Hits
	err = w.Ask(ctx, "The search", scope, func(c *confluence.Client) (err error) {
		found, err = search.Find(ctx, c, search.Query{CQL: cql, Limit: s.Limit, Cursor: s.Cursor, Start: s.Start})
		return err
	})
	if err != nil {
		return Hits{}, err
	}
	hits := Hits{Total: found.Total, Cursor: found.Cursor, Start: found.Start}
	withheld := 0
	for _, h := range found.Hits {
		if h.ID == "" {
			continue // a person or a space, not content
		}
		file := policy.File{Name: h.Title, MediaType: h.MediaType}
		if !w.Allowed(h.SpaceKey) || h.Type == "attachment" && w.AllowedFile(file) != nil {
			withheld++
			continue
		}
		w.Note(h.Type, h.ID, h.SpaceKey)
		hits.Hits = append(hits.Hits, Hit{
			ID: h.ID, Type: h.Type, Title: h.Title, Space: h.SpaceKey, SpaceName: h.SpaceName, Excerpt: h.Excerpt,
			URL: w.Link(h.Path), Modified: h.Modified,
		})
	}
	// The query leaves out what is denied. If something came back all the
	// same, the count cannot be told without telling that too.
	if withheld > 0 {
		hits.Total = -1
	}
	w.Withhold(withheld)
	return hits, nil
}
