package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/keyring"
)

// KeyUse says how much is wrapped under one key-encryption key.
type KeyUse = keyring.Use

// Rotation is what a rotation did.
type Rotation = keyring.Rotation

// Keys lists the keys of the settings and those that the store needs. It makes
// none and needs none to be there. That somebody looked is on record.
func (a *Admin) Keys(ctx context.Context) ([]KeyUse, error) {
	all, err := keyring.Uses(ctx, a.settings, a.db)
	if err != nil {
		return nil, err
	}
	return all, a.look(ctx, "the key-encryption keys")
}

// RotateKeys wraps everything again that is not under keys.kek, in small
// batches, while vaults run that know keys.kek and keys.former. What ended
// meanwhile stays ended. It may be interrupted: what is done stays done, and
// the next one does the rest. Begin and end are on record.
func (a *Admin) RotateKeys(ctx context.Context) (Rotation, error) {
	ring, err := keyring.Open(ctx, a.settings, a.db, false)
	if err != nil {
		return Rotation{}, err
	}
	r := keyring.NewRotation(a.db, ring)
	if left, err := r.Left(ctx); err != nil || left == 0 {
		return *r, err
	}
	if err := a.recordKeys(ctx, "keys.rotate", "ok", "to "+r.Key); err != nil {
		return *r, usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing was changed", "Look at the store and try again")
	}
	failed := r.Run(ctx)
	outcome := "ok"
	if failed != nil || r.Damaged > 0 {
		outcome = "error"
	}
	// An interrupted rotation is on record, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err = a.recordKeys(ctx, "keys.rotated", outcome, fmt.Sprintf("%d of the vault's own keys and %d grants to %s", r.VaultKeys, r.Grants, r.Key))
	return *r, errors.Join(failed, err)
}

func (a *Admin) recordKeys(ctx context.Context, event, outcome, detail string) error {
	return a.audit.Record(ctx, audit.Entry{
		Time: time.Now(), Event: event, Outcome: outcome, By: a.Who.By, Detail: detail + ", by an administrator, from the command line",
	})
}
