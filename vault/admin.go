package vault

import (
	"context"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/network"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// Admin is what an administrator does on the store, beside a running vault or
// without one. It shows no token, and needs no key but for [Admin.RotateKeys],
// for the keys of package evidence, and for ending grants at Atlassian as well.
// What it shows and changes is on record. Its errors are user errors where
// there is something to do.
type Admin struct {
	// Desk is where people, devices, sessions, grants and records are.
	*admin.Desk
	// Keeper is where the audit records are proven.
	*evidence.Keeper
	// Who is the administrator, for Desk.
	Who admin.Actor

	settings *settings.Settings
	db       *store.DB
	audit    *audit.Log
}

// OpenAdmin opens the store that the settings name.
func OpenAdmin(ctx context.Context, cfg Config) (*Admin, error) {
	s := cfg.Settings
	db, err := store.Open(ctx, s.Store.Address().Reveal(), s.Dir)
	if err != nil {
		return nil, err
	}
	kek := func(ctx context.Context) (seal.KEK, error) { return openRing(ctx, s, db, false) }
	a := &Admin{settings: s, db: db}
	a.Keeper = evidence.New(evidence.Config{Settings: s, Store: db, KEK: kek, KeyError: keyErrors(s), Log: cfg.Log, Record: a.record})
	a.audit = a.Log()
	a.Who = admin.Actor{By: "os:" + cfg.User, Role: identity.Administrator, Way: "from the command line"}
	end := upstream{db: db, log: cfg.Log, app: appsOf(s), kek: kek}
	a.Desk = admin.New(admin.Config{Store: db.Desk(), Sink: db, Audit: a.audit, Upstream: end.take, Alias: a.Alias, Aliases: a.ByHash()})
	return a, nil
}

// appsOf makes the tenants' OAuth apps when they are needed: most commands need
// none. Without the company's way out there are none.
func appsOf(s *settings.Settings) func(identity.TenantID) (*atlassian.App, bool) {
	made := sync.OnceValue(func() map[identity.TenantID]*atlassian.App {
		client, err := network.Egress(s)
		if err != nil {
			return nil
		}
		all, _ := apps(s, client) // those that can be made
		return all
	})
	return func(tenant identity.TenantID) (*atlassian.App, bool) {
		app, ok := made()[tenant]
		return app, ok
	}
}

// Close closes the store.
func (a *Admin) Close() error { return a.db.Close() }

func (a *Admin) record(ctx context.Context, e audit.Entry) error {
	e.Time, e.Outcome, e.By, e.Detail = time.Now(), "ok", a.Who.By, "by an administrator, from the command line"
	if err := a.audit.Record(ctx, e); err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing was changed", "Look at the store and try again")
	}
	return nil
}
