// Package versions lists the history of a page with the guard's leave.
package versions

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/versions"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

const scope = "read:page:confluence"

// Version is one version of a page.
type Version struct {
	Number  int
	Author  string // account id
	Message string
	Created time.Time
	Minor   bool
}

// List lists versions of a page that was read through w, the newest first, and
// the cursor to go on.
func List(ctx context.Context, w *guard.Wiki, page guard.Page, limit int, cursor string) ([]Version, string, error) {
	what := "The history of page " + page.ID
	if !w.Allowed(page.Space) {
		return nil, "", w.Deny(what, page.Type, page.ID, page.Space)
	}
	var found []confluence.Version
	var next string
	err := w.Ask(ctx, what, scope, func(c *confluence.Client) (err error) {
		found, next, err = versions.List(ctx, c, versions.Query{Kind: page.Type, ID: page.ID, Limit: limit, Cursor: cursor})
		return err
	})
	if err != nil {
		return nil, "", err
	}
	all := make([]Version, 0, len(found))
	for _, v := range found {
		all = append(all, Version{v.Number, v.AuthorID, v.Message, v.Created, v.Minor})
	}
	return all, next, nil
}
