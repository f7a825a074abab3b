package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// SessionFind is a question about sessions. Empty fields do not matter.
type SessionFind struct {
	ID     identity.SessionID
	Person identity.PersonID
	Tenant identity.TenantID
	Device identity.DeviceID
	LiveAt time.Time // only those that last at this time
	// ByDevice orders by device; otherwise the latest come first.
	ByDevice bool
	After    Mark
	Limit    int
}

// GrantFind is a question about grants, the latest first. Empty fields do not
// matter.
type GrantFind struct {
	ID     identity.GrantID
	Person identity.PersonID
	Tenant identity.TenantID
	State  grant.State
	After  Mark
	Limit  int
}

// Known is what is kept of a person.
type Known struct {
	ID       identity.PersonID
	Sessions []session.Session // the latest first
	Grants   []grant.Grant     // the latest first
	// InRecords is what stands for the person in the records of each chain,
	// for administrators and where people are named by hash.
	InRecords map[identity.TenantID]identity.PersonID
}

// SessionQuery asks for sessions or devices.
type SessionQuery struct {
	Person identity.PersonID
	Tenant identity.TenantID
	Device identity.DeviceID
	Live   bool // only those that last
	Paging
}

// Sessions lists sessions, the latest first.
func (d *Desk) Sessions(ctx context.Context, who Actor, q SessionQuery) (Page[session.Session], error) {
	return d.sessions(ctx, who, "sessions", q)
}

// Devices lists devices, each with the session that was there last.
func (d *Desk) Devices(ctx context.Context, who Actor, q SessionQuery) (Page[session.Session], error) {
	return d.sessions(ctx, who, "devices", q)
}

func (d *Desk) sessions(ctx context.Context, who Actor, kind string, q SessionQuery) (Page[session.Session], error) {
	limit, err := q.size()
	if err != nil {
		return Page[session.Session]{}, err
	}
	from, err := openCursor(kind, q.Cursor)
	if err != nil {
		return Page[session.Session]{}, err
	}
	find := SessionFind{Person: q.Person, Tenant: q.Tenant, Device: q.Device, ByDevice: kind == "devices", After: from.mark(), Limit: limit + 1}
	if q.Live {
		find.LiveAt = time.Now()
	}
	list, err := d.cfg.Store.Sessions(ctx, find)
	if err != nil {
		return Page[session.Session]{}, err
	}
	page := pageOf(list, limit, func(s session.Session) cursor {
		id := string(s.ID)
		if find.ByDevice {
			id = string(s.Device)
		}
		return cursor{Kind: kind, Time: s.Created.UnixMilli(), ID: id}
	})
	return page, d.look(ctx, who, audit.Entry{Person: q.Person, Device: q.Device, Objects: asked(kind, "tenant", string(q.Tenant))})
}

// asked describes a question for a record: names and values, in pairs.
func asked(what string, pairs ...string) []string {
	words := []string{what}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			words = append(words, pairs[i]+" "+pairs[i+1])
		}
	}
	return words
}

// Session finds a session.
func (d *Desk) Session(ctx context.Context, who Actor, id identity.SessionID) (session.Session, error) {
	return d.session(ctx, who, SessionFind{ID: id, Limit: 1}, "session")
}

// Device finds a device by the session that was there last.
func (d *Desk) Device(ctx context.Context, who Actor, id identity.DeviceID) (session.Session, error) {
	return d.session(ctx, who, SessionFind{Device: id, Limit: 1}, "device")
}

// session finds one by its id or its device.
func (d *Desk) session(ctx context.Context, who Actor, find SessionFind, what string) (session.Session, error) {
	var list []session.Session
	id := string(find.ID) + string(find.Device)
	if id != "" {
		var err error
		if list, err = d.cfg.Store.Sessions(ctx, find); err != nil {
			return session.Session{}, err
		}
	}
	if len(list) == 0 {
		return session.Session{}, d.missed(ctx, who, audit.Entry{Session: find.ID, Device: find.Device, Objects: []string{what}}, none(what, id))
	}
	s := list[0]
	return s, d.look(ctx, who, audit.Entry{Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID, Objects: []string{"session"}})
}

