package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// Admin is what an administrator does on the store, beside a running vault or
// without one. It reads no token, and needs no key but for
// [Admin.RotateKeys] and [Admin.AuditKey].
// What it changes is on record. Its errors are user errors where there is
// something to do.
type Admin struct {
	settings *settings.Settings
	db       *store.DB
	sessions *session.Keeper
	audit    *audit.Log
}

// OpenAdmin opens the store that the settings name.
func OpenAdmin(ctx context.Context, cfg Config) (*Admin, error) {
	db, err := store.Open(ctx, cfg.Settings.Store.Address().Reveal(), cfg.Settings.Dir)
	if err != nil {
		return nil, err
	}
	return &Admin{cfg.Settings, db, session.New(session.Config{Store: db}), audit.New(audit.Config{Sink: db, Logger: cfg.Log})}, nil
}

// Close closes the store.
func (a *Admin) Close() error { return a.db.Close() }

// Sessions lists all sessions, oldest first.
func (a *Admin) Sessions(ctx context.Context) ([]session.Session, error) { return a.sessions.List(ctx) }

// Session finds a session.
func (a *Admin) Session(ctx context.Context, id identity.SessionID) (session.Session, error) {
	list, err := a.sessions.List(ctx)
	if err != nil {
		return session.Session{}, err
	}
	for _, s := range list {
		if s.ID == id {
			return s, nil
		}
	}
	return session.Session{}, none("session", string(id), session.ErrNone)
}

func none(what, id string, err error) error {
	return usererr.Wrap(err, usererr.NotFound, "There is no "+what+" "+id, "List them with: coatcheck-vault "+what+"s list")
}

// RevokeSession ends a session now. It is on record first, so that no
// revocation goes unseen.
func (a *Admin) RevokeSession(ctx context.Context, id identity.SessionID) error {
	s, err := a.Session(ctx, id)
	if err != nil {
		return err
	}
	return a.endSession(ctx, s)
}

func (a *Admin) endSession(ctx context.Context, s session.Session) error {
	err := a.record(ctx, audit.Entry{Event: "session.revoked", Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID})
	if err != nil {
		return err
	}
	if err := a.sessions.Revoke(ctx, s.ID); err != nil {
		return fmt.Errorf("revoking the session: %w", err)
	}
	return nil
}

func (a *Admin) record(ctx context.Context, e audit.Entry) error {
	e.Time, e.Outcome, e.Detail = time.Now(), "ok", "by an administrator, from the command line"
	if err := a.audit.Record(ctx, e); err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing was changed", "Look at the store and try again")
	}
	return nil
}

// Grants lists all grants, never a token.
func (a *Admin) Grants(ctx context.Context) ([]grant.Grant, error) { return a.db.GrantList(ctx) }

// Grant finds a grant.
func (a *Admin) Grant(ctx context.Context, id identity.GrantID) (grant.Grant, error) {
	row, err := a.db.GrantGet(ctx, id)
	if errors.Is(err, grant.ErrNone) {
		return grant.Grant{}, none("grant", string(id), err)
	}
	return row.Grant, err
}

// GrantRevocation is what the revocation of a grant ended.
type GrantRevocation struct {
	// Sessions are those of the grant's person at its tenant that ended too.
	Sessions []identity.SessionID
	// Superseded says that a newer grant had taken the place of this one. Then
	// the person goes on, and no session ended.
	Superseded bool
}

// RevokeGrant destroys a grant's key and tokens now, and ends the sessions that
// used it, so that their connections close. After an error call it again.
func (a *Admin) RevokeGrant(ctx context.Context, id identity.GrantID) (GrantRevocation, error) {
	g, err := a.Grant(ctx, id)
	if err != nil {
		return GrantRevocation{}, err
	}
	if err := a.record(ctx, audit.Entry{Event: "grant.revoked", Tenant: g.Tenant, Person: g.Person, Grant: g.ID}); err != nil {
		return GrantRevocation{}, err
	}
	if err := a.db.GrantRevoke(ctx, id, time.Now()); err != nil {
		return GrantRevocation{}, fmt.Errorf("revoking the grant: %w", err)
	}
	if g.State == grant.Superseded {
		return GrantRevocation{Superseded: true}, nil
	}
	ended, err := a.endSessions(ctx, g)
	if err != nil {
		err = usererr.Wrap(err, usererr.Unavailable, "The grant is revoked, but perhaps not every session of the person has ended", "Run the same command again")
	}
	return GrantRevocation{Sessions: ended}, err
}

