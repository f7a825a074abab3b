package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

var (
	_ session.Store = (*DB)(nil)
	_ session.Many  = (*DB)(nil)
)

// sessionsKept is how long a session is shown after its end.
const sessionsKept = 30 * 24 * time.Hour

const (
	sessionColumns = rows.Session
	sessionCurrent = "SELECT " + sessionColumns + " FROM sessions WHERE device = $1 AND revoked = 0"
	epochNow       = "SELECT value FROM epoch WHERE id = 1"
)

// SessionStart implements [session.Store]. Ending a session that is not
// revoked moves the epoch if it was another person's or tenant's, so that its
// streams are cut on every replica.
func (db *DB) SessionStart(ctx context.Context, s session.Session) error {
	shown, err := json.Marshal(s.Shown)
	if err != nil {
		return fmt.Errorf("storing a session: %w", err)
	}
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		until, err := suspended(ctx, tx, s.Person)
		if err != nil {
			return err
		}
		if s.Created.Before(until) {
			return session.ErrSuspended
		}
		var strangers int
		err = tx.QueryRowContext(ctx, "SELECT count(*) FROM sessions WHERE device = $1 AND revoked = 0 AND (person <> $2 OR tenant <> $3)",
			s.Device, s.Person, s.Tenant).Scan(&strangers)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE device = $1 OR until < $2", s.Device, millis(s.Created.Add(-sessionsKept))); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO sessions ("+sessionColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
			s.ID, s.Device, s.Person, s.Tenant, millis(s.Created), millis(s.Used), millis(s.IdleUntil), millis(s.Until), millis(s.Revoked), string(shown))
		if err != nil || strangers == 0 {
			return err
		}
		return bumpEpoch(ctx, tx)
	})
}

// SessionCurrent implements [session.Store].
func (db *DB) SessionCurrent(ctx context.Context, device identity.DeviceID) (session.Session, error) {
	s, err := rows.ScanSession(db.engine.Hot(ctx, nil, sessionCurrent).QueryRowContext(ctx, device))
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, session.ErrNone
	}
	return s, err
}

// SessionsCurrent implements [session.Many].
func (db *DB) SessionsCurrent(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]session.Session, error) {
	all := make(map[identity.DeviceID]session.Session, len(devices))
	if len(devices) == 0 {
		return all, nil
	}
	var query strings.Builder
	query.WriteString("SELECT " + sessionColumns + " FROM sessions WHERE revoked = 0 AND device IN (")
	args := make([]any, len(devices))
	for i, device := range devices {
		if i > 0 {
			query.WriteByte(',')
		}
		query.WriteString("$" + strconv.Itoa(i+1))
		args[i] = device
	}
	query.WriteByte(')')
	found, err := db.read().QueryContext(ctx, query.String(), args...)
	if err != nil {
		return nil, err
	}
	list, err := rows.All(found, rows.ScanSession)
	for _, s := range list {
		all[s.Device] = s
	}
	return all, err
}

// SessionTouch implements [session.Store]. It never moves a time back.
func (db *DB) SessionTouch(ctx context.Context, id identity.SessionID, used, idleUntil time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		return oneSession(tx.ExecContext(ctx, "UPDATE sessions SET used = CASE WHEN used < $2 THEN $2 ELSE used END, idle_until = CASE WHEN idle_until < $3 THEN $3 ELSE idle_until END WHERE id = $1 AND revoked = 0",
			id, millis(used), millis(idleUntil)))
	})
}

// oneSession turns "no row was changed" into [session.ErrNone].
func oneSession(result sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return session.ErrNone
	}
	return err
}

// SessionList implements [session.Store]: the latest first.
func (db *DB) SessionList(ctx context.Context) ([]session.Session, error) {
	found, err := db.read().QueryContext(ctx, "SELECT "+sessionColumns+" FROM sessions ORDER BY created DESC, id")
	if err != nil {
		return nil, err
	}
	return rows.All(found, rows.ScanSession)
}

// SessionRevoke implements [session.Store]. The time of the first revocation
// stands.
func (db *DB) SessionRevoke(ctx context.Context, id identity.SessionID, at time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := oneSession(tx.ExecContext(ctx, "UPDATE sessions SET revoked = CASE WHEN revoked = 0 THEN $2 ELSE revoked END WHERE id = $1", id, millis(at)))
		if err != nil {
			return err
		}
		return bumpEpoch(ctx, tx)
	})
}

// Epoch implements [session.Store].
func (db *DB) Epoch(ctx context.Context) (int64, error) {
	var value int64
	err := db.engine.Hot(ctx, nil, epochNow).QueryRowContext(ctx).Scan(&value)
	return value, err
}

// bumpEpoch moves the epoch: every replica then looks whom it still may serve.
// Call it in the transaction of whatever takes access away.
func bumpEpoch(ctx context.Context, tx *sql.Tx) error {
	if moved, ok := ctx.Value(movedKey{}).(*atomic.Bool); ok {
		moved.Store(true)
	}
	_, err := tx.ExecContext(ctx, "UPDATE epoch SET value = value + 1 WHERE id = 1")
	return err
}