// GrantQuery asks for grants.
type GrantQuery struct {
	Person identity.PersonID
	Tenant identity.TenantID
	State  grant.State
	Paging
}

// Grants lists grants, the latest first.
func (d *Desk) Grants(ctx context.Context, who Actor, q GrantQuery) (Page[grant.Grant], error) {
	limit, err := q.size()
	if err != nil {
		return Page[grant.Grant]{}, err
	}
	from, err := openCursor("grants", q.Cursor)
	if err != nil {
		return Page[grant.Grant]{}, err
	}
	list, err := d.cfg.Store.Grants(ctx, GrantFind{Person: q.Person, Tenant: q.Tenant, State: q.State, After: from.mark(), Limit: limit + 1})
	if err != nil {
		return Page[grant.Grant]{}, err
	}
	page := pageOf(list, limit, func(g grant.Grant) cursor {
		return cursor{Kind: "grants", Time: g.Issued.UnixMilli(), ID: string(g.ID)}
	})
	return page, d.look(ctx, who, audit.Entry{Person: q.Person, Objects: asked("grants", "tenant", string(q.Tenant), "state", string(q.State))})
}

// Grant finds a grant.
func (d *Desk) Grant(ctx context.Context, who Actor, id identity.GrantID) (grant.Grant, error) {
	g, err := d.grant(ctx, id)
	if usererr.CodeOf(err) == usererr.NotFound {
		err = d.missed(ctx, who, audit.Entry{Grant: id, Objects: []string{"grant"}}, err)
	}
	if err != nil {
		return grant.Grant{}, err
	}
	return g, d.look(ctx, who, audit.Entry{Tenant: g.Tenant, Person: g.Person, Grant: g.ID, Objects: []string{"grant"}})
}

func (d *Desk) grant(ctx context.Context, id identity.GrantID) (grant.Grant, error) {
	if id == "" {
		return grant.Grant{}, none("grant", "")
	}
	list, err := d.cfg.Store.Grants(ctx, GrantFind{ID: id, Limit: 1})
	if err != nil {
		return grant.Grant{}, err
	}
	if len(list) == 0 {
		return grant.Grant{}, none("grant", string(id))
	}
	return list[0], nil
}

// PersonQuery asks for people.
type PersonQuery struct {
	// Match is a part of the id, the name or the e-mail address, in any case,
	// or what stands for a person in records; "" matches everybody.
	Match string
	Paging
}

const (
	peopleAtOnce = 200
	maxMatched   = 5000 // people who are compared for one page
)

// People lists people in the order of their ids: all who have a session or a
// grant, or had one that is still kept.
func (d *Desk) People(ctx context.Context, who Actor, q PersonQuery) (Page[Known], error) {
	limit, err := q.size()
	if err != nil {
		return Page[Known]{}, err
	}
	from, err := openCursor("people", q.Cursor)
	if err != nil {
		return Page[Known]{}, err
	}
	page, err := d.people(ctx, who, strings.ToLower(q.Match), identity.PersonID(from.ID), limit)
	if err != nil {
		return Page[Known]{}, err
	}
	match := q.Match
	if match != "" && d.cfg.Aliases && !keyed.IsPerson(identity.PersonID(match)) {
		match = "(not kept: it may be a name)"
	}
	return page, d.look(ctx, who, audit.Entry{Objects: asked("people", "match", match)})
}

