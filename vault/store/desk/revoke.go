package desk

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

const (
	usable = "state IN ('live', 'sign_in_again')"
	// maxAtOnce bounds the arguments of one statement; what is left of a site
	// goes with the next revocation of the same scope.
	maxAtOnce = 10_000
)

// Affected implements [admin.Store].
func (d *Desk) Affected(ctx context.Context, scope admin.Scope) (admin.Revoked, error) {
	return d.both(ctx, scope, change{db: d.read()})
}

// Revoke implements [admin.Store]. A thousand people are cut off as fast as
// one.
func (d *Desk) Revoke(ctx context.Context, scope admin.Scope, at time.Time) (done admin.Revoked, err error) {
	if !scope.Valid() {
		return admin.Revoked{}, nil
	}
	err = d.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if done, err = d.both(ctx, scope, change{db: tx, at: at}); err != nil || len(done.Grants)+len(done.Sessions) == 0 {
			return err
		}
		return d.bump(ctx, tx)
	})
	d.scrub() // whatever err is: the write may be done all the same
	return done, err
}

// change is one look at what a scope reaches, or, at a time, its end.
type change struct {
	db engine.Querier
	at time.Time
}

func (d *Desk) both(ctx context.Context, scope admin.Scope, c change) (r admin.Revoked, err error) {
	if !scope.Valid() {
		return r, nil
	}
	if scope.Device == "" && scope.Session == "" {
		if r.Grants, err = c.grants(ctx, scope); err != nil {
			return r, err
		}
	}
	if scope.Site == "" && scope.Grant == "" {
		w := c.begin()
		owners(w, scope)
		w.is("device", string(scope.Device))
		w.is("id", string(scope.Session))
		r.Sessions, err = c.sessions(ctx, w)
		return r, err
	}
	// Of those whose grants end.
	for _, g := range r.Grants {
		w := c.begin()
		owners(w, admin.Scope{Person: g.Person, Tenant: g.Tenant})
		list, err := c.sessions(ctx, w)
		if err != nil {
			return r, err
		}
		r.Sessions = append(r.Sessions, list...)
	}
	return r, nil
}

// begin makes room for the time that an UPDATE sets first.
func (c change) begin() *where {
	w := &where{}
	if !c.at.IsZero() {
		w.arg(rows.Millis(c.at))
	}
	return w
}

func owners(w *where, s admin.Scope) {
	w.is("person", string(s.Person))
	w.is("tenant", string(s.Tenant))
}

func (c change) sessions(ctx context.Context, w *where) ([]session.Session, error) {
	query := "SELECT " + rows.Session + " FROM sessions WHERE revoked = 0" + w.text.String()
	if !c.at.IsZero() {
		query = "UPDATE sessions SET revoked = $1 WHERE revoked = 0" + w.text.String() + " RETURNING " + rows.Session
	}
	found, err := c.db.QueryContext(ctx, query, w.args...)
	if err != nil {
		return nil, err
	}
	return rows.All(found, rows.ScanSession)
}

func (c change) grants(ctx context.Context, scope admin.Scope) ([]grant.Grant, error) {
	w := c.begin()
	owners(w, scope)
	w.is("id", string(scope.Grant))
	if scope.Site != "" {
		ids, err := c.ofSite(ctx, scope)
		if err != nil || len(ids) == 0 {
			return nil, err
		}
		in(w, "id", ids)
	}
	query := "SELECT " + rows.Grant + " FROM grants WHERE " + usable + w.text.String()
	if !c.at.IsZero() {
		query = `UPDATE grants SET state = 'revoked', ended = CASE WHEN ended = 0 THEN $1 ELSE ended END,
			data_key = NULL, access = NULL, refresh = NULL, claim = '', claim_until = 0, intent_at = 0, next_refresh = 0
			WHERE ` + usable + w.text.String() + " RETURNING " + rows.Grant
	}
	found, err := c.db.QueryContext(ctx, query, w.args...)
	if err != nil {
		return nil, err
	}
	return rows.All(found, scanGrant)
}

// ofSite finds the grants that reach a site, whose list of sites is JSON.
func (c change) ofSite(ctx context.Context, scope admin.Scope) ([]identity.GrantID, error) {
	w := &where{}
	owners(w, scope)
	found, err := c.db.QueryContext(ctx, "SELECT "+rows.Grant+" FROM grants WHERE "+usable+w.text.String(), w.args...)
	if err != nil {
		return nil, err
	}
	all, err := rows.All(found, scanGrant)
	same := func(s grant.Site) bool { return strings.TrimSuffix(s.URL, "/") == strings.TrimSuffix(scope.Site, "/") }
	var ids []identity.GrantID
	for _, g := range all {
		if len(ids) < maxAtOnce && slices.ContainsFunc(g.Sites, same) {
			ids = append(ids, g.ID)
		}
	}
	return ids, err
}

func scanGrant(row rows.Scanner) (grant.Grant, error) { return rows.ScanGrant(row) }
