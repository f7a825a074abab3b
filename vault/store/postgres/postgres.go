// Package postgres is the engine below the store for more than one replica: it
// connects to a PostgreSQL, or to one of the databases that speak like it,
// brings the schema up to date, reads, and writes in serializable transactions
// that are run again when another replica was faster. It knows nothing of what
// the tables mean.
//
// It uses what all of those databases have: no advisory locks, nothing that
// lasts longer in a session than a transaction; see [DB.Tell] for a hint that
// may be missing. What Write has returned from
// without an error is durable, as far as the server is set up so. Everything
// may be used from many goroutines, and a database by many processes.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	defaultConns = 16
	connIdle     = 2 * time.Minute
	connLife     = 30 * time.Minute // so that a moved server is found, and load spreads
	dialTimeout  = 5 * time.Second
	// writeTimeout is for a caller that sets no deadline.
	writeTimeout = 10 * time.Second
	// Another replica may be faster so many times before a write is given up,
	// which takes some two seconds.
	maxTries = 40
	// A name that is taken is mostly a race that the next try sees; if it is
	// none, it is found out soon.
	maxTaken = 3
)

// Config says what to open.
type Config struct {
	URL        string // postgres://USER:PASSWORD@HOST/DATABASE?…, as libpq reads it
	Migrations fs.FS  // see [engine.Load]
	Conns      int    // at most; default 16
}

// DB is an open database.
type DB struct {
	pool     *sql.DB
	conf     *pgx.ConnConfig
	migrated engine.Migrated
	closed   atomic.Bool

	readyMu sync.Mutex
	readyAt time.Time // guarded by readyMu
}

// Open connects to what cfg names and brings its schema up to date. Its errors
// are user errors with the code Settings; nothing of a database that is refused
// is changed.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	known, err := engine.Load(cfg.Migrations, "postgres")
	if err != nil {
		return nil, err
	}
	conf, err := pgx.ParseConfig(cfg.URL)
	if err != nil { // may quote the password
		return nil, settings(nil, "store.url is not the address of a PostgreSQL database", "Write it as postgres://USER@HOST/DATABASE?sslmode=verify-full")
	}
	if !private(conf) {
		return nil, settings(nil, "The connection to the database "+conf.Host+" would not be encrypted", "Add sslmode=verify-full to store.url, and sslrootcert=FILE for a certificate of your own")
	}
	conf.ConnectTimeout = dialTimeout
	if conf.RuntimeParams["application_name"] == "" {
		conf.RuntimeParams["application_name"] = "coatcheck-vault"
	}
	if cfg.Conns <= 0 {
		cfg.Conns = defaultConns
	}
	db := &DB{pool: stdlib.OpenDB(*conf), conf: conf}
	db.pool.SetMaxOpenConns(cfg.Conns)
	db.pool.SetMaxIdleConns(cfg.Conns) // a connection is costly to make, and remembers what it prepared
	db.pool.SetConnMaxIdleTime(connIdle)
	db.pool.SetConnMaxLifetime(connLife)
	if db.migrated, err = db.migrate(ctx, known); err != nil {
		return nil, errors.Join(refusal(err, conf), db.pool.Close())
	}
	return db, nil
}

// private reports whether no other machine can listen in: every way to the
// server is encrypted, or stays on this machine.
func private(conf *pgx.ConnConfig) bool {
	ways := []struct {
		host      string
		encrypted bool
	}{{conf.Host, conf.TLSConfig != nil}}
	for _, other := range conf.Fallbacks {
		ways = append(ways, struct {
			host      string
			encrypted bool
		}{other.Host, other.TLSConfig != nil})
	}
	for _, way := range ways {
		if !way.encrypted && !here(way.host) {
			return false
		}
	}
	return true
}

