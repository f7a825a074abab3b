package company

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

const (
	lookEvery = 15 * time.Second // for what is due, at most
	atOnce    = 50               // rows of one look
	workers   = 4                // that ask the provider side by side
	lease     = time.Minute      // longer than one question and what follows
	askTime   = 30 * time.Second
	storeTime = 10 * time.Second // for each of claiming before and acting after it
	tidyEvery = time.Minute
	tidyAge   = time.Minute // a sign-in and its session are not stored in one step
	// leastPause and mostPause are between two tries to ask about one session.
	leastPause = 10 * time.Second
	mostPause  = 10 * time.Minute
)

// Run asks the provider again about everybody who is signed in, each once in a
// while, until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	every := min(lookEvery, max(k.cfg.Recheck/4, 100*time.Millisecond))
	tick := time.NewTicker(every)
	defer tick.Stop()
	tidied := time.Now() // not at once: another vault may just be starting a session
	for {
		k.look(ctx)
		if time.Since(tidied) >= tidyEvery {
			tidied = time.Now()
			k.tidy(ctx)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// look asks about all that is due. It leaves as soon as nothing can be claimed:
// what is due would be due again at once.
func (k *Keeper) look(ctx context.Context) {
	for ctx.Err() == nil {
		due, err := k.cfg.Store.SignInsDue(ctx, time.Now(), atOnce)
		if err != nil {
			if ctx.Err() == nil {
				k.cfg.Log.ErrorContext(ctx, "looking for company sign-ins to ask about", "err", err)
			}
			return
		}
		next := make(chan Row)
		var stop atomic.Bool
		var all sync.WaitGroup
		for range min(workers, len(due)) {
			all.Go(func() { // ends with next
				for r := range next {
					if !k.recheck(ctx, r) {
						stop.Store(true)
					}
				}
			})
		}
		for _, r := range due {
			if stop.Load() {
				break
			}
			next <- r
		}
		close(next)
		all.Wait()
		if len(due) < atOnce || stop.Load() {
			return
		}
	}
}

// recheck asks about one session, unless another vault does. It returns false
// if the session could not be claimed. Whatever breaks in it ends nothing else.
func (k *Keeper) recheck(ctx context.Context, r Row) (claimable bool) {
	defer func() {
		if broken := recover(); broken != nil { // its text may be anybody's
			k.cfg.Log.ErrorContext(ctx, "asking again about a company sign-in broke off", "session", r.Session, "person", r.Person,
				"panic", fmt.Sprintf("%T", broken), "stack", string(debug.Stack()))
		}
	}()
	ctx = context.WithoutCancel(ctx) // a token that was spent must be stored
	r.Due = time.Now().Add(lease)
	err := k.claim(ctx, r)
	r.Version++
	claimable = err == nil || errors.Is(err, ErrMoved)
	if err == nil {
		err = k.ask(ctx, r)
	}
	if err != nil && !errors.Is(err, ErrMoved) {
		k.cfg.Log.WarnContext(ctx, "asking again about a company sign-in", "session", r.Session, "person", r.Person, "err", err)
	}
	return claimable
}

func (k *Keeper) claim(ctx context.Context, r Row) error {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	return k.cfg.Store.SignInSave(ctx, r)
}

// refresh asks the provider. What the answer needs has time of its own.
func (k *Keeper) refresh(ctx context.Context, was identity.SignIn) (identity.SignIn, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return k.cfg.Provider.Refresh(ctx, was)
}

// ask asks the provider about r, which is claimed, and does what follows. What
// may pass changes nothing, so that a provider that is away cuts nobody off.
func (k *Keeper) ask(ctx context.Context, r Row) error {
	was, err := k.open(&r)
	if err != nil {
		return err
	}
	now, refused := was, error(nil)
	if !was.Refresh.Empty() {
		if now, refused = k.refresh(ctx, was); !now.GroupsKnown {
			now.Groups, now.GroupsKnown = was.Groups, was.GroupsKnown
		}
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	switch {
	case errors.Is(refused, oidc.ErrRefused):
		return errors.Join(refused, k.end(ctx, r, "the company's sign-in does not vouch for the person any more"))
	case refused != nil && !errors.Is(refused, oidc.ErrNoGroups):
		r.Due = time.Now().Add(min(leastPause<<min(r.Said.Tries, 10), mostPause, k.cfg.Recheck))
		r.Said.Tries++
	default: // without groups the old ones count
		if !slices.Contains(k.Tenants(now), r.Tenant) {
			return k.expel(ctx, r)
		}
		r.Said.Checked, r.Said.Tries, r.Due = time.Now(), 0, time.Now().Add(k.cfg.Recheck)
		r.Said.Roles = k.cfg.People.RolesOf(now.Groups)
	}
	if err := k.seal(&r, now); err != nil { // also after a failure: the token may be a new one
		return err
	}
	err = k.cfg.Store.SignInSave(ctx, r)
	if errors.Is(err, ErrMoved) { // by a call that needs a fresh sign-in
		err = k.merge(ctx, r)
	}
	if errors.Is(refused, oidc.ErrNoGroups) && !k.warned.first(r.Person, time.Now()) {
		refused = nil
	}
	return errors.Join(refused, err)
}

// merge stores what the provider said over what a call changed meanwhile.
func (k *Keeper) merge(ctx context.Context, r Row) error {
	for {
		now, err := k.cfg.Store.SignInGet(ctx, r.Session)
		if err != nil {
			return err
		}
		r.StepUp, r.Version, r.Said.Demanded = now.StepUp, now.Version, now.Said.Demanded
		if err := k.cfg.Store.SignInSave(ctx, r); !errors.Is(err, ErrMoved) {
			return err
		}
	}
}

// expel takes everything at a tenant from a person who may not use it any more.
func (k *Keeper) expel(ctx context.Context, r Row) error {
	if err := k.record(ctx, r, "person.expelled", "the person's groups do not allow the tenant any more"); err != nil {
		return err
	}
	return k.cfg.Expel(ctx, r.Person, r.Tenant)
}

// end ends a session. It is on record first, so that none ends unseen.
func (k *Keeper) end(ctx context.Context, r Row, why string) error {
	if err := k.record(ctx, r, "session.revoked", why); err != nil {
		return err
	}
	if err := k.cfg.Sessions.Revoke(ctx, r.Session); !errors.Is(err, session.ErrNone) {
		return err
	}
	return nil
}

func (k *Keeper) record(ctx context.Context, r Row, event, why string) error {
	return k.cfg.Audit.Record(ctx, audit.Entry{
		Time: time.Now(), Event: event, Outcome: "ok", Tenant: r.Tenant, Person: r.Person, Device: r.Device, Session: r.Session, Detail: why,
	})
}

// tidy forgets what belongs to sessions that have ended, and ends those that
// the company never vouched for: they are from before it was asked.
func (k *Keeper) tidy(ctx context.Context) {
	strays, err := k.cfg.Store.SignInsTidy(ctx, time.Now().Add(-tidyAge))
	for _, s := range strays {
		r := Row{Session: s.ID, Device: s.Device, Person: s.Person, Tenant: s.Tenant}
		err = errors.Join(err, k.end(ctx, r, "there is no company sign-in behind it"))
	}
	if err != nil && ctx.Err() == nil {
		k.cfg.Log.ErrorContext(ctx, "tidying company sign-ins", "err", err)
	}
}
