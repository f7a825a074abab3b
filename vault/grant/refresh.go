package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/failpoint"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// The times of one refresh: sent at once after the claim, answered and stored
// before the claim ends. What a dead process has claimed is free again soon
// enough for the calls that wait.
const (
	claimLife  = 20 * time.Second
	sendWithin = 3 * time.Second
	postTime   = 12 * time.Second
	// storeFor is how long an answered pair is offered to a store that fails,
	// beyond the claim if need be: nobody else has it.
	storeFor = 30 * time.Second
	noteTime = 5 * time.Second // ending a claim, recording what happened
	// leeway is how long Atlassian accepts a refresh token again after it was
	// rotated.
	leeway = 10 * time.Minute
	// manyRefused is how many people's grants may be refused within a minute
	// before it looks like the app's configuration.
	manyRefused = 5
	// trippedFor is how long refusals then end no grant, unless a refresh of
	// the tenant succeeds before.
	trippedFor = 10 * time.Minute
	// manyFailures in a row of one tenant's token endpoint are free.
	manyFailures = 5
)

var (
	errStalled  = errors.New("the process stood still between claim and sending")
	errNoTokens = errors.New("the token endpoint answered without a token")
)

// transient is an error that may not be one the next time. It hides what is
// wrapped: a refresher's user error must not end a renewal.
type transient struct{ error }

// refresh claims row's version, spends its refresh token once and stores what
// comes back. [ErrBusy] and [ErrFenced] mean that the row must be read again;
// user errors are final; every other error is transient and has been counted.
func (k *Keeper) refresh(ctx context.Context, row Row) (Token, error) {
	// Opening may ask a key service and take its time, so before the claim.
	box, err := k.box(ctx, row)
	if err != nil {
		return Token{}, err
	}
	start := time.Now()
	claim := Claim{
		Grant: row.ID, Version: row.Version, By: identity.NewID("c_"),
		At: start.Truncate(time.Millisecond), Until: start.Add(claimLife),
	}
	row, err = k.cfg.Refreshes.GrantClaim(ctx, claim)
	switch {
	case errors.Is(err, ErrBusy), errors.Is(err, ErrFenced):
		return Token{}, err
	case errors.Is(err, ErrNone):
		return Token{}, errNoGrant()
	case err != nil:
		return Token{}, errStore(err)
	}
	refresh, err := box.Open(row.Refresh, place(row.Grant, fieldRefresh, row.Version))
	if err != nil {
		_ = k.fail(ctx, row, claim, Live, "The sealed refresh token does not open") // logged
		return Token{}, k.unopened(ctx, row, err)
	}
	if row.IntentAt.Before(claim.At) {
		k.cfg.Log.WarnContext(ctx, "a refresh token may have been sent before and is sent again",
			"grant", row.ID, "tenant", row.Tenant, "since", claim.At.Sub(row.IntentAt).Round(time.Second))
	}
	failpoint.Reach(failpoint.RefreshClaimed)
	tokens, err := k.send(ctx, row, secret.New(string(refresh)), start)
	switch {
	case err == nil:
		failpoint.Reach(failpoint.RefreshAnswered)
		return k.store(ctx, row, claim, box, tokens)
	case errors.Is(err, ErrRefused):
		return Token{}, k.refused(ctx, row, claim, err)
	}
	k.grants.failed(row.ID, time.Now())
	k.tenants.failed(row.Tenant, time.Now())
	_ = k.fail(ctx, row, claim, Live, "Atlassian's token endpoint did not answer as it should") // logged
	return Token{}, transient{err}
}

// send spends the refresh token, unless so much time has passed since start
// that the claim may end meanwhile: a refresh token that arrives late, when
// another replica has rotated it long ago, ends the whole family.
func (k *Keeper) send(ctx context.Context, row Row, refresh secret.String, start time.Time) (Tokens, error) {
	// The monotonic clock stands still while a machine sleeps, and the other
	// one may be set: the older age counts.
	now := time.Now()
	if age := max(now.Sub(start), now.Round(0).Sub(start.Round(0))); age > sendWithin {
		return Tokens{}, errStalled
	}
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	tokens, err := k.cfg.Refresher.Refresh(ctx, row.Tenant, refresh)
	if err == nil && tokens.Access.Empty() {
		err = errNoTokens
	}
	if tokens.Refresh.Empty() {
		tokens.Refresh = refresh // not rotated
	}
	return tokens, err
}

