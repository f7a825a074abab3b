// Package desk is the part of the store that administration needs: lists of
// people, devices, sessions and grants, page by page, revocation of many at
// once, and audit records from the end.
package desk

import (
	"context"
	"database/sql"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store/rows"
)

var _ admin.Store = (*Desk)(nil)

// Config is what a desk has of the store. Everything is required.
type Config struct {
	Read  func() *sql.DB
	Write func(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error
	// Bump moves the epoch.
	Bump func(ctx context.Context, tx *sql.Tx) error
	// Scrub sees to it that overwritten bytes do not stay on the disk.
	Scrub func()
}

// Desk implements [admin.Store]. Its methods may be called from many
// goroutines.
type Desk struct{ cfg Config }

// New returns a desk.
func New(cfg Config) *Desk { return &Desk{cfg} }

func (d *Desk) read() *sql.DB { return d.cfg.Read() }

func (d *Desk) scrub() { d.cfg.Scrub() }

func (d *Desk) write(ctx context.Context, op func(ctx context.Context, tx *sql.Tx) error) error {
	return d.cfg.Write(ctx, op)
}

func (d *Desk) bump(ctx context.Context, tx *sql.Tx) error { return d.cfg.Bump(ctx, tx) }

// Sessions implements [admin.Store].
func (d *Desk) Sessions(ctx context.Context, find admin.SessionFind) ([]session.Session, error) {
	w := &where{}
	w.is("id", string(find.ID))
	w.is("person", string(find.Person))
	w.is("tenant", string(find.Tenant))
	w.is("device", string(find.Device))
	if !find.LiveAt.IsZero() {
		now := w.arg(rows.Millis(find.LiveAt))
		w.and("revoked = 0 AND idle_until > " + now + " AND until > " + now)
	}
	order := "created DESC, id"
	switch {
	case find.ByDevice:
		order = "device"
		w.and("device > " + w.arg(find.After.ID))
	case find.After != admin.Mark{}:
		w.after("created", find.After)
	}
	found, err := d.read().QueryContext(ctx, "SELECT "+rows.Session+" FROM sessions WHERE 1 = 1"+w.text.String()+" ORDER BY "+order+" LIMIT "+w.arg(find.Limit), w.args...)
	if err != nil {
		return nil, err
	}
	return rows.All(found, rows.ScanSession)
}

// after goes on behind a place in a list whose latest come first.
func (w *where) after(column string, mark admin.Mark) {
	at := w.arg(rows.Millis(mark.Time))
	w.and("(" + column + " < " + at + " OR " + column + " = " + at + " AND id > " + w.arg(mark.ID) + ")")
}

// Grants implements [admin.Store].
func (d *Desk) Grants(ctx context.Context, find admin.GrantFind) ([]grant.Grant, error) {
	w := &where{}
	w.is("id", string(find.ID))
	w.is("person", string(find.Person))
	w.is("tenant", string(find.Tenant))
	w.is("state", string(find.State))
	if find.After != (admin.Mark{}) {
		w.after("issued", find.After)
	}
	found, err := d.read().QueryContext(ctx, "SELECT "+rows.Grant+" FROM grants WHERE 1 = 1"+w.text.String()+" ORDER BY issued DESC, id LIMIT "+w.arg(find.Limit), w.args...)
	if err != nil {
		return nil, err
	}
	return rows.All(found, scanGrant)
}

// people finds the first people after an id who have a session or a grant.
const people = `SELECT person FROM (
		SELECT person FROM (SELECT DISTINCT person FROM sessions WHERE person > $1 ORDER BY person LIMIT $2) AS s
		UNION SELECT person FROM (SELECT DISTINCT person FROM grants WHERE person > $1 ORDER BY person LIMIT $2) AS g
	) AS both_of_them ORDER BY person LIMIT $2`

// People implements [admin.Store].
func (d *Desk) People(ctx context.Context, after identity.PersonID, limit int) ([]admin.Known, error) {
	found, err := d.read().QueryContext(ctx, people, after, limit)
	if err != nil {
		return nil, err
	}
	ids, err := rows.All(found, func(row rows.Scanner) (id identity.PersonID, err error) { return id, row.Scan(&id) })
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	w := &where{}
	in(w, "person", ids)
	if found, err = d.read().QueryContext(ctx, "SELECT "+rows.Session+" FROM sessions WHERE 1 = 1"+w.text.String()+" ORDER BY created DESC, id", w.args...); err != nil {
		return nil, err
	}
	sessions, err := rows.All(found, rows.ScanSession)
	if err != nil {
		return nil, err
	}
	if found, err = d.read().QueryContext(ctx, "SELECT "+rows.Grant+" FROM grants WHERE 1 = 1"+w.text.String()+" ORDER BY issued DESC, id", w.args...); err != nil {
		return nil, err
	}
	grants, err := rows.All(found, scanGrant)
	return gather(ids, sessions, grants), err
}

// gather gives each person what is his or hers.
func gather(ids []identity.PersonID, sessions []session.Session, grants []grant.Grant) []admin.Known {
	all := make([]admin.Known, len(ids))
	for i, id := range ids {
		all[i].ID = id
	}
	at := func(id identity.PersonID) *admin.Known {
		i := slices.IndexFunc(all, func(k admin.Known) bool { return k.ID == id })
		return &all[i]
	}
	for _, s := range sessions {
		k := at(s.Person)
		k.Sessions = append(k.Sessions, s)
	}
	for _, g := range grants {
		k := at(g.Person)
		k.Grants = append(k.Grants, g)
	}
	return all
}

// RecordsBefore implements [admin.Store].
func (d *Desk) RecordsBefore(ctx context.Context, tenant identity.TenantID, before int64, limit int) ([]audit.Record, error) {
	found, err := d.read().QueryContext(ctx, "SELECT seq, at, event, body, prev, hash FROM audit WHERE tenant = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3", tenant, before, limit)
	if err != nil {
		return nil, err
	}
	return rows.All(found, func(row rows.Scanner) (audit.Record, error) {
		r := audit.Record{Tenant: tenant}
		var at int64
		err := row.Scan(&r.Seq, &at, &r.Event, &r.Body, &r.Prev, &r.Hash)
		r.Time = rows.Moment(at)
		return r, err
	})
}
