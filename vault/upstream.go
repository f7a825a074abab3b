package vault

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

const (
	maxUpstream    = 1000 // grants of one revocation
	upstreamAtOnce = 8
)

// upstream ends grants at Atlassian. Nothing waits for it that keeps people
// out here.
type upstream struct {
	db  *store.DB
	kek func(context.Context) (seal.KEK, error)
	app func(identity.TenantID) (*atlassian.App, bool)
	log *slog.Logger
}

// take is an [admin.Upstream]. Between it and what it returns the tokens are
// in memory only.
func (u upstream) take(ctx context.Context, grants []grant.Grant) func(context.Context) map[identity.GrantID]error {
	kek, err := u.kek(ctx)
	if err != nil {
		u.log.WarnContext(ctx, "grants cannot be ended at Atlassian, since their tokens cannot be opened", "err", err)
		return nil
	}
	tokens := map[identity.GrantID]secret.String{}
	tenants := map[identity.GrantID]identity.TenantID{}
	for _, g := range grants[:min(len(grants), maxUpstream)] {
		row, err := u.db.GrantGet(ctx, g.ID)
		if err == nil {
			tokens[g.ID], err = grant.OpenRefresh(ctx, kek, row)
		}
		if err != nil {
			delete(tokens, g.ID)
			u.log.WarnContext(ctx, "a grant cannot be ended at Atlassian, since its token cannot be opened", "grant", g.ID, "err", err)
		}
		tenants[g.ID] = g.Tenant
	}
	return func(ctx context.Context) map[identity.GrantID]error { return u.end(ctx, tokens, tenants) }
}

func (u upstream) end(ctx context.Context, tokens map[identity.GrantID]secret.String, tenants map[identity.GrantID]identity.TenantID) map[identity.GrantID]error {
	results := map[identity.GrantID]error{}
	var mu sync.Mutex // guards results
	var group errgroup.Group
	group.SetLimit(upstreamAtOnce)
	for id, token := range tokens {
		if ctx.Err() != nil {
			break // the rest was not attempted
		}
		app, ok := u.app(tenants[id])
		if !ok {
			continue
		}
		group.Go(func() error { // ends with ctx, which has an end
			err := app.Revoke(ctx, token)
			if errors.Is(err, atlassian.ErrNoRevocation) {
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			results[id] = err
			return nil
		})
	}
	_ = group.Wait() // none returns an error
	return results
}
