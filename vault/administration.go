package vault

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/guard"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// administer makes the desk.
func (v *assembly) administer(kek seal.KEK) {
	end := upstream{db: v.db, log: v.log, app: v.app, kek: func(context.Context) (seal.KEK, error) { return kek, nil }}
	v.desk = admin.New(admin.Config{
		Store: v.db.Desk(), Sink: v.db, Audit: v.audit, Upstream: end.take, Verify: v.verifyAudit, Signed: v.signedEnds,
		Alias: v.evidence.Alias, Aliases: v.evidence.ByHash(),
	})
}

// administration is the administrative API, nil where the settings have neither
// a key for it nor a group with a role: then there is nothing at its address.
func (v *assembly) administration() http.Handler {
	var keys []api.Key
	for name, key := range v.cfg.Settings.Admin.Keys {
		keys = append(keys, api.Key{Name: name, Role: identity.Role(key.Role), Secret: key.Secret})
	}
	who := api.Either{Keys: api.NewKeys(keys)}
	if roles := v.cfg.Settings.Identity.Roles; v.company != nil && len(roles.Administrator)+len(roles.Auditor) > 0 {
		who.Devices = api.NewDevices(api.DevicesConfig{
			Prove: v.prove, Current: v.sessions.Current, Roles: v.company.Roles,
			Fresh: func(ctx context.Context, caller identity.Caller) error { return v.company.Require(ctx, caller, "") },
		})
	}
	if len(keys) == 0 && who.Devices == nil {
		return nil
	}
	return api.New(api.Config{Desk: v.desk, Who: who, Health: v.health, Address: v.address, Log: v.log, Nonce: v.nonces.Issue})
}

// prove is [api.DevicesConfig.Prove].
func (v *assembly) prove(r *http.Request) (identity.DeviceID, error) {
	device, err := dpop.FromRequest(v.verifier, r, v.cfg.Settings.Network.PublicURL)
	switch {
	case err == nil:
		return identity.DeviceID(device), nil
	case errors.Is(err, dpop.ErrNonce):
		return "", usererr.Wrap(api.ErrNonce, usererr.Unauthorized, "The proof needs the nonce that comes with this answer", "Sign the request again")
	case errors.Is(err, dpop.ErrInvalid), errors.Is(err, dpop.ErrReplayed):
		if tell := v.refused(); tell != nil && device != "" {
			tell(identity.DeviceID(device), v.address(r).String())
		}
		return "", usererr.Wrap(err, usererr.Unauthorized, "The proof of the device is no good", "Sign the request as it is sent, with a new proof")
	}
	return "", usererr.Wrap(err, usererr.Unavailable, "The vault cannot check who is calling", "Try again in a minute")
}

// maxDevices is how many of a person's devices are shown to him or her.
const maxDevices = 50

// devices are those that the person of s is signed in on.
func (v *assembly) devices(ctx context.Context, s session.Session) ([]guard.Device, error) {
	list, err := v.db.Desk().Sessions(ctx, admin.SessionFind{Person: s.Person, LiveAt: time.Now(), Limit: maxDevices})
	var all []guard.Device
	for _, one := range list {
		all = append(all, guard.Device{
			Here: one.Device == s.Device, Host: one.Shown.Host, Platform: one.Shown.OS, Version: one.Shown.Version, KeyClass: one.Shown.KeyClass,
			Created: one.Created, Used: one.Used,
		})
	}
	return all, err
}

// everywhere takes away all that the person of s has here, at his or her own
// wish.
func (v *assembly) everywhere(ctx context.Context, s session.Session, address string) (wire.LoggedOut, error) {
	self := admin.Actor{By: "person", Role: admin.Self, Way: "on the device " + string(s.Device), Address: address}
	done, err := v.desk.Revoke(ctx, self, admin.Scope{Person: s.Person})
	return wire.LoggedOut{Everywhere: true, Sessions: len(done.Sessions), Grants: len(done.Grants)}, err
}

// verifyAudit checks all audit records.
func (v *assembly) verifyAudit(ctx context.Context) (int64, error) {
	report, err := v.evidence.Verify(ctx)
	return report.Records, err
}

// signedEnds are the last checkpoints of this replica.
func (v *assembly) signedEnds() (string, map[identity.TenantID]audit.Head) {
	if v.notary == nil {
		return "", nil
	}
	return v.notary.Key(), v.notary.Signed()
}

// health says how this replica is.
func (v *assembly) health(ctx context.Context) view.Health {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	kind, _, _ := strings.Cut(v.cfg.Settings.Store.URL, ":")
	if kind == "postgresql" {
		kind = "postgres"
	}
	_, schema := v.db.Version()
	h := view.Health{Ready: true, Version: v.cfg.Version, Started: v.began.UTC().Truncate(time.Second), Schema: schema, Store: kind}
	for _, c := range v.checks {
		shown := view.Check{Name: c.Name, OK: true}
		if err := c.Do(ctx); err != nil {
			shown.OK, shown.Detail, h.Ready = false, usererr.Text(err, ""), false
			v.log.Warn("not ready", "check", c.Name, "err", err)
		}
		h.Checks = append(h.Checks, shown)
	}
	return h
}
