package vault

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

// How long it may take to open the tokens of who is expelled, and to end the
// grants at Atlassian: whoever asks the company again waits for it.
const (
	openTime  = 2 * time.Second
	expelTime = 5 * time.Second
)

// wireCompany makes the company's sign-in, if there is one. It does not ask the
// provider, which may be away when a vault starts.
func (v *assembly) wireCompany(k keys, client *http.Client) error {
	s := v.cfg.Settings
	if !s.Identity.OIDC.On() {
		return nil
	}
	people := s.People()
	end := upstream{db: v.db, log: v.log, app: v.app, kek: func(context.Context) (seal.KEK, error) { return k.kek, nil }}
	provider, err := oidc.New(s.Identity.OIDC.Config(s.Network.PublicURL, people.NeedGroups(), client))
	if err != nil {
		return err
	}
	v.company = company.New(company.Config{
		Provider: provider, Store: v.db.SignIns(), Box: k.signIn, Sessions: v.sessions, Audit: v.audit, Seen: v.db.Remembered, Remember: v.remember,
		Expel: func(ctx context.Context, person identity.PersonID, tenant identity.TenantID) error {
			return v.expel(ctx, admin.Scope{Person: person, Tenant: tenant}, end.take)
		},
		People: people, Policy: v.rules, Recheck: s.Identity.OIDC.Recheck, Log: v.log,
		Demands: s.Anomalies.MayStepUp(),
	})
	return nil
}

// stepUp is the guard's question whether a call needs a fresh sign-in.
func (v *assembly) stepUp(ctx context.Context, caller identity.Caller, tool string) error {
	if v.company == nil {
		return nil
	}
	return v.company.Require(ctx, caller, tool)
}

// remember notes the ids of logout tokens beside the proofs of devices.
func (v *assembly) remember(ctx context.Context, id string, until time.Time) error {
	if err := v.db.Remember(ctx, id, until); !errors.Is(err, dpop.ErrReplayed) {
		return err
	}
	return nil // another vault has ended the same sessions
}

// expel takes all access to a tenant from a person, in one step, and attempts
// to end the grant at Atlassian as well.
func (v *assembly) expel(ctx context.Context, scope admin.Scope, take admin.Upstream) error {
	reach, err := v.db.Desk().Affected(ctx, scope)
	if err != nil {
		return err
	}
	send := opened(ctx, take, reach.Grants)
	done, err := v.db.Desk().Revoke(ctx, scope, time.Now())
	if err != nil {
		return err
	}
	const why = "the groups of the person at the company do not allow the tenant any more"
	for _, g := range done.Grants {
		err = errors.Join(err, v.audit.Record(ctx, audit.Entry{Time: time.Now(), Event: "grant.revoked", Outcome: "ok", Tenant: g.Tenant, Person: g.Person, Grant: g.ID, Detail: why}))
	}
	for _, s := range done.Sessions {
		err = errors.Join(err, v.audit.Record(ctx, audit.Entry{
			Time: time.Now(), Event: "session.revoked", Outcome: "ok", Tenant: s.Tenant, Person: s.Person, Device: s.Device, Session: s.ID, Detail: why,
		}))
	}
	if send != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), expelTime)
		defer cancel()
		for id, failure := range send(ctx) {
			if failure != nil {
				v.log.WarnContext(ctx, "a grant could not be ended at Atlassian", "grant", id, "err", failure)
			}
		}
	}
	return err
}

// opened takes tokens while they are there, unless that keeps the person in.
func opened(ctx context.Context, take admin.Upstream, grants []grant.Grant) func(context.Context) map[identity.GrantID]error {
	ctx, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	return take(ctx, grants)
}
