package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

// applicationID marks a file as a vault's ("Coat").
const applicationID = 0x436f6174

// touch writes without changing anything.
const touch = "UPDATE migrations SET applied = applied WHERE version = (SELECT max(version) FROM migrations)"

// inspect refuses a file that is not ours or not for this version.
func inspect(ctx context.Context, db engine.Querier, known []engine.Migration) error {
	_, err := applied(ctx, db, known)
	return err
}

// applied returns how many of known the database has.
func applied(ctx context.Context, db engine.Querier, known []engine.Migration) (int, error) {
	var tables, ours, id int
	err := db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(name = 'migrations'), 0) FROM sqlite_schema WHERE type = 'table'`).Scan(&tables, &ours)
	if err == nil {
		err = db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id)
	}
	switch {
	case err != nil:
		return 0, err
	case tables == 0 && id == 0:
		return 0, nil
	case ours == 0 || id != applicationID:
		return 0, engine.ErrForeign
	}
	return engine.Applied(ctx, db, known)
}

// migrate runs what is due. The transaction takes the lock before it looks, so
// that of several processes that start at once one does the work and the
// others find it done.
func migrate(ctx context.Context, db *sql.DB, known []engine.Migration) (engine.Migrated, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return engine.Migrated{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	n, err := applied(ctx, tx, known)
	if err != nil {
		return engine.Migrated{}, err
	}
	did := engine.Migrated{To: known[len(known)-1].Version}
	if n > 0 {
		did.From = known[n-1].Version
	}
	if n == len(known) {
		// Nothing is due; but whether the file can be written at all is better
		// known now than at the first call.
		if err := execAll(ctx, tx, touch); err != nil {
			return engine.Migrated{}, err
		}
		return did, tx.Commit()
	}
	if n == 0 {
		err = execAll(ctx, tx, fmt.Sprintf("PRAGMA application_id = %d", applicationID),
			`CREATE TABLE migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied BIGINT NOT NULL)`)
		if err != nil {
			return engine.Migrated{}, err
		}
	}
	if err := engine.Apply(ctx, tx, known[n:]); err != nil {
		return engine.Migrated{}, err
	}
	return did, tx.Commit()
}

func execAll(ctx context.Context, tx *sql.Tx, texts ...string) error {
	for _, text := range texts {
		if _, err := tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
