package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// KeyUse says how much of the store is under one key-encryption key.
type KeyUse struct {
	Name              string // as [seal.WrappedBy] tells it; "" for what nobody can read
	ID                string // as it was when it wrapped a vault key; "" if it wrapped none
	VaultKeys, Grants int
}

// KeyUses counts what is wrapped, by key, sorted by name. It reads every
// wrapped key once and holds none of them.
func (db *DB) KeyUses(ctx context.Context) ([]KeyUse, error) {
	uses := map[string]*KeyUse{}
	use := func(wrapped []byte) *KeyUse {
		name := seal.WrappedBy(wrapped)
		if uses[name] == nil {
			uses[name] = &KeyUse{Name: name}
		}
		return uses[name]
	}
	keys, err := db.VaultKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		u := use(k.Wrapped)
		u.ID, u.VaultKeys = k.KEK, u.VaultKeys+1
	}
	rows, err := db.read().QueryContext(ctx, "SELECT data_key FROM grants WHERE data_key IS NOT NULL")
	if err != nil {
		return nil, fmt.Errorf("reading wrapped keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var wrapped sql.RawBytes
		if err := rows.Scan(&wrapped); err != nil {
			return nil, fmt.Errorf("reading a wrapped key: %w", err)
		}
		use(wrapped).Grants++
	}
	var all []KeyUse
	for _, u := range uses {
		all = append(all, *u)
	}
	slices.SortFunc(all, func(a, b KeyUse) int { return cmp.Compare(a.Name, b.Name) })
	return all, rows.Err()
}

// VaultKeys lists the vault's own keys by purpose.
func (db *DB) VaultKeys(ctx context.Context) ([]seal.VaultKey, error) {
	rows, err := db.read().QueryContext(ctx, "SELECT purpose, kek, wrapped, created FROM vault_keys ORDER BY purpose")
	if err != nil {
		return nil, fmt.Errorf("listing vault keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var all []seal.VaultKey
	for rows.Next() {
		var k seal.VaultKey
		var created int64
		if err := rows.Scan(&k.Purpose, &k.KEK, &k.Wrapped, &created); err != nil {
			return nil, fmt.Errorf("reading a vault key: %w", err)
		}
		k.Created = moment(created)
		all = append(all, k)
	}
	return all, rows.Err()
}

// VaultKeyReplace stores k in place of the key of its purpose, if that is still
// wrapped as old, and reports whether it did.
func (db *DB) VaultKeyReplace(ctx context.Context, k seal.VaultKey, old []byte) (replaced bool, err error) {
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE vault_keys SET kek = $2, wrapped = $3 WHERE purpose = $1 AND wrapped = $4", k.Purpose, k.KEK, k.Wrapped, old)
		if err != nil {
			return fmt.Errorf("storing a vault key again: %w", err)
		}
		n, err := result.RowsAffected()
		replaced = n == 1
		return err
	})
	db.engine.Scrub() // whatever err is: the write may be done all the same
	return replaced, err
}

// GrantKeys returns at most limit grants with a data key, in the order of their
// ids, from the first after the given one. Of each there is the id, the owner
// and the wrapped key.
func (db *DB) GrantKeys(ctx context.Context, after identity.GrantID, limit int) ([]grant.Row, error) {
	rows, err := db.read().QueryContext(ctx,
		"SELECT id, person, tenant, data_key FROM grants WHERE id > $1 AND data_key IS NOT NULL ORDER BY id LIMIT $2", after, limit)
	if err != nil {
		return nil, fmt.Errorf("listing data keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var page []grant.Row
	for rows.Next() {
		var r grant.Row
		if err := rows.Scan(&r.ID, &r.Person, &r.Tenant, &r.Key); err != nil {
			return nil, fmt.Errorf("reading a data key: %w", err)
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// KeyChange is another wrapping of a grant's data key.
type KeyChange struct {
	Grant    identity.GrantID
	Old, New []byte
}

// GrantKeysReplace stores the new wrappings of those keys that are still wrapped
// as Old, many in a transaction, and returns how many they are. Nothing else of
// the grants changes: one that was revoked or superseded meanwhile stays so.
func (db *DB) GrantKeysReplace(ctx context.Context, changes []KeyChange) (replaced int, err error) {
	replaced, err = db.replaceKeys(ctx, changes)
	if errors.Is(err, ErrLocked) && len(changes) > 1 {
		// The more grants a transaction changes, the likelier it is that somebody
		// else has just changed one of them.
		half := len(changes) / 2
		first, err := db.GrantKeysReplace(ctx, changes[:half])
		if err != nil {
			return first, err
		}
		second, err := db.GrantKeysReplace(ctx, changes[half:])
		return first + second, err
	}
	db.engine.Scrub() // whatever err is: the write may be done all the same
	return replaced, err
}

func (db *DB) replaceKeys(ctx context.Context, changes []KeyChange) (replaced int, err error) {
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		replaced = 0
		for _, c := range changes {
			result, err := tx.ExecContext(ctx, "UPDATE grants SET data_key = $2 WHERE id = $1 AND data_key = $3", c.Grant, c.New, c.Old)
			if err != nil {
				return fmt.Errorf("storing a data key again: %w", err)
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			replaced += int(n)
		}
		return nil
	})
	return replaced, err
}
