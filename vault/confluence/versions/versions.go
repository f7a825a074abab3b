// Package versions asks for the history of pages and blog posts. Errors are
// those of package confluence.
package versions

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

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
	type versionJSON struct {
		Number    int       `json:"number"`
		Message   string    `json:"message"`
		AuthorID  string    `json:"authorId"`
		CreatedAt time.Time `json:"createdAt"`
		MinorEdit bool      `json:"minorEdit"`
	}
	found, next, err := confluence.List[versionJSON](ctx, c, "/api/v2/"+q.Kind+"s/"+q.ID+"/versions", query)
	if err != nil {
		return nil, "", err
	}
	all := make([]confluence.Version, 0, len(found))
	for _, v := range found {
		if v.Number < 1 {
			return nil, "", &confluence.Error{Kind: confluence.KindProtocol, Status: http.StatusOK}
		}
		all = append(all, confluence.Version{Number: v.Number, Message: v.Message, AuthorID: v.AuthorID, Created: v.CreatedAt, Minor: v.MinorEdit})
	}
	return all, next, nil
}