// endSessions ends the live sessions that used a grant. One that cannot be
// ended does not keep the others alive.
func (a *Admin) endSessions(ctx context.Context, g grant.Grant) (ended []identity.SessionID, err error) {
	list, err := a.sessions.List(ctx)
	for _, s := range list {
		if s.Person != g.Person || s.Tenant != g.Tenant || !s.Live(time.Now()) {
			continue
		}
		if g.State == grant.Revoked && s.Created.After(g.Ended) {
			continue // of another grant, since this one had ended before
		}
		one := a.endSession(ctx, s)
		if one == nil {
			ended = append(ended, s.ID)
		}
		err = errors.Join(err, one)
	}
	return ended, err
}

// Revoke takes away the access of everybody in scope now, in one step, and
// returns what ended. The order is on record before, and what ended after it.
// An error that comes with something revoked is about the records.
func (a *Admin) Revoke(ctx context.Context, scope store.Scope) (store.Revoked, error) {
	if scope == (store.Scope{}) {
		return store.Revoked{}, usererr.New(usererr.Settings, "Nobody is named whose access to take away", "Name a person, a device, a tenant, a site, or everything")
	}
	order := audit.Entry{Event: "revocation.ordered", Tenant: scope.Tenant, Person: scope.Person, Device: scope.Device, Site: scope.Site}
	if err := a.record(ctx, order); err != nil {
		return store.Revoked{}, err
	}
	done, err := a.db.Revoke(ctx, scope, time.Now())
	if err != nil {
		return store.Revoked{}, fmt.Errorf("revoking: %w", err)
	}
	for _, g := range done.Grants {
		err = errors.Join(err, a.record(ctx, audit.Entry{Event: "grant.revoked", Tenant: g.Tenant, Person: g.Person, Grant: g.ID}))
	}
	for _, s := range done.Sessions {
		err = errors.Join(err, a.record(ctx, audit.Entry{Event: "session.revoked", Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID}))
	}
	if err != nil {
		err = usererr.Wrap(err, usererr.Unavailable, "All of it is revoked, but not every record of that could be stored", "The record of the order is there; look at the store")
	}
	return done, err
}

// AuditRecord is a record with its entry decoded.
type AuditRecord struct {
	audit.Record
	Entry audit.Entry
}

const auditPage = 500

// Audit calls each for the last records of tenant's chain, or of all chains.
func (a *Admin) Audit(ctx context.Context, tenant string, last int, each func(AuditRecord)) error {
	tenants := []identity.TenantID{identity.TenantID(tenant)}
	if tenant == "" {
		var err error
		if tenants, err = a.audit.Tenants(ctx); err != nil {
			return err
		}
	}
	for _, t := range tenants {
		if err := a.chain(ctx, t, last, each); err != nil {
			return fmt.Errorf("reading the audit records of %q: %w", t, err)
		}
	}
	return nil
}

// chain reads one chain and keeps only its end in memory.
func (a *Admin) chain(ctx context.Context, tenant identity.TenantID, last int, each func(AuditRecord)) error {
	var end []audit.Record
	for after := int64(0); ; {
		page, err := a.audit.List(ctx, tenant, after, auditPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].Seq
		if end = append(end, page...); len(end) > last {
			end = append([]audit.Record(nil), end[len(end)-last:]...)
		}
	}
	for _, r := range end {
		entry, err := r.Entry()
		if err != nil {
			return err
		}
		each(AuditRecord{r, entry})
	}
	return nil
}
