package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

var (
	_ consent.LoginStore = (*DB)(nil)
	_ consent.StartStore = (*DB)(nil)
)

const (
	loginColumns = "id, device, tenant, phase, version, created, expires, ended, link, state, details, secrets, code"
	startColumns = "id, login, device, stream, loopback, challenge, created, seen, no_tab"
	maxRecent    = 64
	// What a page needs of an expired login are only its link and its end, so
	// its secrets may all go.
	loginOver = "phase = 'expired', version = version + 1, ended = $1, secrets = '', code = NULL"
)

// LoginBegin implements [consent.LoginStore].
func (db *DB) LoginBegin(ctx context.Context, fresh consent.Login, most int) (consent.Login, error) {
	details, err := json.Marshal(fresh.Details)
	if err != nil {
		return consent.Login{}, fmt.Errorf("storing a login: %w", err)
	}
	var now consent.Login
	err = db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE logins SET "+loginOver+" WHERE device = $2 AND ended = 0 AND expires <= $1", millis(fresh.Created), fresh.Device)
		if err != nil {
			return err
		}
		// Whoever comes second, here or at another replica, does nothing.
		done, err := tx.ExecContext(ctx, "INSERT INTO logins ("+loginColumns+", told) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0) ON CONFLICT DO NOTHING",
			fresh.ID, fresh.Device, fresh.Tenant, fresh.Phase, fresh.Version, millis(fresh.Created), millis(fresh.Expires), millis(fresh.Ended),
			fresh.Link, fresh.State, string(details), fresh.Secrets, fresh.Code)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil {
			return err
		} else if n > 0 {
			if err := room(ctx, tx, most); err != nil {
				return err
			}
		}
		now, err = scanLogin(tx.QueryRowContext(ctx, "SELECT "+loginColumns+" FROM logins WHERE device = $1 AND ended = 0", fresh.Device))
		return err
	})
	return now, err
}

// room returns [consent.ErrFull] if more than most logins are under way.
func room(ctx context.Context, tx *sql.Tx, most int) error {
	var open int
	// No more is counted than needs to be.
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM logins WHERE ended = 0 LIMIT $1) AS counted", most+1).Scan(&open)
	if err == nil && open > most {
		err = consent.ErrFull
	}
	return err
}

// LoginFind implements [consent.LoginStore].
func (db *DB) LoginFind(ctx context.Context, by consent.Find) (consent.Login, error) {
	where, key := "id = $1", any(by.ID)
	switch {
	case by.Link != nil:
		where, key = "link = $1", by.Link
	case by.State != nil:
		where, key = "state = $1", by.State
	}
	l, err := scanLogin(db.read().QueryRowContext(ctx, "SELECT "+loginColumns+" FROM logins WHERE "+where, key))
	if errors.Is(err, sql.ErrNoRows) {
		return consent.Login{}, consent.ErrNone
	}
	return l, err
}

// LoginSave implements [consent.LoginStore].
func (db *DB) LoginSave(ctx context.Context, l consent.Login) error {
	details, err := json.Marshal(l.Details)
	if err != nil {
		return fmt.Errorf("storing a login: %w", err)
	}
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE logins SET tenant = $3, phase = $4, version = version + 1, expires = $5, ended = $6, state = $7, details = $8, secrets = $9, code = $10 WHERE id = $1 AND version = $2",
			l.ID, l.Version, l.Tenant, l.Phase, millis(l.Expires), millis(l.Ended), l.State, string(details), l.Secrets, l.Code)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return consent.ErrMoved
	})
}

// LoginRecent implements [consent.LoginStore].
func (db *DB) LoginRecent(ctx context.Context, device identity.DeviceID, since time.Time) ([]consent.Login, error) {
	rows, err := db.read().QueryContext(ctx, "SELECT "+loginColumns+" FROM logins WHERE device = $1 AND created >= $2 ORDER BY created DESC, ended DESC LIMIT $3",
		device, millis(since), maxRecent)
	if err != nil {
		return nil, err
	}
	return scanLogins(rows)
}