// store makes a rotated pair last before anybody uses it. It tries for a
// while: the old refresh token is spent.
func (k *Keeper) store(ctx context.Context, row Row, claim Claim, box *seal.Box, tokens Tokens) (Token, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeFor)
	defer cancel()
	seen := k.tokens.generation()
	next, now := row, time.Now()
	next.Version++
	next.Refreshed = now
	if err := k.fill(&next, box, tokens, now); err != nil {
		return Token{}, errSealed(err)
	}
	stored := next
	stored.Version = row.Version
	for pause := pollFirst; ; pause = min(2*pause, time.Second) {
		err := k.cfg.Refreshes.GrantRefreshed(ctx, stored, claim.By)
		if err == nil {
			break
		}
		if errors.Is(err, ErrFenced) {
			return Token{}, err // revoked or superseded meanwhile, or another replica has a pair of its own
		}
		if sleep(ctx, pause) != nil {
			k.cfg.Log.ErrorContext(ctx, "a rotated pair of tokens could not be stored; the old refresh token will be sent again",
				"grant", row.ID, "tenant", row.Tenant, "person", row.Person, "err", err)
			return Token{}, errStore(err)
		}
	}
	failpoint.Reach(failpoint.RefreshStored)
	k.grants.succeeded(row.ID)
	k.tenants.succeeded(row.Tenant)
	k.untrip(row.Tenant)
	if err := k.event(ctx, EventRefreshed, next.Grant, fmt.Sprintf("version %d", next.Version)); err != nil {
		k.cfg.Log.ErrorContext(ctx, "a refresh was not recorded", "grant", row.ID, "err", err)
	}
	token := token(next, tokens.Access)
	k.remember(seen, token, next.Grant)
	return token, nil
}

// refused decides what a refusal means: that this grant is dead, or, when many
// are refused at once, that something is wrong with the tenant's app.
func (k *Keeper) refused(ctx context.Context, row Row, claim Claim, cause error) error {
	if k.trips(row, time.Now()) {
		k.cfg.Log.ErrorContext(ctx, "ALARM: the refresh tokens of many people are refused at once; look at the OAuth app's configuration",
			"tenant", row.Tenant, "grant", row.ID, "err", cause)
		k.grants.failed(row.ID, time.Now())
		k.tenants.failed(row.Tenant, time.Now())
		_ = k.fail(ctx, row, claim, Live, "Atlassian refused the refresh tokens of many people at once") // logged
		return errManyRefused()
	}
	if err := k.fail(ctx, row, claim, SignInAgain, "Atlassian refused the refresh token"); err != nil {
		return err
	}
	k.forget(ownerOf(row.Grant), row.ID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	detail := ""
	if claim.At.Sub(row.IntentAt) > leeway {
		detail = "an earlier refresh had no answer"
	}
	if err := k.event(ctx, EventRefused, row.Grant, detail); err != nil {
		k.cfg.Log.ErrorContext(ctx, "a refusal was not recorded", "grant", row.ID, "err", err)
	}
	return errSignInAgain()
}

// trips counts a refusal and reports whether there are too many to believe.
func (k *Keeper) trips(row Row, now time.Time) bool {
	many := k.refusals.add(row.Tenant, string(row.ID), now) >= manyRefused
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.tripped[row.Tenant]) {
		return true
	}
	if many {
		k.tripped[row.Tenant] = now.Add(trippedFor)
	}
	return many
}

// untrip forgets refusals: a refresh of the tenant went well.
func (k *Keeper) untrip(tenant identity.TenantID) {
	k.refusals.forget(tenant)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.tripped, tenant)
}

// fail ends a claim. Where it cannot, it logs why, and the claim runs out by
// itself.
func (k *Keeper) fail(ctx context.Context, row Row, claim Claim, state State, lastError string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	err := k.cfg.Refreshes.GrantFailed(ctx, row.ID, claim.By, state, lastError)
	if err == nil || errors.Is(err, ErrFenced) {
		return err
	}
	k.cfg.Log.ErrorContext(ctx, "a claim could not be ended; it runs out by itself", "grant", row.ID, "tenant", row.Tenant, "err", err)
	return errStore(err)
}
