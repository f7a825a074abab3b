package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the key-encryption keys in use and what is left to re-wrap"`
	Rotate keysRotateCmd `cmd:"" help:"Re-wrap everything that is not under keys.kek, while vaults run"`
}

type keysListCmd struct{}

// Run lists keys.
func (keysListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := a.Keys(ctx)
		if err != nil {
			return err
		}
		table := p.table("KEY", "PART", "VAULT KEYS", "GRANTS")
		left := 0
		for _, u := range list {
			row(table, u.Key, u.Part, strconv.Itoa(u.VaultKeys), strconv.Itoa(u.Grants))
			if u.Left() {
				left += u.VaultKeys + u.Grants
			}
		}
		if err := table.Flush(); err != nil {
			return err
		}
		for _, u := range list {
			if u.Problem != nil {
				_, _ = fmt.Fprintf(p.err, "warning: %s (%s): %s\n", u.Key, u.Part, usererr.Text(problem(u), ""))
			}
		}
		if left == 0 {
			return p.say("Nothing is left to re-wrap: keys.former may be emptied.")
		}
		return p.say("%d left to re-wrap: run coatcheck-vault keys rotate.", left)
	})
}

// problem says in plain words why a key cannot be opened.
func problem(u vault.KeyUse) error {
	if _, ok := usererr.From(u.Problem); ok {
		return u.Problem
	}
	return usererr.Wrap(u.Problem, usererr.Settings, "It is not there", "Put it back, or start the vault: it makes the key if nothing is under it")
}

type keysRotateCmd struct{}

// Run moves everything to the current key.
func (keysRotateCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		done, err := a.RotateKeys(ctx)
		if err != nil && ctx.Err() != nil {
			return usererr.New(usererr.Unavailable, "Interrupted: "+rewrapped(done)+" are under "+done.Key, "Run the same command again for the rest")
		}
		if err != nil && done.VaultKeys+done.Grants > 0 {
			_, _ = fmt.Fprintf(p.err, "%s were re-wrapped before this. Run the same command again for the rest.\n", rewrapped(done))
		}
		if err != nil {
			return err
		}
		if done.Damaged > 0 {
			return usererr.New(usererr.Internal, fmt.Sprintf("%s are now under %s; %d do not open under the key that they name and were left as they are: %s",
				rewrapped(done), done.Key, done.Damaged, strings.Join(done.DamagedSome, ", ")),
				"Restore them from a backup, or revoke these grants: the people sign in again")
		}
		if done.VaultKeys+done.Grants == 0 {
			return p.say("Everything was under %s already.", done.Key)
		}
		return p.say("%s are now under %s.\nkeys.former may be emptied once coatcheck-vault keys list says that nothing is left.", rewrapped(done), done.Key)
	})
}

func rewrapped(r vault.Rotation) string {
	return fmt.Sprintf("%d of the vault's own keys and %d grants", r.VaultKeys, r.Grants)
}
