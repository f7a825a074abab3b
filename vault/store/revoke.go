package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Scope says whose access is taken away: of all that its fields name together.
// The zero value is nobody's.
type Scope struct {
	Person identity.PersonID
	Tenant identity.TenantID
	Device identity.DeviceID // its session, and no grant: those are the person's
	Site   string            // the site's address; who may reach it
	// Everything is everybody, and goes with nothing else.
	Everything bool
}

// Revoked is what was taken away.
type Revoked struct {
	Sessions []session.Session
	Grants   []grant.Grant
}

// Revoke ends the sessions of a scope and destroys the keys and tokens of its
// grants, all in one step, so that a thousand people are cut off as fast as one.
func (db *DB) Revoke(ctx context.Context, scope Scope, at time.Time) (Revoked, error) {
	if scope == (Scope{}) || scope.Everything && scope != (Scope{Everything: true}) {
		return Revoked{}, nil
	}
	var done Revoked
	err := db.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		done = Revoked{}
		if scope.Device == "" {
			if done.Grants, err = revokeGrants(ctx, tx, scope, at); err != nil {
				return err
			}
		}
		if done.Sessions, err = revokeSessions(ctx, tx, scope, done.Grants, at); err != nil {
			return err
		}
		if len(done.Grants)+len(done.Sessions) == 0 {
			return nil
		}
		return bumpEpoch(ctx, tx)
	})
	db.engine.Scrub() // whatever err is: the write may be done all the same
	return done, err
}

// condition is a part of a WHERE clause with its arguments, numbered from one.
type condition struct {
	text strings.Builder
	args []any
}

// and adds "column = value".
func (c *condition) and(column string, value any) {
	c.args = append(c.args, value)
	c.text.WriteString(" AND " + column + " = $" + strconv.Itoa(len(c.args)))
}

func (s Scope) owners(first ...any) *condition {
	c := &condition{args: first}
	if s.Person != "" {
		c.and("person", s.Person)
	}
	if s.Tenant != "" {
		c.and("tenant", s.Tenant)
	}
	return c
}

func revokeGrants(ctx context.Context, tx *sql.Tx, scope Scope, at time.Time) ([]grant.Grant, error) {
	where := scope.owners(grant.Revoked, millis(at))
	if scope.Site != "" {
		found, err := grantsOfSite(ctx, tx, scope)
		if err != nil || len(found) == 0 {
			return nil, err
		}
		where.in("id", found)
	}
	rows, err := tx.QueryContext(ctx, `UPDATE grants SET state = $1, ended = CASE WHEN ended = 0 THEN $2 ELSE ended END,
		data_key = NULL, access = NULL, refresh = NULL, claim = '', claim_until = 0, intent_at = 0, next_refresh = 0
		WHERE state IN ('live', 'sign_in_again')`+where.text.String()+" RETURNING "+grantShown, where.args...)
	if err != nil {
		return nil, err
	}
	return scanGrants(rows)
}

// in adds "column IN (…)".
func (c *condition) in(column string, ids []identity.GrantID) {
	c.text.WriteString(" AND " + column + " IN (")
	for i, id := range ids {
		if i > 0 {
			c.text.WriteByte(',')
		}
		c.args = append(c.args, id)
		c.text.WriteString("$" + strconv.Itoa(len(c.args)))
	}
	c.text.WriteByte(')')
}

// maxOfSite bounds the arguments of one statement; the rest goes with the next
// revocation of the same scope.
const maxOfSite = 10_000

// grantsOfSite finds the grants that reach a site, whose list of sites is JSON.
func grantsOfSite(ctx context.Context, tx *sql.Tx, scope Scope) ([]identity.GrantID, error) {
	where := scope.owners()
	rows, err := tx.QueryContext(ctx, "SELECT "+grantShown+" FROM grants WHERE state IN ('live', 'sign_in_again')"+where.text.String(), where.args...)
	if err != nil {
		return nil, err
	}
	all, err := scanGrants(rows)
	var found []identity.GrantID
	for _, g := range all {
		if len(found) < maxOfSite && slices.ContainsFunc(g.Sites, func(s grant.Site) bool { return strings.TrimSuffix(s.URL, "/") == strings.TrimSuffix(scope.Site, "/") }) {
			found = append(found, g.ID)
		}
	}
	return found, err
}

func scanGrants(rows *sql.Rows) ([]grant.Grant, error) {
	defer func() { _ = rows.Close() }()
	var all []grant.Grant
	for rows.Next() {
		g, err := scanGrant(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, rows.Err()
}

func revokeSessions(ctx context.Context, tx *sql.Tx, scope Scope, grants []grant.Grant, at time.Time) ([]session.Session, error) {
	where := scope.owners(millis(at))
	if scope.Device != "" {
		where.and("device", scope.Device)
	}
	if scope.Site != "" {
		return revokeOwners(ctx, tx, grants, at)
	}
	return endSessions(ctx, tx, where)
}

// revokeOwners ends the sessions of those whose grants ended.
func revokeOwners(ctx context.Context, tx *sql.Tx, grants []grant.Grant, at time.Time) ([]session.Session, error) {
	var all []session.Session
	for _, g := range grants {
		ended, err := endSessions(ctx, tx, Scope{Person: g.Person, Tenant: g.Tenant}.owners(millis(at)))
		if err != nil {
			return nil, err
		}
		all = append(all, ended...)
	}
	return all, nil
}

func endSessions(ctx context.Context, tx *sql.Tx, where *condition) ([]session.Session, error) {
	rows, err := tx.QueryContext(ctx, "UPDATE sessions SET revoked = $1 WHERE revoked = 0"+where.text.String()+" RETURNING "+sessionColumns, where.args...)
	if err != nil {
		return nil, err
	}
	return scanSessions(rows)
}
