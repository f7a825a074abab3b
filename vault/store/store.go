// Package store keeps everything of the vault that lasts, in SQLite (and
// later PostgreSQL), behind the small interfaces that its users declare. It
// sees only sealed bytes and decides nothing.
//
// One SQL text serves both engines: $1 placeholders, times as Unix
// milliseconds in BIGINT (0 for a zero time), ids as TEXT, bytes as BYTEA.
// What the engine does, such as group commit and migrations, is in the package
// below this one.
package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// What can be wrong with the store. Besides these, methods return the errors
// that the interfaces name, and errors of the context.
var (
	// ErrFull says that there is no room; once there is, writes succeed again.
	ErrFull = sqlite.ErrFull
	// ErrLocked says that another process kept the database for too long.
	ErrLocked = sqlite.ErrLocked
	// ErrCorrupt says that the database is damaged.
	ErrCorrupt = sqlite.ErrCorrupt
	// ErrReadOnly says that the database may not be written.
	ErrReadOnly = sqlite.ErrReadOnly
	// ErrClosed says that the store was closed.
	ErrClosed = sqlite.ErrClosed
)

// cleanAtOnce bounds how many rows one cleaning takes away, and so how long
// other writes wait for it.
const cleanAtOnce = 5000

// DB is the store. Its methods may be called from many goroutines.
type DB struct {
	engine        *sqlite.DB
	proofsCleaned atomic.Int64 // Unix nanoseconds
}

// Open opens the store that url names, "sqlite:FILE" or "sqlite::memory:",
// relative to dir, and brings its schema up to date. Its errors are user
// errors with the code Settings. A store in memory is private to this DB.
func Open(ctx context.Context, url, dir string) (*DB, error) {
	file, ok := strings.CutPrefix(url, "sqlite:")
	switch {
	case !ok || file == "":
		return nil, usererr.New(usererr.Settings, fmt.Sprintf("The store %q is of an unknown kind", scheme(url)), "Set store.url to sqlite: and a file name")
	case file == ":memory:":
		file = ""
	case !filepath.IsAbs(file):
		file = filepath.Join(dir, file)
	}
	if file != "" {
		abs, err := filepath.Abs(file)
		if err != nil {
			return nil, usererr.Wrap(err, usererr.Settings, "The folder of the database cannot be found", "Use an absolute file name in store.url")
		}
		file = abs
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	engine, err := sqlite.Open(ctx, sqlite.Config{File: file, Migrations: files, Hot: hot(), HotReads: hotReads()})
	if err != nil {
		return nil, err
	}
	return &DB{engine: engine}, nil
}

// scheme is the part of a store's address that may be shown: there may be a
// password in the rest.
func scheme(url string) string {
	name, _, _ := strings.Cut(url, ":")
	return name
}

// Close lets writes that were begun end, refuses others, and closes the store.
func (db *DB) Close() error { return db.engine.Close() }

// Ready returns nil if the store can read and write and has room to go on, or
// a user error with the code Unavailable that says what is wrong.
func (db *DB) Ready(ctx context.Context) error { return db.engine.Ready(ctx) }

// Version is the version of the schema that Open found, 0 in a new store, and
// the one that it has now.
func (db *DB) Version() (found, now int) {
	did := db.engine.Migrated()
	return did.From, did.To
}

// write runs op in a transaction, in a savepoint of its own: several
// operations may share one commit. It returns after the commit is durable.
// op may run more than once and must have no effect but through tx; it must
// not use read. Its errors are those of op and ctx and the ones above.
func (db *DB) write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	return db.engine.Write(ctx, op)
}

// read is for statements that change nothing. Close rows before any write.
func (db *DB) read() *sql.DB { return db.engine.Read() }

// hot lists the statements that are worth keeping compiled; a write gets them
// with db.engine.Hot.
func hot() []string {
	return []string{auditHead, auditInsert, auditMove, journalFind, journalInsert, journalFinish, proofInsert}
}

// hotReads is the same for reads, with db.engine.HotRead.
func hotReads() []string { return []string{sessionCurrent, epochNow} }

// millis is a time as it is stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is a stored time.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
