package session

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Defaults of [Config].
const (
	DefaultIdle     = 30 * 24 * time.Hour
	DefaultAbsolute = 90 * 24 * time.Hour
)

const (
	// touchEvery is how exact the last use of a session is.
	touchEvery = time.Minute
	// maxShown is the longest text that is kept for showing, in characters.
	maxShown = 200
)

// Config says how long sessions live. Fields with a default may be zero.
type Config struct {
	Store    Store
	Idle     time.Duration // without use; default 30 days, at most Absolute
	Absolute time.Duration // from the sign-in; default 90 days
}

// Keeper starts, finds and ends sessions. It remembers nothing between calls,
// so that a revocation anywhere is seen by the next call everywhere. Its
// methods may be called from many goroutines.
type Keeper struct{ cfg Config }

// New returns a keeper.
func New(cfg Config) *Keeper {
	if cfg.Absolute <= 0 {
		cfg.Absolute = DefaultAbsolute
	}
	if cfg.Idle <= 0 {
		cfg.Idle = DefaultIdle
	}
	cfg.Idle = min(cfg.Idle, cfg.Absolute)
	return &Keeper{cfg}
}

// NewID makes the id of a session that is about to start.
func NewID() identity.SessionID { return identity.SessionID(identity.NewID("s_")) }

// Who is somebody who has just signed in. All but ID and Shown is required.
type Who struct {
	ID     identity.SessionID // never used before; made up by default
	Device identity.DeviceID
	Person identity.PersonID
	Tenant identity.TenantID
	Shown  Shown
}

// Start begins a session under a fresh id and ends the one that the device had.
// [ErrSuspended] if the person may have none for some time.
func (k *Keeper) Start(ctx context.Context, who Who) (Session, error) {
	if who.Device == "" || who.Person == "" || who.Tenant == "" {
		return Session{}, errors.New("starting a session: nobody in particular")
	}
	if who.ID == "" {
		who.ID = NewID()
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	s := Session{
		ID:     who.ID,
		Device: who.Device, Person: who.Person, Tenant: who.Tenant,
		Created: now, Used: now, IdleUntil: now.Add(k.cfg.Idle), Until: now.Add(k.cfg.Absolute),
		Shown: who.Shown.tidy(),
	}
	if err := k.cfg.Store.SessionStart(ctx, s); err != nil {
		return Session{}, err
	}
	return s, nil
}

// Current returns the live session of device, or [ErrNone].
func (k *Keeper) Current(ctx context.Context, device identity.DeviceID) (Session, error) {
	s, err := k.cfg.Store.SessionCurrent(ctx, device)
	if err != nil {
		return Session{}, err
	}
	if !s.Live(time.Now()) {
		return Session{}, ErrNone
	}
	return s, nil
}

// CurrentAll is [Keeper.Current] for each of devices; those without a live
// session are not in the answer.
func (k *Keeper) CurrentAll(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]Session, error) {
	many, ok := k.cfg.Store.(Many)
	if !ok {
		return k.oneByOne(ctx, devices)
	}
	all, err := many.SessionsCurrent(ctx, devices)
	now := time.Now()
	maps.DeleteFunc(all, func(_ identity.DeviceID, s Session) bool { return !s.Live(now) })
	return all, err
}

func (k *Keeper) oneByOne(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]Session, error) {
	all := make(map[identity.DeviceID]Session, len(devices))
	for _, device := range devices {
		s, err := k.Current(ctx, device)
		if err == nil {
			all[device] = s
		} else if !errors.Is(err, ErrNone) {
			return nil, err
		}
	}
	return all, nil
}

// Live reports whether s lasts at the time now.
func (s Session) Live(now time.Time) bool {
	return s.ID != "" && s.Revoked.IsZero() && now.Before(s.IdleUntil) && now.Before(s.Until)
}

// Touch notes that s was used now, which puts off its idle end. [ErrNone] if it
// has ended: a session does not come back.
func (k *Keeper) Touch(ctx context.Context, s Session) error {
	now := time.Now()
	if !s.Live(now) {
		return ErrNone
	}
	if now.Sub(s.Used) < touchEvery {
		return nil
	}
	idle := now.Add(k.cfg.Idle)
	if idle.After(s.Until) {
		idle = s.Until
	}
	return k.cfg.Store.SessionTouch(ctx, s.ID, now, idle)
}

// Revoke ends a session for good and makes every replica look. [ErrNone] if
// there is no such session; revoking twice is no error.
func (k *Keeper) Revoke(ctx context.Context, id identity.SessionID) error {
	return k.cfg.Store.SessionRevoke(ctx, id, time.Now())
}

// End ends the session of a device that signs out. [ErrNone] if it has none.
func (k *Keeper) End(ctx context.Context, device identity.DeviceID) error {
	s, err := k.cfg.Store.SessionCurrent(ctx, device)
	if err != nil {
		return err
	}
	return k.Revoke(ctx, s.ID)
}

// List returns all sessions, the latest first, ended ones for a while too.
func (k *Keeper) List(ctx context.Context) ([]Session, error) { return k.cfg.Store.SessionList(ctx) }

// Epoch is a number that changes with each revocation of anything.
func (k *Keeper) Epoch(ctx context.Context) (int64, error) { return k.cfg.Store.Epoch(ctx) }

// tidy makes texts that a device or an identity provider made up fit to be
// stored and shown.
func (s Shown) tidy() Shown {
	for _, text := range []*string{&s.Name, &s.Email, &s.Host, &s.User, &s.OS, &s.Version, &s.KeyClass, &s.Address} {
		*text = plaintext.Line(*text, maxShown)
	}
	return s
}
