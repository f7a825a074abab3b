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
	// atOnce is how many grants one statement looks at or ends where they are
	// named one by one.
	atOnce = 500
)

// Affected implements [admin.Store].
func (d *Desk) Affected(ctx context.Context, scope admin.Scope) (all admin.Revoked, err error) {
	return d.parts(ctx, scope, func(ids []identity.GrantID) (admin.Revoked, error) {
		return change{db: d.read()}.both(ctx, scope, ids)
	})
}

// Revoke implements [admin.Store]. A thousand people are cut off as fast as
// one. Those who may reach a site go some hundred at a time, each with the
// epoch: what is returned with an error is gone all the same.
func (d *Desk) Revoke(ctx context.Context, scope admin.Scope, at time.Time) (admin.Revoked, error) {
	defer d.scrub() // whatever comes of it: a write may be done all the same
	return d.parts(ctx, scope, func(ids []identity.GrantID) (part admin.Revoked, err error) {
		err = d.write(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
			if part, err = (change{db: tx, at: at}).both(ctx, scope, ids); err != nil || len(part.Grants)+len(part.Sessions) == 0 {
				return err
			}
			return d.bump(ctx, tx)
		})
		if err != nil {
			part = admin.Revoked{}
		}
		return part, err
	})
}

// parts does something with all that a scope reaches: at once, or, if it is a
// site, with some grants after others.
func (d *Desk) parts(ctx context.Context, scope admin.Scope, do func(ids []identity.GrantID) (admin.Revoked, error)) (all admin.Revoked, err error) {
	switch {
	case !scope.Valid():
		return all, nil
	case scope.Site == "":
		return do(nil)
	}
	for after, more := identity.GrantID(""), true; more; {
		var ids []identity.GrantID
		if ids, after, more, err = d.ofSite(ctx, scope, after); err != nil {
			return all, err
		}
		if len(ids) == 0 {
			continue
		}
		part, err := do(ids)
		all.Sessions, all.Grants = append(all.Sessions, part.Sessions...), append(all.Grants, part.Grants...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// ofSite finds grants that reach a site, whose list of sites is JSON, among the
// next after an id, and says where to go on.
func (d *Desk) ofSite(ctx context.Context, scope admin.Scope, after identity.GrantID) (ids []identity.GrantID, last identity.GrantID, more bool, err error) {
	w := &where{}
	owners(w, scope)
	w.and("id > " + w.arg(string(after)))
	found, err := d.read().QueryContext(ctx, "SELECT "+rows.Grant+" FROM grants WHERE "+usable+w.text.String()+" ORDER BY id LIMIT "+w.arg(atOnce), w.args...)
	if err != nil {
		return nil, after, false, err
	}
	all, err := rows.All(found, scanGrant)
	same := func(s grant.Site) bool { return strings.TrimSuffix(s.URL, "/") == strings.TrimSuffix(scope.Site, "/") }
	for _, g := range all {
		if last = g.ID; slices.ContainsFunc(g.Sites, same) {
			ids = append(ids, g.ID)
		}
	}
	return ids, last, len(all) == atOnce, err
}

// change is one look at what a scope reaches, or, at a time, its end.
type change struct {
	db engine.Querier
	at time.Time
}

// both is for grants and sessions; of a site for those grants.
func (c change) both(ctx context.Context, scope admin.Scope, ids []identity.GrantID) (r admin.Revoked, err error) {
	if scope.Device == "" && scope.Session == "" {
		if r.Grants, err = c.grants(ctx, scope, ids); err != nil {
			return r, err
		}
	}
	w := c.begin()
	switch {
	case scope.Site == "" && scope.Grant == "":
		owners(w, scope)
		w.is("device", string(scope.Device))
		w.is("id", string(scope.Session))
	case len(r.Grants) == 0:
		return r, nil
	default: // of those whose grants end
		ofOwners(w, r.Grants)
	}
	r.Sessions, err = c.sessions(ctx, w)
	return r, err
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

// ofOwners adds that person and tenant are those of a grant.
func ofOwners(w *where, grants []grant.Grant) {
	people, pairs := make([]string, len(grants)), make([]string, len(grants))
	for i, g := range grants {
		people[i] = w.arg(string(g.Person))
		pairs[i] = "(" + people[i] + ", " + w.arg(string(g.Tenant)) + ")"
	}
	w.and("person IN (" + strings.Join(people, ",") + ")") // there is an index
	w.and("(person, tenant) IN (VALUES " + strings.Join(pairs, ",") + ")")
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

func (c change) grants(ctx context.Context, scope admin.Scope, ids []identity.GrantID) ([]grant.Grant, error) {
	w := c.begin()
	owners(w, scope)
	w.is("id", string(scope.Grant))
	if scope.Site != "" {
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

func scanGrant(row rows.Scanner) (grant.Grant, error) { return rows.ScanGrant(row) }
