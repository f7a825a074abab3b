package grant

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	// flightLife bounds a renewal with all of its waiting: the claim of a
	// replica that died, and tries of our own.
	flightLife = 45 * time.Second
	// retryFor is how long a renewal tries again after transient failures.
	retryFor = 8 * time.Second
	// pollFirst and pollEvery are how often the row is read while another
	// replica refreshes: a refresh takes a moment, or the replica is dead.
	pollFirst = 25 * time.Millisecond
	pollEvery = 250 * time.Millisecond
	// mostPatience is how long a call waits for a new token while its old one
	// still works, oldKept how long the old one is then used without asking.
	mostPatience = time.Second
	oldKept      = time.Second
	// manyForced is how many tokens a minute Confluence may reject before
	// their time before no more are fetched.
	manyForced = 6
)

// version is one pair of tokens.
type version struct {
	grant  identity.GrantID
	number int64
}

func versionOf(t Token) version { return version{t.Grant, t.Version} }

// flight is one renewal that everybody who needs it waits for. Token and err
// are set before done is closed.
type flight struct {
	done  chan struct{}
	token Token
	err   error
}

// renewed returns a token other than stale.
func (k *Keeper) renewed(ctx context.Context, who owner, stale version) (Token, error) {
	// The first flight may have begun for an older version and end with stale
	// itself.
	for range 2 {
		f, err := k.fly(ctx, who, stale)
		if err != nil {
			return Token{}, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return Token{}, errWaiting(context.Cause(ctx))
		}
		if f.err != nil || versionOf(f.token) != stale {
			return f.token, f.err
		}
	}
	return Token{}, errDown(errors.New("no newer token"))
}

// renewedOrOld returns a newer token than row's, or row's own if that still
// works and the new one does not come in time. Row was read at generation seen.
func (k *Keeper) renewedOrOld(ctx context.Context, row Row, seen uint64) (Token, error) {
	left := time.Until(row.TokenExpires)
	if left <= 0 {
		return k.renewed(ctx, ownerOf(row.Grant), version{row.ID, row.Version})
	}
	wait, cancel := context.WithTimeout(ctx, min(left/2, mostPatience))
	defer cancel()
	token, err := k.renewed(wait, ownerOf(row.Grant), version{row.ID, row.Version})
	if err == nil || ctx.Err() != nil || usererr.CodeOf(err) == usererr.SignIn {
		return token, err
	}
	old, openErr := k.open(ctx, row)
	if openErr != nil {
		return Token{}, openErr
	}
	k.tokens.put(seen, ownerOf(row.Grant), old, time.Now().Add(min(left/4, oldKept)))
	return old, nil
}

// fly joins the renewal for who, or starts one. It goes on when the caller
// that started it is gone: others wait for it, and a token may have been sent.
func (k *Keeper) fly(ctx context.Context, who owner, stale version) (*flight, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := k.flights[who]; f != nil {
		return f, nil
	}
	if k.stopped {
		return nil, errStopping()
	}
	f := &flight{done: make(chan struct{})}
	k.flights[who] = f
	ctx = context.WithoutCancel(ctx)
	// Ends within flightLife and the time to store a pair; Close waits.
	k.group.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, flightLife)
		defer cancel()
		f.token, f.err = k.renew(ctx, who, stale)
		k.mu.Lock()
		delete(k.flights, who)
		k.mu.Unlock()
		close(f.done)
	})
	return f, nil
}

// renew finds a fresh token other than stale, or makes it. It waits for other
// replicas and tries again after transient failures.
func (k *Keeper) renew(ctx context.Context, who owner, stale version) (Token, error) {
	tryUntil := time.Now().Add(retryFor)
	var last error
	for poll := pollFirst; ; {
		seen := k.tokens.generation()
		row, err := k.current(ctx, who)
		if err != nil {
			return Token{}, err
		}
		now := time.Now()
		if (version{row.ID, row.Version}) != stale && fresh(row.Grant, now) {
			token, err := k.open(ctx, row)
			if err == nil {
				k.remember(seen, token, row.Grant)
			}
			return token, err
		}
		pause := max(k.grants.pause(row.ID, now), k.tenants.pause(row.Tenant, now))
		if now.Add(pause).After(tryUntil) && (pause > 0 || last != nil) {
			return Token{}, k.gaveUp(ctx, row, last)
		}
		if pause == 0 {
			token, err := k.refresh(ctx, row)
			if _, final := usererr.From(err); err == nil || final {
				return token, err
			}
			if errors.Is(err, ErrBusy) || errors.Is(err, ErrFenced) {
				pause, poll = poll, min(2*poll, pollEvery)
			} else {
				last = err // the pace knows how long to wait
			}
		}
		select {
		case <-k.ending: // nothing is under way
			return Token{}, errStopping()
		case <-time.After(pause):
		case <-ctx.Done():
			return Token{}, k.gaveUp(ctx, row, errors.Join(last, context.Cause(ctx)))
		}
	}
}

// gaveUp logs why a grant could not be refreshed, if it was tried at all.
func (k *Keeper) gaveUp(ctx context.Context, row Row, err error) error {
	if err != nil {
		k.cfg.Log.WarnContext(ctx, "a grant could not be refreshed; it will be tried again",
			"grant", row.ID, "tenant", row.Tenant, "person", row.Person, "err", err)
	}
	return errDown(err)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
