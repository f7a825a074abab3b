package main

import (
	"context"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type peopleRestoreCmd struct {
	ID string `arg:"" help:"The person's id"`
}

// Run lifts the suspension of one person.
func (r peopleRestoreCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		if err := a.Restore(ctx, identity.PersonID(r.ID)); err != nil {
			return err
		}
		_, err := fmt.Fprintln(p.out, r.ID, "can sign in again.")
		return err
	})
}
