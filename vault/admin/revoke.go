package admin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// ConnectedApps is where a person removes the app at Atlassian, which nobody
// else can do for sure.
const ConnectedApps = "https://id.atlassian.com/manage-profile/apps"

// How long the parts of a revocation may take.
const (
	takeTime     = 2 * time.Second // opening tokens, which delays what follows
	revokeTime   = 30 * time.Second
	upstreamTime = 8 * time.Second
	keepTime     = 20 * time.Second // for what ended here, and again for what ended at Atlassian
)

// sideBySide is how many records are under way: those that come together are
// stored together.
const sideBySide = 64

// Revocation is what a revocation ended, or would end.
type Revocation struct {
	Revoked
	// Superseded says that the grant of the scope had ended before, since a
	// newer one took its place: the person goes on.
	Superseded bool
	// Upstream counts the grants that were also ended at Atlassian, those
	// where that failed, and those where it was not attempted.
	Upstream struct{ Ended, Failed, Left int }
}

// Preview says what [Desk.Revoke] would end.
func (d *Desk) Preview(ctx context.Context, who Actor, scope Scope) (Revocation, error) {
	r, err := d.reach(ctx, who, scope)
	if err != nil {
		return Revocation{}, err
	}
	return r, d.look(ctx, who, audit.Entry{Person: scope.Person, Objects: []string{"what a revocation would end", scope.String()}})
}

// reach finds what is in scope; that there is no such thing is on record.
func (d *Desk) reach(ctx context.Context, who Actor, scope Scope) (Revocation, error) {
	r, err := d.affected(ctx, scope)
	if usererr.CodeOf(err) == usererr.NotFound {
		e := audit.Entry{Device: scope.Device, Session: scope.Session, Grant: scope.Grant, Objects: []string{"what a revocation would end", scope.String()}}
		err = d.missed(ctx, who, e, err)
	}
	return r, err
}

// affected finds what is in scope. Something that was named by an id and is
// not there is an error.
func (d *Desk) affected(ctx context.Context, scope Scope) (r Revocation, err error) {
	if err := scope.check(); err != nil {
		return r, err
	}
	if r.Revoked, err = d.cfg.Store.Affected(ctx, scope); err != nil || len(r.Sessions)+len(r.Grants) > 0 {
		return r, err
	}
	find := SessionFind{ID: scope.Session, Device: scope.Device, Limit: 1}
	switch {
	case scope.Grant != "":
		g, err := d.grant(ctx, scope.Grant)
		r.Superseded = g.State == grant.Superseded
		return r, err
	case find.ID == "" && find.Device == "":
		return r, nil
	}
	list, err := d.cfg.Store.Sessions(ctx, find)
	switch {
	case err != nil || len(list) > 0:
		return r, err
	case scope.Session != "":
		return r, none("session", string(scope.Session))
	}
	return r, none("device", string(scope.Device))
}

// Revoke takes away the access of everybody in scope now, in one step, and
// returns what ended. The order is on record before, and what ended after it.
// Only then, and in bounded time, it is attempted to end the grants at
// Atlassian as well. What comes with an error has ended all the same.
func (d *Desk) Revoke(ctx context.Context, who Actor, scope Scope) (Revocation, error) {
	if err := d.mayChange(ctx, who, "revoking "+scope.String()); err != nil {
		return Revocation{}, err
	}
	r, err := d.reach(ctx, who, scope)
	if err != nil {
		return Revocation{}, err
	}
	if err := d.record(ctx, who, r.order(scope)); err != nil {
		return Revocation{}, err
	}
	// From here on it is done, whether or not somebody still waits for it.
	ctx = context.WithoutCancel(ctx)
	end := d.take(ctx, r.Grants)
	if r.Revoked, err = d.end(ctx, scope); err != nil {
		// What has ended all the same is on record.
		return r, errors.Join(fmt.Errorf("revoking: %w", err), d.ended(ctx, who, r.Revoked))
	}
	var results map[identity.GrantID]error
	var atlassian sync.WaitGroup
	atlassian.Go(func() { results = upstream(ctx, end) })
	err = d.ended(ctx, who, r.Revoked)
	atlassian.Wait()
	if err = errors.Join(err, d.sent(ctx, who, &r, results)); err != nil {
		err = usererr.Wrap(err, usererr.Unavailable, "All of it is revoked, but not every record of that could be stored", "The record of the order is there; look at the store")
	}
	return r, err
}

