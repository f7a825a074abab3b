package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/watch"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

var _ watch.Store = (*DB)(nil)

// HistoryGet implements [watch.Store].
func (db *DB) HistoryGet(ctx context.Context, person identity.PersonID) (watch.Row, error) {
	r := watch.Row{Person: person}
	err := db.read().QueryRowContext(ctx, "SELECT sealed, version FROM person_history WHERE person = $1", person).Scan(&r.Sealed, &r.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return watch.Row{}, watch.ErrNone
	}
	return r, err
}

// HistorySave implements [watch.Store].
func (db *DB) HistorySave(ctx context.Context, r watch.Row, at time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		query := "UPDATE person_history SET sealed = $2, saved = $3, version = version + 1 WHERE person = $1 AND version = $4"
		if r.Version == 0 {
			query = "INSERT INTO person_history (person, sealed, saved, version, suspended) VALUES ($1, $2, $3, $4 + 1, 0) ON CONFLICT (person) DO NOTHING"
		}
		done, err := tx.ExecContext(ctx, query, r.Person, notNull(r.Sealed), millis(at), r.Version)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return watch.ErrMoved
	})
}

// HistoryTidy implements [watch.Store]. It takes away a bounded number at a
// time.
func (db *DB) HistoryTidy(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM person_history WHERE person IN (SELECT person FROM person_history WHERE saved < $1 AND suspended < $1 LIMIT $2)",
			millis(before), cleanAtOnce)
		return err
	})
}

// PersonSuspend ends all sessions of a person and lets none begin until then,
// in one step, and returns those that it ended. A time that is not after at
// lifts a suspension and ends nothing.
func (db *DB) PersonSuspend(ctx context.Context, person identity.PersonID, at, until time.Time) (ended []session.Session, err error) {
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		ended = nil
		_, err := tx.ExecContext(ctx, "INSERT INTO person_history (person, sealed, saved, version, suspended) VALUES ($1, $2, $3, 1, $4) ON CONFLICT (person) DO UPDATE SET suspended = excluded.suspended",
			person, []byte{}, millis(at), millis(until))
		if err != nil || !until.After(at) {
			return err
		}
		found, err := tx.QueryContext(ctx, "SELECT "+sessionColumns+" FROM sessions WHERE person = $1 AND revoked = 0 ORDER BY id", person)
		if err != nil {
			return err
		}
		if ended, err = rows.All(found, rows.ScanSession); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE sessions SET revoked = $2 WHERE person = $1 AND revoked = 0", person, millis(at)); err != nil {
			return err
		}
		return bumpEpoch(ctx, tx)
	})
	return ended, err
}

// PersonSuspended returns until when a person cannot sign in; the zero time for
// one who can.
func (db *DB) PersonSuspended(ctx context.Context, person identity.PersonID) (time.Time, error) {
	return suspended(ctx, db.read(), person)
}

func suspended(ctx context.Context, of interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}, person identity.PersonID,
) (time.Time, error) {
	var until int64
	err := of.QueryRowContext(ctx, "SELECT suspended FROM person_history WHERE person = $1", person).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return moment(until), err
}
