// Package sqlite is the engine below the store: it opens a SQLite file (or a
// private one in memory), brings its schema up to date, reads from a few
// connections and writes through one, several operations to a commit. It knows
// nothing of what the tables mean.
//
// What Write has returned from without an error is on the disk. Several
// processes may use one file at the same time: nothing is remembered here
// between transactions. Everything may be used from many goroutines.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	defaultPatience = 5 * time.Second
	closeTimeout    = 30 * time.Second
	leastReaders    = 4
	// Files up to this size are checked page by page before they are used.
	checkUpTo = 64 << 20
	// Below this much free space the store says that it is not ready.
	leastFree = 32 << 20
)

// Config says what to open. Migrations is required.
type Config struct {
	File       string        // absolute; "" is a private database in memory
	Migrations fs.FS         // numbered files, see [engine.Load]
	Patience   time.Duration // for a lock of another process; default 5 s
	MaxPages   int           // of the file; default: as the disk has room
	Hot        []string      // statements of writes to keep compiled; see [DB.Hot]
	HotReads   []string      // statements of reads to keep compiled; see [DB.Hot]
}

// DB is an open database.
type DB struct {
	file     string
	write    *writer
	writes   *sql.DB // one connection
	reads    *sql.DB // several, which cannot write; in memory the same as writes
	migrated engine.Migrated
	hot      map[string]*sql.Stmt // never changed once open
	hotReads map[string]*sql.Stmt // never changed once open

	readyMu sync.Mutex
	readyAt time.Time // guarded by readyMu

	once   sync.Once
	closed error // of Close; set by once
}

// Open opens what cfg names and brings its schema up to date. Its errors are
// user errors with the code Settings; nothing of a file that is refused is
// changed.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = defaultPatience
	}
	if err := prepare(cfg.File); err != nil {
		return nil, err
	}
	db := &DB{file: cfg.File, hot: map[string]*sql.Stmt{}, hotReads: map[string]*sql.Stmt{}}
	if err := db.open(ctx, cfg); err != nil {
		return nil, errors.Join(refusal(err, cfg.File), db.release())
	}
	db.write = newWriter(context.WithoutCancel(ctx), db.writes, db.hot)
	if cfg.File != "" && db.write.cutLog() != nil { // a crash may have kept somebody from it
		db.Scrub()
	}
	go db.write.loop() // ends with Close
	return db, nil
}

// prepare makes sure that the file can only be ours: SQLite gives its side
// files the permissions of the file.
func prepare(file string) error {
	if file == "" {
		return nil
	}
	if at, err := os.Stat(filepath.Dir(file)); err != nil || !at.IsDir() {
		return settings(err, "The folder of the database "+file+" does not exist", "Create it, or correct store.url")
	}
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		return made.Close()
	case !errors.Is(err, fs.ErrExist):
		return settings(err, "The database "+file+" cannot be created", "Let the vault write to the folder, or correct store.url")
	}
	if at, err := os.Stat(file); err != nil || !at.Mode().IsRegular() {
		return settings(err, "The database "+file+" is not a file", "Correct store.url")
	}
	return nil
}

func (db *DB) open(ctx context.Context, cfg Config) (err error) {
	if db.writes, err = sql.Open("sqlite", address(cfg, false)); err != nil {
		return err
	}
	db.writes.SetMaxOpenConns(1)
	db.reads = db.writes
	if err := db.adopt(ctx, cfg); err != nil {
		return err
	}
	if cfg.File != "" {
		if db.reads, err = sql.Open("sqlite", address(cfg, true)); err != nil {
			return err
		}
		n := max(leastReaders, runtime.GOMAXPROCS(0))
		db.reads.SetMaxOpenConns(n)
		db.reads.SetMaxIdleConns(n)
		if err := db.reads.PingContext(ctx); err != nil {
			return err
		}
	}
	writes := append([]string{savepoint, releaseSavepoint, rollbackTo}, cfg.Hot...)
	return errors.Join(compile(ctx, db.writes, db.hot, writes), compile(ctx, db.reads, db.hotReads, cfg.HotReads))
}

// compile prepares queries, so that their text is read once.
func compile(ctx context.Context, db *sql.DB, into map[string]*sql.Stmt, queries []string) error {
	for _, query := range queries {
		stmt, err := db.PrepareContext(ctx, query)
		if err != nil {
			return fmt.Errorf("preparing %q: %w", query, err)
		}
		into[query] = stmt
	}
	return nil
}

