// Package signins is the part of the store that keeps what the company's
// identity provider said of the person of each session.
package signins

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

var _ company.Store = (*Store)(nil)

// Config is what it has of the store. Everything is required.
type Config struct {
	Read  func() *sql.DB
	Write func(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error
	// Scrub sees to it that overwritten bytes do not stay on the disk.
	Scrub func()
}

// Store implements [company.Store]. Its methods may be called from many
// goroutines.
type Store struct{ cfg Config }

// New returns a store.
func New(cfg Config) *Store { return &Store{cfg} }

const (
	// cleanAtOnce bounds how many rows one cleaning takes away.
	cleanAtOnce = 5000
	// signOutLife is longer than any login.
	signOutLife   = time.Hour
	signInColumns = "session, device, person, tenant, issuer, subject, sid, said, sealed, created, due, step_up, version"
	signInAll     = "SELECT " + signInColumns + ", " + signInSince + " FROM signins WHERE "
	// signInSince is what a demand wants of the person: on the device where
	// something was unusual, and on any that signed in since. The clocks of two
	// vaults may be a minute apart.
	signInSince = "COALESCE((SELECT MAX(since) FROM demands WHERE demands.person = signins.person AND (demands.device = signins.device OR demands.asked <= signins.created + 60000)), 0)"
	// signInLives is for rows whose session has not ended.
	signInLives = " AND EXISTS (SELECT 1 FROM sessions WHERE sessions.id = signins.session AND revoked = 0 AND until > $1 AND idle_until > $1)"
)

// SignInPut implements [company.Store].
func (s *Store) SignInPut(ctx context.Context, r company.Row) error {
	said, err := json.Marshal(r.Said)
	if err != nil {
		return fmt.Errorf("storing a company sign-in: %w", err)
	}
	return s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO signins ("+signInColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
			r.Session, r.Device, r.Person, r.Tenant, r.Issuer, r.Subject, r.SID, string(said), r.Sealed, rows.Millis(r.Created), rows.Millis(r.Due), rows.Millis(r.StepUp), r.Version)
		return err
	})
}

// SignInGet implements [company.Store].
func (s *Store) SignInGet(ctx context.Context, id identity.SessionID) (company.Row, error) {
	r, err := scanSignIn(s.cfg.Read().QueryRowContext(ctx, signInAll+"session = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		return company.Row{}, company.ErrNone
	}
	return r, err
}

// SignInSave implements [company.Store]. Whose it is does not change.
func (s *Store) SignInSave(ctx context.Context, r company.Row) error {
	said, err := json.Marshal(r.Said)
	if err != nil {
		return fmt.Errorf("storing a company sign-in: %w", err)
	}
	return s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, "UPDATE signins SET said = $3, sealed = $4, due = $5, step_up = $6, version = version + 1 WHERE session = $1 AND version = $2",
			r.Session, r.Version, string(said), r.Sealed, rows.Millis(r.Due), rows.Millis(r.StepUp))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return company.ErrMoved
	})
}

// SignInDemand implements [company.Demands].
func (s *Store) SignInDemand(ctx context.Context, d company.Demand) error {
	return s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO demands (person, device, asked, since) VALUES ($1, $2, $3, $4) ON CONFLICT (person, device) DO UPDATE SET since = CASE WHEN demands.since < $4 THEN $4 ELSE demands.since END",
			d.Person, d.Device, rows.Millis(d.Asked), rows.Millis(d.Since))
		return err
	})
}

// SignInAnswer implements [company.Demands].
func (s *Store) SignInAnswer(ctx context.Context, person identity.PersonID, at time.Time) error {
	return s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM demands WHERE person = $1 AND since < $2", person, rows.Millis(at))
		return err
	})
}

// SignOutPut implements [company.SignOuts].
func (s *Store) SignOutPut(ctx context.Context, o company.SignOut) error {
	return s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO signouts (issuer, subject, sid, issued, stored) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (issuer, subject, sid) DO UPDATE SET issued = CASE WHEN signouts.issued < $4 THEN $4 ELSE signouts.issued END, stored = $5",
			o.Issuer, o.Subject, o.SID, rows.Millis(o.Issued), rows.Millis(time.Now()))
		return err
	})
}

