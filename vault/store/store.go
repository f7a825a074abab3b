// Package store keeps everything of the vault that lasts, in SQLite (and
// later PostgreSQL), behind the small interfaces that its users declare. It
// sees only sealed bytes and decides nothing.
//
// One SQL text serves both engines: $1 placeholders, times as Unix
// milliseconds in BIGINT (0 for a zero time), ids as TEXT, bytes as BYTEA.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// DB is the store. Its methods may be called from many goroutines.
type DB struct {
	sql *sql.DB
}

// Open opens the store that url names, "sqlite:FILE" or "sqlite::memory:",
// relative to dir, and brings its schema up to date.
func Open(ctx context.Context, url, dir string) (*DB, error) {
	return nil, errors.New("not built yet")
}

// Close ends all work and closes the store.
func (db *DB) Close() error { return db.sql.Close() }

// write runs op in a transaction, in a savepoint of its own: several
// operations may share one commit. It returns after the commit is durable.
// op may run more than once and must have no effect but through tx.
func (db *DB) write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := op(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// read is for statements that change nothing.
func (db *DB) read() *sql.DB { return db.sql }
