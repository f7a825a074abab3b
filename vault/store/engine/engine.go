// Package engine is what the databases below the store have in common: what can
// be wrong with one, and the migrations that bring its schema up to date.
package engine

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
	"slices"
	"strconv"
	"strings"
	"time"
)

// What can be wrong with a database. Callers branch on these.
var (
	// ErrFull says that there is no room for the write, which did not happen.
	// Later writes succeed once there is room again.
	ErrFull = errors.New("no room for the database")
	// ErrLocked says that another process kept a lock for too long, or that
	// others were always faster.
	ErrLocked = errors.New("the database is locked by another process")
	// ErrCorrupt says that the data are damaged.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrReadOnly says that the database may not be written.
	ErrReadOnly = errors.New("the database is read-only")
	// ErrUndone says that the write did not happen for certain.
	ErrUndone = errors.New("nothing was written")
	// ErrClosed says that the database was closed; the write did not happen.
	ErrClosed = errors.New("the database is closed")
	// ErrDown says that the server cannot be reached. A write may have
	// happened all the same.
	ErrDown = errors.New("the database server cannot be reached")
)

// Statement is a query and what it is given.
type Statement struct {
	Query string
	Args  []any
}

// Prepared is a statement that runs often, ready to run.
type Prepared interface {
	QueryRowContext(ctx context.Context, args ...any) *sql.Row
	ExecContext(ctx context.Context, args ...any) (sql.Result, error)
}

// Migrated says which version of the schema was found (0 in a new database)
// and which was left behind.
type Migrated struct{ From, To int }

// Migration is one step of the schema. Steps only ever grow in number, each
// runs once, in the order of their versions.
type Migration struct {
	Version int
	Name    string
	Text    string
	Hash    string // of Text, to notice a version whose steps differ
}

// Load reads the steps for a dialect of SQL, in their order: files called
// NNNN_name.sql, or NNNN_name.DIALECT.sql where dialects differ.
func Load(files fs.FS, dialect string) ([]Migration, error) {
	names, err := fs.Glob(files, "*.sql") // sorted
	if err != nil {
		return nil, err
	}
	all := make([]Migration, 0, len(names))
	for _, name := range names {
		stem := strings.TrimSuffix(path.Base(name), ".sql")
		if _, only, ok := strings.Cut(stem, "."); ok && only != dialect {
			continue
		}
		number, _, ok := strings.Cut(stem, "_")
		version, err := strconv.Atoi(number)
		if err != nil || !ok || version < 1 || len(all) > 0 && version <= all[len(all)-1].Version {
			return nil, fmt.Errorf("migration %s: no number, or one that comes twice", name)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) // the same hash on every system
		sum := sha256.Sum256(text)
		all = append(all, Migration{version, name, string(text), hex.EncodeToString(sum[:])})
	}
	if len(all) == 0 {
		return nil, errors.New("no migrations")
	}
	return all, nil
}

// Why a database is refused.
var (
	ErrForeign = errors.New("a database of another program")
	ErrDiffers = errors.New("made by a version whose migrations differ")
)

// NewerError says that the database was written by a newer version.
type NewerError struct{ Found, Known int }

// Error implements error.
func (e NewerError) Error() string {
	return fmt.Sprintf("schema %d is newer than %d", e.Found, e.Known)
}

// Querier is what a database and a transaction have in common.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Each is what a query that reads much is for: it calls row for each row that
// it finds, whose columns are in into then: *int64, or *[]byte, of which the
// bytes are good until row returns. This one serves any database.
func Each(ctx context.Context, db Querier, query Statement, into []any, row func()) error {
	found, err := db.QueryContext(ctx, query.Query, query.Args...)
	if err != nil {
		return err
	}
	defer func() { _ = found.Close() }()
	into = slices.Clone(into)
	for i := range into {
		if b, ok := into[i].(*[]byte); ok {
			into[i] = (*sql.RawBytes)(b) // which is not a copy
		}
	}
	for found.Next() {
		if err := found.Scan(into...); err != nil {
			return err
		}
		row()
	}
	return found.Err()
}

// Apply runs the steps that are due, in tx, and notes them in the table of
// migrations.
func Apply(ctx context.Context, tx *sql.Tx, due []Migration) error {
	for _, m := range due {
		if _, err := tx.ExecContext(ctx, m.Text); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO migrations (version, name, hash, applied) VALUES ($1, $2, $3, $4)",
			m.Version, m.Name, m.Hash, time.Now().UnixMilli())
		if err != nil {
			return err
		}
	}
	return nil
}

// Applied returns how many of known the table of migrations has. [ErrDiffers]
// or a [NewerError] if it does not fit.
func Applied(ctx context.Context, db Querier, known []Migration) (int, error) {
	rows, err := db.QueryContext(ctx, "SELECT version, hash FROM migrations ORDER BY version")
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	n, differs, newest := 0, false, known[len(known)-1].Version
	for rows.Next() {
		var version int
		var hash string
		if err := rows.Scan(&version, &hash); err != nil {
			return 0, err
		}
		if version > newest {
			return 0, NewerError{version, newest}
		}
		differs = differs || n >= len(known) || version != known[n].Version || hash != known[n].Hash
		n++
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if differs {
		return 0, ErrDiffers
	}
	return n, nil
}
