// Package people finds people and groups with the guard's leave.
package people

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence/people"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// Scopes that are needed; v1 calls take a classic scope as well.
const (
	scopeUsers = "read:user:confluence"
)

// maxName is how many characters of a name are shown.
const maxName = 100

// Names returns the names of accounts, without those that are not known. It
// asks once for many and remembers them for some minutes, those without a name
// too. A name is an ornament: what cannot be asked is left out.
func Names(ctx context.Context, w *guard.Wiki, accounts []string) map[string]string {
	names, missing := map[string]string{}, []string(nil)
	asked := map[string]bool{}
	for _, account := range accounts {
		if account == "" || len(account) > 128 || asked[account] {
			continue
		}
		asked[account] = true
		if name, known := w.Recall("name:" + account); !known {
			missing = append(missing, account)
		} else if name != "" {
			names[account] = name
		}
	}
	if len(missing) == 0 {
		return names
	}
	missing = missing[:min(len(missing), people.MaxBulk)]
	var found []people.User
	err := w.Ask(ctx, "The names of people", scopeUsers, func(c *confluence.Client) (err error) {
		found, err = people.Bulk(ctx, c, missing)
		return err
	})
	for _, u := range found {
		if name := plaintext.Line(u.Name, maxName); name != "" {
			names[u.AccountID] = name
		}
	}
	// Without the scope, asking again with each page would not help either.
	if err == nil || confluence.Is(err, confluence.KindScope) {
		for _, account := range missing {
			w.Remember("name:"+account, names[account])
		}
	}
	return names
}
