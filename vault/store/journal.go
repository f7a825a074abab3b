package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
)

var _ journal.Journal = (*DB)(nil)

const (
	journalFind   = "SELECT person, tenant, tool, print, started, result FROM journal WHERE device = $1 AND stream = $2 AND call = $3"
	journalInsert = "INSERT INTO journal (device, stream, call, person, tenant, tool, print, started, result) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	journalBegin  = journalInsert + " ON CONFLICT (device, stream, call) DO NOTHING"
	journalDrop   = "DELETE FROM journal WHERE device = $1 AND stream = $2 AND call = $3"
	journalFinish = "UPDATE journal SET result = $5 WHERE device = $1 AND stream = $2 AND call = $3 AND started = $4"
)

var errNotInJournal = errors.New("the write is not in the journal any more")

// JournalStart implements [journal.Journal].
func (db *DB) JournalStart(ctx context.Context, e journal.Entry, replace bool) (journal.Entry, bool, error) {
	row := []any{e.Device, e.Stream, e.Call, e.Person, e.Tenant, e.Tool, notNull(e.Print), millis(e.Started), e.Result}
	n, err := db.engine.Single(ctx, journalBegin, row...)
	switch {
	case err != nil:
		return journal.Entry{}, false, err
	case n > 0: // as nearly always: the key was free
		return e, true, nil
	}
	var stands journal.Entry
	var fresh bool
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found := journal.Entry{Key: e.Key}
		var started int64
		err := db.engine.Hot(ctx, tx, journalFind).QueryRowContext(ctx, e.Device, e.Stream, e.Call).
			Scan(&found.Person, &found.Tenant, &found.Tool, &found.Print, &started, &found.Result)
		found.Started = moment(started)
		switch {
		case err == nil && (!replace || !found.Started.Before(e.Started)):
			stands, fresh = found, false
			return nil
		case err == nil:
			if _, err := tx.ExecContext(ctx, journalDrop, e.Device, e.Stream, e.Call); err != nil {
				return err
			}
		case !errors.Is(err, sql.ErrNoRows): // where there is none any more, it has been dropped meanwhile
			return err
		}
		stands, fresh = e, true
		_, err = db.engine.Hot(ctx, tx, journalInsert).ExecContext(ctx, row...)
		return err
	})
	if err != nil {
		return journal.Entry{}, false, err
	}
	return stands, fresh, nil
}

// JournalFinish implements [journal.Journal]. It fails if the entry has gone or
// given way to another.
func (db *DB) JournalFinish(ctx context.Context, key journal.Key, started time.Time, result []byte, record func(context.Context)) (err error) {
	var n int64
	values := []any{key.Device, key.Stream, key.Call, millis(started), notNull(result)}
	if db.chains != nil {
		n, err = db.chains.Along(ctx, record, journalFinish, values...)
	} else { // what is written at the same time is one commit
		together(func() { n, err = db.engine.Single(ctx, journalFinish, values...) }, func() { record(ctx) })
	}
	if err == nil && n == 0 {
		return errNotInJournal
	}
	return err
}

// JournalDrop implements [journal.Journal]. An entry that has gone, has a result
// or gave way to another is no error.
func (db *DB) JournalDrop(ctx context.Context, key journal.Key, started time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, journalDrop+" AND started = $4 AND result IS NULL", key.Device, key.Stream, key.Call, millis(started))
		return err
	})
}

// JournalClean implements [journal.Journal]. It takes away some thousands at
// most; what remains goes the next time.
func (db *DB) JournalClean(ctx context.Context, before time.Time) (int64, error) {
	var n int64
	err := db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "DELETE FROM journal WHERE (device, stream, call) IN (SELECT device, stream, call FROM journal WHERE started < $1 LIMIT $2)", millis(before), cleanAtOnce)
		if err != nil {
			return err
		}
		n, err = done.RowsAffected()
		return err
	})
	return n, err
}

// together does both at the same time; a panic of either is the caller's.
func together(one, other func()) {
	var both sync.WaitGroup
	var failed any
	both.Go(func() {
		defer func() { failed = recover() }()
		other()
	})
	func() {
		defer both.Wait()
		one()
	}()
	if failed != nil {
		panic(failed)
	}
}