func (d *Desk) people(ctx context.Context, who Actor, match string, after identity.PersonID, limit int) (page Page[Known], err error) {
	for compared := 0; ; {
		atOnce := peopleAtOnce
		if match == "" {
			atOnce = limit + 1
		}
		list, err := d.cfg.Store.People(ctx, after, atOnce)
		if err != nil {
			return Page[Known]{}, err
		}
		for _, k := range list {
			if len(page.Items) == limit {
				page.Next = cursor{Kind: "people", ID: string(after)}.text()
				return page, nil
			}
			if after, err = k.ID, d.alias(ctx, who, &k, match); err != nil {
				return Page[Known]{}, err
			}
			if k.matches(match) {
				page.Items = append(page.Items, k)
			}
		}
		if len(list) < atOnce {
			return page, nil
		}
		if compared += len(list); compared >= maxMatched {
			page.Next = cursor{Kind: "people", ID: string(after)}.text()
			return page, nil
		}
	}
}

func (k Known) matches(text string) bool {
	if text == "" || strings.Contains(strings.ToLower(string(k.ID)), text) {
		return true
	}
	for _, alias := range k.InRecords {
		if string(alias) == text {
			return true
		}
	}
	shown := k.Shown()
	return strings.Contains(strings.ToLower(shown.Name), text) || strings.Contains(strings.ToLower(shown.Email), text)
}

// Person finds a person.
func (d *Desk) Person(ctx context.Context, who Actor, id identity.PersonID) (Known, error) {
	sessions, err := d.cfg.Store.Sessions(ctx, SessionFind{Person: id, Limit: MaxLimit})
	if err != nil {
		return Known{}, err
	}
	grants, err := d.cfg.Store.Grants(ctx, GrantFind{Person: id, Limit: MaxLimit})
	if err != nil {
		return Known{}, err
	}
	if id == "" || len(sessions)+len(grants) == 0 {
		return Known{}, d.missed(ctx, who, audit.Entry{Person: id, Objects: []string{"person"}}, none("person", string(id)))
	}
	known := Known{ID: id, Sessions: sessions, Grants: grants}
	if err := d.alias(ctx, who, &known, ""); err != nil {
		return Known{}, err
	}
	return known, d.look(ctx, who, audit.Entry{Person: id, Objects: []string{"person"}})
}

// Shown is what the latest session says of the person.
func (k Known) Shown() session.Shown {
	for _, s := range k.Sessions {
		if s.Shown.Name != "" || s.Shown.Email != "" {
			return s.Shown
		}
	}
	return session.Shown{}
}

// Live counts the sessions that last and the grants that can be used.
func (k Known) Live(now time.Time) (sessions, grants int) {
	for _, s := range k.Sessions {
		if s.Live(now) {
			sessions++
		}
	}
	for _, g := range k.Grants {
		if g.State == grant.Live {
			grants++
		}
	}
	return sessions, grants
}

// Used is when the person used anything last; zero if that is not known.
func (k Known) Used() time.Time {
	var last time.Time
	for _, s := range k.Sessions {
		if s.Used.After(last) {
			last = s.Used
		}
	}
	for _, g := range k.Grants {
		if g.Used.After(last) {
			last = g.Used
		}
	}
	return last
}

// Tenants are those where the person has or had something, in order.
func (k Known) Tenants() []identity.TenantID {
	var all []identity.TenantID
	for _, s := range k.Sessions {
		all = append(all, s.Tenant)
	}
	for _, g := range k.Grants {
		all = append(all, g.Tenant)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// State says how a session is: "live", "ended" or "expired".
func State(s session.Session, now time.Time) string {
	switch {
	case !s.Revoked.IsZero():
		return "ended"
	case s.Live(now):
		return "live"
	}
	return "expired"
}

// badState is for a state that no grant has.
func badState() error {
	return usererr.New(usererr.BadInput, "A grant has no such state", "Ask for live, sign_in_again, superseded or revoked")
}

// ParseState reads the state of a grant; "" stays "".
func ParseState(text string) (grant.State, error) {
	switch s := grant.State(text); s {
	case "", grant.Live, grant.SignInAgain, grant.Superseded, grant.Revoked:
		return s, nil
	}
	return "", badState()
}