// LoginExpire implements [consent.LoginStore].
func (db *DB) LoginExpire(ctx context.Context, now time.Time) ([]consent.Login, error) {
	var ended []consent.Login
	err := db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE logins SET "+loginOver+" WHERE ended = 0 AND expires <= $1", millis(now)); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "UPDATE logins SET told = 1 WHERE phase = 'expired' AND told = 0 RETURNING "+loginColumns)
		if err != nil {
			return err
		}
		ended, err = scanLogins(rows)
		return err
	})
	return ended, err
}

// LoginForget implements [consent.LoginStore]. It takes away a bounded number
// at a time.
func (db *DB) LoginForget(ctx context.Context, before time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const old = "(SELECT id FROM logins WHERE ended > 0 AND ended < $1 ORDER BY ended LIMIT $2)"
		if _, err := tx.ExecContext(ctx, "DELETE FROM starts WHERE login IN "+old, millis(before), cleanAtOnce); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "DELETE FROM logins WHERE id IN "+old, millis(before), cleanAtOnce)
		return err
	})
}

func scanLogins(rows *sql.Rows) ([]consent.Login, error) {
	defer func() { _ = rows.Close() }()
	var all []consent.Login
	for rows.Next() {
		l, err := scanLogin(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

func scanLogin(row scanner) (consent.Login, error) {
	var l consent.Login
	var created, expires, ended int64
	var details string
	if err := row.Scan(&l.ID, &l.Device, &l.Tenant, &l.Phase, &l.Version, &created, &expires, &ended,
		&l.Link, &l.State, &details, &l.Secrets, &l.Code); err != nil {
		return consent.Login{}, err
	}
	if err := json.Unmarshal([]byte(details), &l.Details); err != nil {
		return consent.Login{}, errors.New("a stored login is not readable")
	}
	l.Created, l.Expires, l.Ended = moment(created), moment(expires), moment(ended)
	return l, nil
}

// StartSave implements [consent.StartStore].
func (db *DB) StartSave(ctx context.Context, s consent.Start) error {
	noTab := 0
	if s.NoTab {
		noTab = 1
	}
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO starts ("+startColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET seen = $8, no_tab = $9",
			s.ID, s.Login, s.Device, s.Stream, s.Loopback, s.Challenge, millis(s.Created), millis(s.Seen), noTab)
		return err
	})
}

// StartLeft implements [consent.StartStore].
func (db *DB) StartLeft(ctx context.Context, login identity.LoginID, stream identity.StreamID, since time.Time) error {
	return db.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE starts SET seen = 0 WHERE login = $1 AND stream = $2 AND seen > 0 AND seen <= $3", login, stream, millis(since))
		return err
	})
}

// StartGet implements [consent.StartStore].
func (db *DB) StartGet(ctx context.Context, id consent.StartID) (consent.Start, error) {
	s, err := scanStart(db.read().QueryRowContext(ctx, "SELECT "+startColumns+" FROM starts WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return consent.Start{}, consent.ErrNone
	}
	return s, err
}

// StartList implements [consent.StartStore].
func (db *DB) StartList(ctx context.Context, login identity.LoginID) ([]consent.Start, error) {
	rows, err := db.read().QueryContext(ctx, "SELECT "+startColumns+" FROM starts WHERE login = $1 ORDER BY seen DESC, id", login)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []consent.Start
	for rows.Next() {
		s, err := scanStart(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func scanStart(row scanner) (consent.Start, error) {
	var s consent.Start
	var created, seen, noTab int64
	if err := row.Scan(&s.ID, &s.Login, &s.Device, &s.Stream, &s.Loopback, &s.Challenge, &created, &seen, &noTab); err != nil {
		return consent.Start{}, err
	}
	s.Created, s.Seen, s.NoTab = moment(created), moment(seen), noTab != 0
	return s, nil
}
