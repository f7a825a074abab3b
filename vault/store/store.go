// Package store keeps everything of the vault that lasts, in SQLite or, for
// more than one replica, PostgreSQL, behind the small interfaces that its users
// declare. It sees only sealed bytes and decides nothing.
//
// One SQL text serves both engines: $1 placeholders, times as Unix
// milliseconds in BIGINT (0 for a zero time), ids as TEXT, bytes as BYTEA.
// Operations are written for transactions that run one after the other, which
// both engines promise. What an engine does, such as group commit, running a
// transaction again, and migrations, is in the packages below this one.
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
	"github.com/coatcheck-mcp/coatcheck/vault/store/chain"
	"github.com/coatcheck-mcp/coatcheck/vault/store/desk"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
	"github.com/coatcheck-mcp/coatcheck/vault/store/postgres"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
	"github.com/coatcheck-mcp/coatcheck/vault/store/signins"
	"github.com/coatcheck-mcp/coatcheck/vault/store/sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// What can be wrong with the store. Besides these, methods return the errors
// that the interfaces name, and errors of the context.
var (
	// ErrFull says that there is no room; once there is, writes succeed again.
	ErrFull = engine.ErrFull
	// ErrLocked says that another process kept the database for too long.
	ErrLocked = engine.ErrLocked
	// ErrCorrupt says that the database is damaged.
	ErrCorrupt = engine.ErrCorrupt
	// ErrReadOnly says that the database may not be written.
	ErrReadOnly = engine.ErrReadOnly
	// ErrClosed says that the store was closed.
	ErrClosed = engine.ErrClosed
	// ErrDown says that the server cannot be reached; a write that was under
	// way may have happened.
	ErrDown = engine.ErrDown
)

// cleanAtOnce bounds how many rows one cleaning takes away, and so how long
// other writes wait for it.
const cleanAtOnce = 5000

// writer is how an engine writes.
type writer interface {
	// Write runs op in a transaction as if there were no others, perhaps more
	// than once, and returns once it is durable.
	Write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error
	// Single is Write for one statement of hot that is whole in itself. It
	// returns how many rows that changed.
	Single(ctx context.Context, query string, args ...any) (rows int64, err error)
	// Hot returns a statement of hot for tx, or of hotReads without one.
	Hot(ctx context.Context, tx *sql.Tx, query string) engine.Prepared
}

// database is an engine.
type database interface {
	writer
	// Read is for statements that change nothing. Close rows before any write.
	Read() *sql.DB
	// Each is [engine.Each].
	Each(ctx context.Context, query engine.Statement, into []any, row func()) error
	Ready(ctx context.Context) error
	// Scrub sees to it that overwritten bytes do not stay on the disk.
	Scrub()
	Close() error
}

// DB is the store. Its methods may be called from many goroutines.
type DB struct {
	engine        database
	migrated      engine.Migrated
	chains        *chain.Appender // nil where [DB.write] is as fast for them
	proofsCleaned atomic.Int64    // Unix nanoseconds
}

// Open opens the store that url names, "sqlite:FILE" (relative to dir),
// "sqlite::memory:" or "postgres://…", and brings its schema up to date. Its
// errors are user errors with the code Settings. A store in memory is private
// to this DB.
func Open(ctx context.Context, url, dir string) (*DB, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	if name := scheme(url); name == "postgres" || name == "postgresql" {
		db, err := postgres.Open(ctx, postgres.Config{URL: url, Migrations: files})
		if err != nil {
			return nil, err
		}
		return &DB{engine: db, migrated: db.Migrated(), chains: chain.New(db)}, nil
	}
	file, err := sqliteFile(url, dir)
	if err != nil {
		return nil, err
	}
	db, err := sqlite.Open(ctx, sqlite.Config{File: file, Migrations: files, Hot: hot(), HotReads: hotReads()})
	if err != nil {
		return nil, err
	}
	return &DB{engine: db, migrated: db.Migrated()}, nil
}

// sqliteFile is the absolute name of the file, "" for one in memory.
func sqliteFile(url, dir string) (string, error) {
	file, ok := strings.CutPrefix(url, "sqlite:")
	switch {
	case !ok || file == "":
		return "", usererr.New(usererr.Settings, fmt.Sprintf("The store %q is of an unknown kind", scheme(url)), "Set store.url to sqlite: and a file name, or to a postgres:// address")
	case file == ":memory:":
		return "", nil
	case !filepath.IsAbs(file):
		file = filepath.Join(dir, file)
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", usererr.Wrap(err, usererr.Settings, "The folder of the database cannot be found", "Use an absolute file name in store.url")
	}
	return abs, nil
}

// scheme is the part of a store's address that may be shown: there may be a
// password in the rest.
func scheme(url string) string {
	name, _, _ := strings.Cut(url, ":")
	return name
}

// Close lets writes that were begun end, refuses others, and closes the store.
func (db *DB) Close() error {
	db.chains.Close()
	return db.engine.Close()
}

// Ready returns nil if the store can read and write and has room to go on, or
// a user error with the code Unavailable that says what is wrong.
func (db *DB) Ready(ctx context.Context) error { return db.engine.Ready(ctx) }

// Version is the version of the schema that Open found, 0 in a new store, and
// the one that it has now.
func (db *DB) Version() (found, now int) {
	return db.migrated.From, db.migrated.To
}

// write runs op in a transaction. It returns after the commit is durable. op
// may run more than once and must have no effect but through tx; it must not
// use read. Its errors are those of op and ctx and the ones above.
func (db *DB) write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	var moved atomic.Bool // the epoch
	err := db.engine.Write(context.WithValue(ctx, movedKey{}, &moved), op)
	if between, ok := db.engine.(between); ok && err == nil && moved.Load() {
		between.Tell(ctx)
	}
	return err
}

type movedKey struct{} // holds an *atomic.Bool

// between is what an engine has that processes on several machines share.
type between interface {
	// Tell says to all of them that the epoch has moved. It may be lost.
	Tell(ctx context.Context)
	// Listen calls heard when that was said, until ctx ends.
	Listen(ctx context.Context, heard func())
}

// Moves calls moved when another replica says that it moved the epoch, until
// ctx ends. That may be lost: who needs to know asks for the [DB.Epoch] from time
// to time all the same. A store that is on one machine says nothing.
func (db *DB) Moves(ctx context.Context, moved func()) {
	if between, ok := db.engine.(between); ok {
		between.Listen(ctx, moved)
	}
}

// read is for statements that change nothing. Close rows before any write.
func (db *DB) read() *sql.DB { return db.engine.Read() }

// hot lists the statements that are worth keeping compiled; a write gets them
// with db.engine.Hot.
func hot() []string {
	return []string{auditHead, auditInsert, auditMove, journalBegin, journalFind, journalInsert, journalFinish, proofInsert}
}

// hotReads is the same for reads, with db.engine.Hot and no transaction.
func hotReads() []string { return []string{sessionCurrent, epochNow} }

type scanner = rows.Scanner

// millis is a time as it is stored.
func millis(t time.Time) int64 { return rows.Millis(t) }

// moment is a stored time.
func moment(ms int64) time.Time { return rows.Moment(ms) }

// Desk is the part of the store that administration needs.
func (db *DB) Desk() *desk.Desk {
	return desk.New(desk.Config{Read: db.read, Write: db.write, Bump: bumpEpoch, Scrub: db.engine.Scrub})
}

// SignIns is the part of the store that keeps sign-ins with the company.
func (db *DB) SignIns() *signins.Store {
	return signins.New(signins.Config{Read: db.read, Write: db.write, Scrub: db.engine.Scrub})
}
