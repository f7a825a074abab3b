package vault

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// keysAskedEvery spares key services, which allow a few hundred questions a
// second and charge for each: anybody may ask whether a vault is ready.
const keysAskedEvery = 3 * time.Second

// keysWork returns a check that opens one of the vault's own keys. Strangers
// see what it says: where the key is and who the vault is are for the log.
func keysWork(kek seal.KEK, store seal.KeyStore) func(context.Context) error {
	const log = "The log of the vault knows more"
	return func(ctx context.Context) error {
		_, err := seal.Vault(ctx, kek, store, "journal")
		if err == nil {
			return nil
		}
		if trouble, ok := seal.TroubleOf(err); ok {
			return usererr.Wrap(err, usererr.Unavailable, "The key service "+trouble.String(), log)
		}
		if ctx.Err() != nil {
			return usererr.Wrap(err, usererr.Unavailable, "The key-encryption key could not be tried in time", log)
		}
		return usererr.Wrap(err, usererr.Unavailable, "The key-encryption key cannot be used", log)
	}
}

// sparing returns do with its answer kept for a while. Those who ask at once
// wait for one question. What it said to somebody who left is not kept.
func sparing(kept time.Duration, do func(context.Context) error) func(context.Context) error {
	turn := make(chan struct{}, 1) // guards the next two
	var last error
	var asked time.Time
	return func(ctx context.Context) error {
		select {
		case turn <- struct{}{}:
			defer func() { <-turn }()
		case <-ctx.Done():
			return do(ctx)
		}
		if !asked.IsZero() && time.Since(asked) < kept {
			return last
		}
		err := do(ctx)
		if ctx.Err() == nil {
			last, asked = err, time.Now()
		}
		return err
	}
}
