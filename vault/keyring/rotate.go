package keyring

import (
	"context"
	"errors"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

const (
	// rotateAtOnce bounds one transaction, and so how long others wait for it.
	rotateAtOnce = 100
	damagedShown = 20
)

// Rotation moves everything under the current key, and tells what it did.
type Rotation struct {
	Key               string // under which everything is now
	VaultKeys, Grants int    // that were wrapped again
	// Damaged counts values that do not open under the key that they name, and
	// DamagedSome names the first of them. They stay as they are.
	Damaged     int
	DamagedSome []string

	db   *store.DB
	ring *seal.Ring
	name string // of what is wrapped now
}

// NewRotation returns a rotation that has not begun.
func NewRotation(db *store.DB, ring *seal.Ring) *Rotation {
	return &Rotation{Key: ring.ID(), db: db, ring: ring, name: ring.Names()[0]}
}

// damaged notes a value that stays as it is.
func (r *Rotation) damaged(what string) {
	if r.Damaged++; r.Damaged <= damagedShown {
		r.DamagedSome = append(r.DamagedSome, what)
	}
}

// Left counts what is not under the current key.
func (r *Rotation) Left(ctx context.Context) (left int, err error) {
	uses, err := r.db.KeyUses(ctx)
	for _, u := range uses {
		if u.Name != r.name {
			left += u.VaultKeys + u.Grants
		}
	}
	return left, err
}

// Run wraps it again, in small batches, while vaults run that know the same keys.
// What ended meanwhile stays ended. It may be interrupted: what is done stays
// done, and the next one does the rest.
func (r *Rotation) Run(ctx context.Context) error {
	if err := r.vaultKeys(ctx); err != nil {
		return err
	}
	after := identity.GrantID("")
	for {
		page, err := r.db.GrantKeys(ctx, after, rotateAtOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ID
		if err := r.grants(ctx, page); err != nil {
			return err
		}
	}
}

func (r *Rotation) vaultKeys(ctx context.Context) error {
	keys, err := r.db.VaultKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if seal.WrappedBy(k.Wrapped) == r.name {
			continue
		}
		fresh, err := seal.RewrapVaultKey(ctx, r.ring, k)
		if errors.Is(err, seal.ErrOpen) {
			r.damaged("the vault's own key " + k.Purpose)
			continue
		} else if err != nil {
			return err
		}
		replaced, err := r.db.VaultKeyReplace(ctx, fresh, k.Wrapped)
		if err != nil {
			return err
		}
		if replaced {
			r.VaultKeys++
		}
	}
	return nil
}

// grants wraps a page of data keys again. No transaction is open while a key
// service is asked.
func (r *Rotation) grants(ctx context.Context, page []grant.Row) error {
	var changes []store.KeyChange
	for _, row := range page {
		if seal.WrappedBy(row.Key) == r.name {
			continue
		}
		fresh, err := grant.Rewrap(ctx, r.ring, row)
		if errors.Is(err, seal.ErrOpen) {
			r.damaged("the grant " + string(row.ID))
			continue
		} else if err != nil {
			return err
		}
		changes = append(changes, store.KeyChange{Grant: row.ID, Old: row.Key, New: fresh})
	}
	if len(changes) == 0 {
		return nil
	}
	n, err := r.db.GrantKeysReplace(ctx, changes)
	if err == nil {
		r.Grants += n
	}
	return err
}
