package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

var _ seal.KeyStore = (*DB)(nil)

// VaultKey implements [seal.KeyStore].
func (db *DB) VaultKey(ctx context.Context, purpose string) (seal.VaultKey, error) {
	return vaultKey(ctx, db.read(), purpose)
}

// VaultKeyCreate implements [seal.KeyStore].
func (db *DB) VaultKeyCreate(ctx context.Context, k seal.VaultKey) (now seal.VaultKey, err error) {
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx,
			`INSERT INTO vault_keys (purpose, kek, wrapped, created) VALUES ($1, $2, $3, $4) ON CONFLICT (purpose) DO NOTHING`,
			k.Purpose, k.KEK, k.Wrapped, millis(k.Created)); err != nil {
			return fmt.Errorf("storing a vault key: %w", err)
		}
		now, err = vaultKey(ctx, tx, k.Purpose)
		return err
	})
	return now, err
}

// querier is what a database and a transaction have in common.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func vaultKey(ctx context.Context, q querier, purpose string) (seal.VaultKey, error) {
	k := seal.VaultKey{Purpose: purpose}
	var created int64
	err := q.QueryRowContext(ctx, `SELECT kek, wrapped, created FROM vault_keys WHERE purpose = $1`, purpose).Scan(&k.KEK, &k.Wrapped, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return k, seal.ErrNoVaultKey
	} else if err != nil {
		return k, fmt.Errorf("reading a vault key: %w", err)
	}
	k.Created = moment(created)
	return k, nil
}
