package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
)

var _ dpop.Replay = (*DB)(nil)

const (
	// cleanEvery is how often a process takes expired proofs away, along with
	// storing a new one.
	cleanEvery = time.Second

	proofInsert = "INSERT INTO proofs (id, until) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING"
	proofClean  = "DELETE FROM proofs WHERE id IN (SELECT id FROM proofs WHERE until < $1 LIMIT $2)"
)

// Remember implements [dpop.Replay].
func (db *DB) Remember(ctx context.Context, id string, until time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := db.engine.Hot(ctx, tx, proofInsert).ExecContext(ctx, id, millis(until))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return dpop.ErrReplayed
		}
		return db.forgetProofs(ctx, tx)
	})
}

// Remembered reports whether id was remembered for a time that is not over.
func (db *DB) Remembered(ctx context.Context, id string) (bool, error) {
	var known int
	err := db.read().QueryRowContext(ctx, "SELECT count(*) FROM proofs WHERE id = $1 AND until >= $2", id, millis(time.Now())).Scan(&known)
	return known > 0, err
}

// forgetProofs takes away what nobody accepts any more, now and then.
func (db *DB) forgetProofs(ctx context.Context, tx *sql.Tx) error {
	now := time.Now()
	last := db.proofsCleaned.Load()
	if now.UnixNano()-last < int64(cleanEvery) || !db.proofsCleaned.CompareAndSwap(last, now.UnixNano()) {
		return nil
	}
	_, err := tx.ExecContext(ctx, proofClean, millis(now), cleanAtOnce)
	return err
}
