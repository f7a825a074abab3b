package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/keyring"
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
	kek := func(ctx context.Context) (seal.KEK, error) { return keyring.Open(ctx, s, db, false) }
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

// record puts on record what the administrator does, before it is answered.
func (a *Admin) record(ctx context.Context, e audit.Entry) error {
	e.Time, e.By = time.Now(), a.Who.By
	if e.Outcome == "" {
		e.Outcome = "ok"
	}
	detail := "by an administrator, from the command line"
	if e.Detail != "" {
		detail += ": " + e.Detail
	}
	e.Detail = detail
	if err := a.audit.Record(ctx, e); err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing was changed or is shown", "Look at the store and try again")
	}
	return nil
}

// look puts on record what the administrator is about to see.
func (a *Admin) look(ctx context.Context, what string) error {
	return a.record(ctx, audit.Entry{Event: "admin.look", Objects: []string{what}})
}

// AuditKey is [evidence.Keeper.AuditKey], on record.
func (a *Admin) AuditKey(ctx context.Context) (string, error) {
	key, err := a.Keeper.AuditKey(ctx)
	if err != nil {
		return "", err
	}
	return key, a.look(ctx, "the key of the checkpoints")
}

// VerifyAudit is [evidence.Keeper.VerifyAudit]. What was found is on record, too:
// behind what was verified.
func (a *Admin) VerifyAudit(ctx context.Context, from evidence.AuditSources) (evidence.AuditReport, error) {
	began := time.Now()
	report, err := a.Keeper.VerifyAudit(ctx, from)
	e := audit.Entry{
		Event: "audit.verified", Code: admin.Intact, Detail: fmt.Sprintf("%d records, all intact", report.Records),
		DurationMillis: time.Since(began).Milliseconds(),
	}
	if err != nil {
		e.Outcome, e.Code, e.Detail = "error", admin.Outcome(err), usererr.Text(err, "")
	}
	return report, errors.Join(err, a.record(ctx, e)) // what is wrong is told in any case
}