func here(host string) bool {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || host == "localhost" {
		return true // a socket of the system
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Read is for statements that change nothing, and for single ones that are
// whole in themselves.
func (db *DB) Read() *sql.DB { return db.pool }

// Write runs op in a serializable transaction and returns once that is
// committed. op must have no effect but through tx, as it runs again when
// another transaction was faster. Its context is ctx without the cancellation,
// so that a write that was begun ends, at the deadline of ctx or after 10 s.
//
// Errors are those of op, or [engine.ErrLocked] when others were always faster,
// [engine.ErrDown], after which the write may have happened, [engine.ErrFull],
// [engine.ErrReadOnly], [engine.ErrClosed].
func (db *DB) Write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	return db.bring(ctx, func(ctx context.Context) error { return db.transact(ctx, op) })
}

// Single runs one statement that is whole in itself, such as adding a row
// unless its key is there, and returns how many rows it changed once that is
// durable. It costs one round trip where a transaction costs three more. For
// the rest it is like Write.
func (db *DB) Single(ctx context.Context, query string, args ...any) (rows int64, err error) {
	err = db.bring(ctx, func(ctx context.Context) error {
		done, err := db.pool.ExecContext(ctx, query, args...)
		if err != nil {
			return err
		}
		rows, err = done.RowsAffected()
		return err
	})
	return rows, err
}

// Together runs statements in one transaction and one round trip, and returns
// how many rows each changed. It does not try again. [engine.ErrUndone] is in
// the chain of what the server refused.
func (db *DB) Together(ctx context.Context, all []engine.Statement) ([]int64, error) {
	each := make([]int64, len(all))
	err := db.own(ctx, func(conn *pgx.Conn) error {
		var batch pgx.Batch // what comes before one Sync is one transaction
		for _, s := range all {
			batch.Queue(s.Query, s.Args...)
		}
		results := conn.SendBatch(ctx, &batch)
		for i := range each {
			done, err := results.Exec()
			if err != nil {
				return errors.Join(err, results.Close())
			}
			each[i] = done.RowsAffected()
		}
		return results.Close()
	})
	if undone(err) {
		err = errors.Join(engine.ErrUndone, err)
	}
	return each, err
}

// Each is [engine.Each] without what database/sql does for every value of a
// row, which is a third of the work of reading a long chain.
func (db *DB) Each(ctx context.Context, query engine.Statement, into []any, row func()) error {
	into = slices.Clone(into)
	for i := range into {
		if b, ok := into[i].(*[]byte); ok {
			into[i] = (*pgtype.DriverBytes)(b) // which is not a copy
		}
	}
	return db.own(ctx, func(conn *pgx.Conn) error {
		found, err := conn.Query(ctx, query.Query, query.Args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			if err := found.Scan(into...); err != nil {
				return err
			}
			row()
		}
		return found.Err()
	})
}

// own lets use have a connection of the pool as the driver knows it.
func (db *DB) own(ctx context.Context, use func(*pgx.Conn) error) error {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool
	return conn.Raw(func(driver any) error {
		own, ok := driver.(*stdlib.Conn)
		if !ok {
			return errors.New("a connection of another driver")
		}
		return use(own.Conn())
	})
}

// bring does what writes, however often others come first.
func (db *DB) bring(ctx context.Context, once func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(writeTimeout)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer cancel()
	for try := 0; ; try++ {
		err := once(ctx)
		if err == nil || !db.Again(err, try) {
			return db.translate(err)
		}
		if Pause(ctx, try) != nil {
			return db.translate(err)
		}
	}
}

func (db *DB) transact(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	tx, err := db.pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit there is nothing to roll back
	if err := op(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Again reports whether what failed is worth trying again, after so many tries
// that failed before.
func (*DB) Again(err error, tries int) bool {
	switch code(err) {
	case "40001", "40P01": // serialization failure, deadlock
		return tries < maxTries
	case "23505": // unique violation
		return tries < maxTaken
	}
	return false
}

// Pause waits a little before another try, or returns the error of ctx.
func Pause(ctx context.Context, tries int) error {
	wait := time.Millisecond << min(tries, 6)
	select {
	case <-time.After(wait/2 + rand.N(wait)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Hot returns a statement that runs often, in tx, or outside of one if that is
// nil. Connections keep what they have prepared.
func (db *DB) Hot(_ context.Context, tx *sql.Tx, query string) engine.Prepared {
	if tx == nil {
		return statement{db.pool, query}
	}
	return statement{tx, query}
}

// statement is a query that the driver prepares at its first use.
type statement struct {
	on interface {
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}
	query string
}

// QueryRowContext implements [engine.Prepared].
func (s statement) QueryRowContext(ctx context.Context, args ...any) *sql.Row {
	return s.on.QueryRowContext(ctx, s.query, args...)
}

// ExecContext implements [engine.Prepared].
func (s statement) ExecContext(ctx context.Context, args ...any) (sql.Result, error) {
	return s.on.ExecContext(ctx, s.query, args...)
}

// Migrated says what Open found and did.
func (db *DB) Migrated() engine.Migrated { return db.migrated }

// Scrub does nothing: what was overwritten is the server's to take away
// (VACUUM). Keys and tokens are stored sealed.
func (*DB) Scrub() {}

// Close refuses further writes and closes the connections, once what runs on
// them has ended.
func (db *DB) Close() error {
	db.closed.Store(true)
	return db.pool.Close()
}
