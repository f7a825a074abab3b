// Package rows reads rows of the store into the words of those who use it: the
// one place that knows in which order columns come.
package rows

import (
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

const (
	// Session is the columns of a session, in the order of [ScanSession].
	Session = "id, device, person, tenant, created, used, idle_until, until, revoked, shown"
	// Grant is everything of a grant that may be shown, in the order of
	// [ScanGrant].
	Grant = "id, person, tenant, state, account, scopes, sites, issued, refreshed, used, token_expires, expires, next_refresh, ended, last_error"
)

// Scanner is a row.
type Scanner interface{ Scan(into ...any) error }

// All reads all rows with one and closes them.
func All[T any](rows *sql.Rows, one func(Scanner) (T, error)) ([]T, error) {
	defer func() { _ = rows.Close() }()
	var all []T
	for rows.Next() {
		item, err := one(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, rows.Err()
}

// ScanSession reads the columns of [Session].
func ScanSession(row Scanner) (session.Session, error) {
	var s session.Session
	var created, used, idle, until, revoked int64
	var shown string
	if err := row.Scan(&s.ID, &s.Device, &s.Person, &s.Tenant, &created, &used, &idle, &until, &revoked, &shown); err != nil {
		return session.Session{}, err
	}
	if err := json.Unmarshal([]byte(shown), &s.Shown); err != nil {
		return session.Session{}, errors.New("a stored session is not readable")
	}
	s.Created, s.Used, s.IdleUntil, s.Until, s.Revoked = Moment(created), Moment(used), Moment(idle), Moment(until), Moment(revoked)
	return s, nil
}

// ScanGrant reads the columns of [Grant], and into more what follows.
func ScanGrant(row Scanner, more ...any) (grant.Grant, error) {
	var g grant.Grant
	var scopes, sites string
	var issued, refreshed, used, token, expires, next, ended int64
	into := []any{&g.ID, &g.Person, &g.Tenant, &g.State, &g.Account, &scopes, &sites, &issued, &refreshed, &used, &token, &expires, &next, &ended, &g.LastError}
	if err := row.Scan(append(into, more...)...); err != nil {
		return grant.Grant{}, err
	}
	if json.Unmarshal([]byte(scopes), &g.Scopes) != nil || json.Unmarshal([]byte(sites), &g.Sites) != nil {
		return grant.Grant{}, errors.New("a stored grant is not readable")
	}
	g.Issued, g.Refreshed, g.Used, g.TokenExpires = Moment(issued), Moment(refreshed), Moment(used), Moment(token)
	g.Expires, g.NextRefresh, g.Ended = Moment(expires), Moment(next), Moment(ended)
	return g, nil
}

// Millis is a time as it is stored.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Moment is a stored time.
func Moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
