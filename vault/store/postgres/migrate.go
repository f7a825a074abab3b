package postgres

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	migrateTimeout = time.Minute
	readyFor       = time.Second // as long as a good answer of Ready stands

	// A row to lock, since not every such database can lock a table or a number.
	makeLock  = "CREATE TABLE IF NOT EXISTS migration_lock (id BIGINT PRIMARY KEY)"
	fillLock  = "INSERT INTO migration_lock (id) VALUES (1) ON CONFLICT (id) DO NOTHING"
	takeLock  = "SELECT id FROM migration_lock WHERE id = 1 FOR UPDATE"
	makeTable = "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied BIGINT NOT NULL)"
	touch     = "UPDATE migrations SET applied = applied WHERE version = (SELECT max(version) FROM migrations)"
	tables    = `SELECT count(*), coalesce(sum(CASE WHEN table_name = 'migration_lock' THEN 1 ELSE 0 END), 0)
		FROM information_schema.tables WHERE table_schema = current_schema()`
)

// migrate runs what is due, all in one transaction, under a lock that makes
// other replicas wait and find it done.
func (db *DB) migrate(ctx context.Context, known []engine.Migration) (engine.Migrated, error) {
	ctx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	var all, ours int
	if err := db.pool.QueryRowContext(ctx, tables).Scan(&all, &ours); err != nil {
		return engine.Migrated{}, err
	}
	if all > 0 && ours == 0 {
		return engine.Migrated{}, engine.ErrForeign
	}
	for _, text := range []string{makeLock, fillLock, makeTable} {
		if err := db.prepare(ctx, text); err != nil {
			return engine.Migrated{}, err
		}
	}
	tx, err := db.pool.BeginTx(ctx, nil)
	if err != nil {
		return engine.Migrated{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	var one int
	if err := tx.QueryRowContext(ctx, takeLock).Scan(&one); err != nil {
		return engine.Migrated{}, err
	}
	did, err := steps(ctx, tx, known)
	if err != nil {
		return engine.Migrated{}, err
	}
	return did, tx.Commit()
}

// prepare runs a statement that replicas may run at the same time. Of those
// that make one table at once, PostgreSQL lets only one through, and the others
// find it there the next time.
func (db *DB) prepare(ctx context.Context, text string) error {
	for try := 0; ; try++ {
		_, err := db.pool.ExecContext(ctx, text)
		if err == nil || code(err) != "42P07" && code(err) != "42710" && !db.Again(err, try) {
			return err
		}
		if try > maxTries || Pause(ctx, try) != nil {
			return err
		}
	}
}

func steps(ctx context.Context, tx *sql.Tx, known []engine.Migration) (engine.Migrated, error) {
	n, err := engine.Applied(ctx, tx, known)
	if err != nil {
		return engine.Migrated{}, err
	}
	did := engine.Migrated{To: known[len(known)-1].Version}
	if n > 0 {
		did.From = known[n-1].Version
	}
	if n == len(known) {
		// Nothing is due; but whether the database can be written at all is
		// better known now than at the first call.
		_, err := tx.ExecContext(ctx, touch)
		return did, err
	}
	return did, engine.Apply(ctx, tx, known[n:])
}

// Ready returns nil if the database can be read and written, or a user error
// with the code Unavailable that says what is wrong.
func (db *DB) Ready(ctx context.Context) error {
	db.readyMu.Lock()
	recent := !db.readyAt.IsZero() && time.Since(db.readyAt) < readyFor
	db.readyMu.Unlock()
	if recent {
		return nil
	}
	if _, err := db.pool.ExecContext(ctx, touch); err != nil {
		return usererr.Wrap(db.translate(err), usererr.Unavailable, db.ailment(err), "See the log for the cause")
	}
	db.readyMu.Lock()
	defer db.readyMu.Unlock()
	db.readyAt = time.Now()
	return nil
}

func (db *DB) ailment(err error) string {
	err = db.translate(err)
	for _, is := range []error{engine.ErrFull, engine.ErrLocked, engine.ErrCorrupt, engine.ErrReadOnly, engine.ErrClosed, engine.ErrDown} {
		if errors.Is(err, is) {
			return "The database cannot be used: " + is.Error()
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "The database does not answer in time"
	}
	return "The database cannot be used"
}
