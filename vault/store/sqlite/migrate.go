package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// applicationID marks a file as a vault's ("Coat").
const applicationID = 0x436f6174

// touch writes without changing anything.
const touch = "UPDATE migrations SET applied = applied WHERE version = (SELECT max(version) FROM migrations)"

// Migrated says which version of the schema Open found (0 in a new file) and
// which it left behind. The files of [Config.Migrations] are called
// NNNN_name.sql; they only ever grow in number, each runs once, in the order of
// their numbers, all that are due in one transaction.
type Migrated struct{ From, To int }

type migration struct {
	version int
	name    string
	text    string
	hash    string
}

// load reads the files in their order.
func load(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	all := make([]migration, 0, len(names))
	for _, name := range names {
		number, _, ok := strings.Cut(path.Base(name), "_")
		version, err := strconv.Atoi(number)
		if err != nil || !ok || version < 1 || len(all) > 0 && version <= all[len(all)-1].version {
			return nil, fmt.Errorf("migration %s: no number, or one that comes twice", name)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) // the same hash on every system
		sum := sha256.Sum256(text)
		all = append(all, migration{version, name, string(text), hex.EncodeToString(sum[:])})
	}
	if len(all) == 0 {
		return nil, errors.New("no migrations")
	}
	return all, nil
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// inspect refuses a file that is not ours or not for this version.
func inspect(ctx context.Context, db querier, known []migration) error {
	_, err := applied(ctx, db, known)
	return err
}

// applied returns how many of known the database has.
func applied(ctx context.Context, db querier, known []migration) (int, error) {
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
		return 0, errForeign
	}
	rows, err := db.QueryContext(ctx, "SELECT version, hash FROM migrations ORDER BY version")
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	n, differs := 0, false
	for rows.Next() {
		var version int
		var hash string
		if err := rows.Scan(&version, &hash); err != nil {
			return 0, err
		}
		if version > known[len(known)-1].version {
			return 0, newerError{version, known[len(known)-1].version}
		}
		differs = differs || n >= len(known) || version != known[n].version || hash != known[n].hash
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if differs {
		return 0, errDiffers
	}
	return n, nil
}

// migrate runs what is due. The transaction takes the lock before it looks, so
// that of several processes that start at once one does the work and the
// others find it done.
func migrate(ctx context.Context, db *sql.DB, known []migration) (Migrated, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return Migrated{}, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	n, err := applied(ctx, tx, known)
	if err != nil {
		return Migrated{}, err
	}
	did := Migrated{To: known[len(known)-1].version}
	if n > 0 {
		did.From = known[n-1].version
	}
	if n == len(known) {
		// Nothing is due; but whether the file can be written at all is better
		// known now than at the first call.
		if err := execAll(ctx, tx, touch); err != nil {
			return Migrated{}, err
		}
		return did, tx.Commit()
	}
	if n == 0 {
		err = execAll(ctx, tx, fmt.Sprintf("PRAGMA application_id = %d", applicationID),
			`CREATE TABLE migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied BIGINT NOT NULL)`)
		if err != nil {
			return Migrated{}, err
		}
	}
	for _, m := range known[n:] {
		if err := execAll(ctx, tx, m.text); err != nil {
			return Migrated{}, fmt.Errorf("migration %s: %w", m.name, err)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO migrations (version, name, hash, applied) VALUES ($1, $2, $3, $4)",
			m.version, m.name, m.hash, time.Now().UnixMilli())
		if err != nil {
			return Migrated{}, err
		}
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