func (d *Desk) end(ctx context.Context, scope Scope) (Revoked, error) {
	ctx, cancel := context.WithTimeout(ctx, revokeTime)
	defer cancel()
	return d.cfg.Store.Revoke(ctx, scope, time.Now())
}

// order is the record of an order. It is in the chain of a tenant only if
// something there is affected: whoever names a tenant makes no chain by that.
func (r Revocation) order(scope Scope) audit.Entry {
	e := audit.Entry{
		Event: "revocation.ordered", Person: scope.Person, Device: scope.Device, Session: scope.Session, Grant: scope.Grant,
		Site: scope.Site, Objects: []string{scope.String()},
	}
	tenants := map[identity.TenantID]bool{}
	for _, s := range r.Sessions {
		tenants[s.Tenant] = true
	}
	for _, g := range r.Grants {
		tenants[g.Tenant] = true
	}
	if len(tenants) == 1 && !scope.Everything {
		for t := range tenants {
			e.Tenant = t
		}
	}
	return e
}

// take opens tokens while they are there; nil if nothing is to be sent.
func (d *Desk) take(ctx context.Context, grants []grant.Grant) func(context.Context) map[identity.GrantID]error {
	if d.cfg.Upstream == nil || len(grants) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	return d.cfg.Upstream(ctx, grants)
}

// ended records what ended: grants, then the sessions that ended with them.
func (d *Desk) ended(ctx context.Context, who Actor, done Revoked) error {
	grants, sessions := make([]audit.Entry, 0, len(done.Grants)), make([]audit.Entry, 0, len(done.Sessions))
	for _, g := range done.Grants {
		grants = append(grants, audit.Entry{Event: "grant.revoked", Tenant: g.Tenant, Person: g.Person, Grant: g.ID})
	}
	for _, s := range done.Sessions {
		sessions = append(sessions, audit.Entry{Event: "session.revoked", Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID})
	}
	return errors.Join(d.recordAll(ctx, who, grants), d.recordAll(ctx, who, sessions))
}

// recordAll stores records side by side, in no order. Its error is the first one's: there may
// be thousands.
func (d *Desk) recordAll(ctx context.Context, who Actor, entries []audit.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	next := make(chan audit.Entry)
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range min(sideBySide, len(entries)) {
		all.Go(func() { // ends with next
			for e := range next {
				if err := d.record(ctx, who, e); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	for _, e := range entries {
		next <- e
	}
	close(next)
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// upstream ends the grants at Atlassian too, as far as that works.
func upstream(ctx context.Context, end func(context.Context) map[identity.GrantID]error) map[identity.GrantID]error {
	if end == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, upstreamTime)
	defer cancel()
	return end(ctx)
}

// sent counts and records what came of that.
func (d *Desk) sent(ctx context.Context, who Actor, r *Revocation, results map[identity.GrantID]error) error {
	var entries []audit.Entry
	for _, g := range r.Grants {
		why, tried := results[g.ID]
		if !tried {
			r.Upstream.Left++
			continue
		}
		e := audit.Entry{Event: "grant.revoked_upstream", Tenant: g.Tenant, Person: g.Person, Grant: g.ID}
		if r.Upstream.Ended++; why != nil {
			r.Upstream.Ended, r.Upstream.Failed = r.Upstream.Ended-1, r.Upstream.Failed+1
			e.Outcome, e.Detail = "error", why.Error()
		}
		entries = append(entries, e)
	}
	return d.recordAll(ctx, who, entries)
}
