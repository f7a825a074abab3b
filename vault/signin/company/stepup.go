package company

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

const (
	// stepUpLife is how long a login that begins on the device counts as the
	// answer to a call that needs a fresh sign-in.
	stepUpLife = consent.Life
	// stepUpNoted is how exact the time is at which one was asked for.
	stepUpNoted = time.Minute

	finishIt = "Finish it in the browser that opens, then ask again"
)

// Require returns nil if the caller has signed in freshly and strongly enough
// for a tool. Otherwise its error wraps [policy.ErrStepUp], and the next login
// of the device, at whichever vault, will ask for that.
func (k *Keeper) Require(ctx context.Context, caller identity.Caller, tool string) error {
	rules := k.cfg.Policy()
	needs := rules.NeedsStepUp(tool)
	if !needs && !k.cfg.Demands {
		return nil
	}
	for {
		r, err := k.of(ctx, caller)
		now := time.Now()
		switch {
		case errors.Is(err, ErrNone):
			return usererr.Wrap(policy.ErrStepUp, usererr.SignIn, "This needs a sign-in with your company, and this session has none", finishIt)
		case err != nil:
			return usererr.Wrap(err, usererr.Unavailable, "The vault cannot look up how you signed in", "Try again in a minute")
		case !r.demanded(rules, now) && (!needs || rules.SteppedUp(r.signIn(), now) == nil):
			return nil
		case now.Sub(r.StepUp) < stepUpNoted:
			return errStepUp(rules)
		}
		r.StepUp = now
		if err := k.cfg.Store.SignInSave(ctx, r); err == nil {
			return errStepUp(rules)
		} else if !errors.Is(err, ErrMoved) {
			return usererr.Wrap(err, usererr.Unavailable, "The vault cannot ask for a fresh sign-in", "Try again in a minute")
		}
	}
}

// of is the company sign-in that counts for a caller: of the session that it
// names or, if there is none, of the one that its device has now. A call may
// have been made before the person signed in anew. [ErrNone] if nobody vouches
// for the session of now.
func (k *Keeper) of(ctx context.Context, caller identity.Caller) (Row, error) {
	r, err := k.cfg.Store.SignInGet(ctx, caller.Session)
	if !errors.Is(err, ErrNone) {
		return r, err
	}
	now, err := k.cfg.Sessions.Current(ctx, caller.Device)
	switch {
	case errors.Is(err, session.ErrNone), err == nil && (now.Person != caller.Person || now.Tenant != caller.Tenant):
		return Row{}, ErrNone
	case err != nil:
		return Row{}, err
	}
	return k.cfg.Store.SignInGet(ctx, now.ID)
}

// demanded reports whether a demand stands that the sign-in does not answer.
func (r *Row) demanded(rules *policy.Policy, now time.Time) bool {
	if !r.Said.Demanded.IsZero() {
		return true // of this very session, and so from after its sign-in
	}
	s := r.signIn()
	answer := s.Time.After(r.Since) && !s.Time.After(now.Add(identity.Leeway)) && rules.Strong(s)
	return !r.Since.IsZero() && !answer
}

// Demand makes the next call of a caller's session, and all that follow, need a
// fresh sign-in, which is a session of its own. Until there was one, each session
// of the device and each new one of the person needs it. [ErrNone] if there is no
// company sign-in behind the session, nor behind the one that came after it.
func (k *Keeper) Demand(ctx context.Context, caller identity.Caller) error {
	for {
		r, err := k.of(ctx, caller)
		if err != nil || !r.Said.Demanded.IsZero() {
			return err
		}
		now := time.Now()
		d := Demand{Person: r.Person, Device: r.Device, Asked: now, Since: now.Add(-identity.Leeway)}
		if r.Said.Time.After(d.Since) && r.Said.Time.Before(now.Add(identity.Leeway)) {
			d.Since = r.Said.Time // by the provider's own clock
		}
		// For the person first: a session that begins now must not escape.
		if err := k.cfg.Store.SignInDemand(ctx, d); err != nil {
			return err
		}
		r.Said.Demanded = now
		if err := k.cfg.Store.SignInSave(ctx, r); !errors.Is(err, ErrMoved) {
			return err
		}
	}
}

func errStepUp(rules *policy.Policy) error {
	return usererr.Wrap(policy.ErrStepUp, usererr.SignIn,
		fmt.Sprintf("This needs a sign-in with a second factor that is not older than %d minutes", int(rules.StepUp().MaxAge.Minutes())), finishIt)
}

// Wanted tells who must show anew who they are on a device; "" if nobody, or if
// nobody is signed in there. A session that follows such a sign-in wants none.
func (k *Keeper) Wanted(ctx context.Context, device identity.DeviceID) (identity.PersonID, error) {
	s, err := k.cfg.Sessions.Current(ctx, device)
	if errors.Is(err, session.ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	r, err := k.cfg.Store.SignInGet(ctx, s.ID)
	if errors.Is(err, ErrNone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if now := time.Now(); now.Sub(r.StepUp) <= stepUpLife || r.demanded(k.cfg.Policy(), now) {
		return r.Person, nil
	}
	return "", nil
}
