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

// List lists versions, the newest first, and the cursor to go on. Kind is
// "page" or "blogpost".
func List(ctx context.Context, c *confluence.Client, kind, id string, limit int, cursor string) ([]confluence.Version, string, error) {
	if !confluence.ValidPageID(id) || kind != "page" && kind != "blogpost" {
		return nil, "", &confluence.Error{Kind: confluence.KindNotFound}
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}, "sort": {"-modified-date"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	type versionJSON struct {
		Number    int       `json:"number"`
		Message   string    `json:"message"`
		AuthorID  string    `json:"authorId"`
		CreatedAt time.Time `json:"createdAt"`
		MinorEdit bool      `json:"minorEdit"`
	}
	found, next, err := confluence.List[versionJSON](ctx, c, "/api/v2/"+kind+"s/"+id+"/versions", query)
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