// SignOutLast implements [company.SignOuts]. Whose session has no name is in
// any of the person's, as in SignInsOf.
func (s *Store) SignOutLast(ctx context.Context, issuer, subject, sid string) (time.Time, error) {
	const of = "SELECT COALESCE(MAX(issued), 0) FROM signouts WHERE issuer = $1 AND (subject = $2 AND (sid = '' OR sid = $3 OR $3 = '') OR subject = '' AND sid = $3 AND sid <> '')"
	var last int64
	err := s.cfg.Read().QueryRowContext(ctx, of, issuer, subject, sid).Scan(&last)
	return rows.Moment(last), err
}

// SignInsDue implements [company.Store].
func (s *Store) SignInsDue(ctx context.Context, now time.Time, limit int) ([]company.Row, error) {
	found, err := s.cfg.Read().QueryContext(ctx, signInAll+"due <= $1"+signInLives+" ORDER BY due, session LIMIT $2", rows.Millis(now), limit)
	if err != nil {
		return nil, err
	}
	return rows.All(found, scanSignIn)
}

// SignInsOf implements [company.Store].
func (s *Store) SignInsOf(ctx context.Context, issuer, subject, sid string) ([]company.Row, error) {
	where, args := "issuer = $2 AND subject = $3", []any{rows.Millis(time.Now()), issuer, subject}
	switch {
	case sid != "" && subject != "":
		where, args = where+" AND (sid = $4 OR sid = '')", append(args, sid)
	case sid != "":
		where, args = "issuer = $2 AND sid = $3", []any{args[0], issuer, sid}
	}
	found, err := s.cfg.Read().QueryContext(ctx, signInAll+where+signInLives+" ORDER BY session", args...)
	if err != nil {
		return nil, err
	}
	return rows.All(found, scanSignIn)
}

// SignInsTidy implements [company.Store]. It takes away a bounded number at a
// time, of old orders to sign out too.
func (s *Store) SignInsTidy(ctx context.Context, before time.Time) ([]session.Session, error) {
	var gone int64
	err := s.cfg.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		const over = "(SELECT session FROM signins WHERE created < $1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.id = signins.session AND revoked = 0 AND until > $1 AND idle_until > $1) LIMIT $2)"
		done, err := tx.ExecContext(ctx, "DELETE FROM signins WHERE session IN "+over, rows.Millis(before), cleanAtOnce)
		if err != nil {
			return err
		}
		if gone, err = done.RowsAffected(); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM signouts WHERE (issuer, subject, sid) IN (SELECT issuer, subject, sid FROM signouts WHERE stored < $1 LIMIT $2)", rows.Millis(before.Add(-signOutLife)), cleanAtOnce)
		return err
	})
	if gone > 0 {
		s.cfg.Scrub()
	}
	if err != nil {
		return nil, err
	}
	const strays = " FROM sessions WHERE created < $1 AND revoked = 0 AND until > $1 AND idle_until > $1 AND NOT EXISTS (SELECT 1 FROM signins WHERE signins.session = sessions.id) LIMIT $2"
	found, err := s.cfg.Read().QueryContext(ctx, "SELECT "+rows.Session+strays, rows.Millis(before), cleanAtOnce)
	if err != nil {
		return nil, err
	}
	return rows.All(found, rows.ScanSession)
}

func scanSignIn(row rows.Scanner) (company.Row, error) {
	var r company.Row
	var said string
	var created, due, stepUp, since int64
	if err := row.Scan(&r.Session, &r.Device, &r.Person, &r.Tenant, &r.Issuer, &r.Subject, &r.SID, &said, &r.Sealed, &created, &due, &stepUp, &r.Version, &since); err != nil {
		return company.Row{}, err
	}
	if err := json.Unmarshal([]byte(said), &r.Said); err != nil {
		return company.Row{}, errors.New("a stored company sign-in is not readable")
	}
	r.Created, r.Due, r.StepUp, r.Since = rows.Moment(created), rows.Moment(due), rows.Moment(stepUp), rows.Moment(since)
	return r, nil
}
