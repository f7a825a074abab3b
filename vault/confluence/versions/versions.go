// Package versions asks for the history of pages and blog posts. Errors are
// those of package confluence.
package versions

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

// Query is a part of the history of a page or blog post.
type Query struct {
	Kind, ID string // kind is "page" or "blogpost"
	Limit    int
	Cursor   string // of the part before
}

// List lists versions, the newest first, and the cursor to go on.
func List(ctx context.Context, c *confluence.Client, q Query) ([]confluence.Version, string, error) {
	if !confluence.ValidPageID(q.ID) || q.Kind != "page" && q.Kind != "blogpost" {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	query := url.Values{"limit": {strconv.Itoa(q.Limit)}, "sort": {"-modified-date"}}
	if q.Cursor != "" {
		query.Set("cursor", q.Cursor)
	}
	all, next, err := confluence.List[confluence.Version](ctx, c, "/api/v2/"+q.Kind+"s/"+q.ID+"/versions", query)
	if err != nil {
		return nil, "", err
	}
	for _, v := range all {
		if v.Number < 1 {
			return nil, "", &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
		}
	}
	return all, next, nil
}