// address is the data source name. What changes the file, such as its journal
// mode, is not in it: a file is looked at before it is touched.
func address(cfg Config, reader bool) string {
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(cfg.Patience.Milliseconds(), 10)},
		"_txlock":       {"immediate"},
		"_dqs":          {"0"},
		"_defensive":    {"1"},
		"_error_rc":     {"1"},
		"_pragma": {
			"synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)", // a commit is on the disk, on macOS too
			"foreign_keys(1)", "secure_delete(1)", "trusted_schema(0)", "cell_size_check(1)",
			"mmap_size(0)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
		},
	}
	if cfg.MaxPages > 0 {
		q.Add("_pragma", fmt.Sprintf("max_page_count(%d)", cfg.MaxPages))
	}
	if cfg.File == "" {
		return ":memory:?" + q.Encode()
	}
	if reader {
		q.Set("_query_only", "1")
	}
	path := filepath.ToSlash(cfg.File)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// adopt looks at the file without changing it, then makes it ours.
func (db *DB) adopt(ctx context.Context, cfg Config) error {
	known, err := engine.Load(cfg.Migrations, "sqlite")
	if err != nil {
		return err
	}
	if err := inspect(ctx, db.writes, known); err != nil {
		return err
	}
	if cfg.File != "" {
		if err := check(ctx, db.writes, cfg.File); err != nil {
			return err
		}
		if err := useWAL(ctx, db.writes, cfg.Patience); err != nil {
			return err
		}
	}
	db.migrated, err = migrate(ctx, db.writes, known)
	return err
}

// check reads a small file through. A large one would keep the vault from
// starting for too long; there damage shows when it is met.
func check(ctx context.Context, db *sql.DB, file string) error {
	if at, err := os.Stat(file); err != nil || at.Size() > checkUpTo {
		return err
	}
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return engine.ErrCorrupt
	}
	return nil
}

// useWAL switches to write-ahead logging. SQLite does not wait for the lock
// that this needs when several processes open a new file at once.
func useWAL(ctx context.Context, db *sql.DB, patience time.Duration) error {
	for end := time.Now().Add(patience); ; {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
		switch err = translate(err); {
		case err == nil && mode != "wal":
			return fmt.Errorf("journal mode stays %q", mode)
		case err == nil || !errors.Is(err, engine.ErrLocked) || time.Now().After(end):
			return err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Read is for statements that change nothing. While rows are open, do not call
// [DB.Write]: in memory there is one connection for both.
func (db *DB) Read() *sql.DB { return db.reads }

// Each is [engine.Each].
func (db *DB) Each(ctx context.Context, query engine.Statement, into []any, row func()) error {
	return engine.Each(ctx, db.reads, query, into, row)
}

// Write runs op in a transaction and returns once the commit is durable. Other
// operations may share the transaction, each in a savepoint of its own, so that
// an op that returns an error is undone alone. op must have no effect but
// through tx, and may run more than once. Its context is ctx without the
// cancellation: when ctx ends, Write returns, and an op that was begun may
// still be committed. It never runs after Write has returned.
//
// Errors are those of op, of ctx, or [engine.ErrFull], [engine.ErrLocked], [engine.ErrCorrupt],
// [engine.ErrReadOnly], [engine.ErrClosed].
func (db *DB) Write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	return db.write.do(ctx, op)
}

// Single is Write for one of the statements of [Config.Hot]. It returns how
// many rows that changed.
func (db *DB) Single(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := db.Hot(ctx, tx, query).ExecContext(ctx, args...)
		if err != nil {
			return err
		}
		rows, err = done.RowsAffected()
		return err
	})
	return rows, err
}

// Hot returns one of the statements of [Config.Hot], compiled, for use in tx,
// or of [Config.HotReads] if that is nil.
func (db *DB) Hot(ctx context.Context, tx *sql.Tx, query string) engine.Prepared {
	if tx == nil {
		return db.hotReads[query]
	}
	return tx.StmtContext(ctx, db.hot[query])
}

// Migrated says what Open found and did.
func (db *DB) Migrated() engine.Migrated { return db.migrated }

// Close lets writes that were begun end, refuses others, and closes the file.
func (db *DB) Close() error {
	db.once.Do(func() { db.closed = errors.Join(db.write.close(closeTimeout), db.release()) })
	return db.closed
}

// release closes what is open; the last connection to close folds the
// write-ahead log back into the file.
func (db *DB) release() error {
	var errs []error
	for _, stmts := range []map[string]*sql.Stmt{db.hot, db.hotReads} {
		for _, stmt := range stmts {
			errs = append(errs, stmt.Close())
		}
	}
	if db.reads != nil && db.reads != db.writes {
		errs = append(errs, db.reads.Close())
	}
	if db.writes != nil {
		errs = append(errs, db.writes.Close())
	}
	return errors.Join(errs...)
}
