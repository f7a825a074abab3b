package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/starts"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

// The holder of the tab counts as gone only some time after it got it, since
// links break and heal; a vault that was just started has seen nobody yet.
const (
	openGrace = 5 * time.Second
	bootGrace = 30 * time.Second
	maxStream = 128
)

// Ask is a process that needs its device signed in.
type Ask struct {
	Device    identity.DeviceID
	Tenant    identity.TenantID // "" lets the vault choose
	Stream    identity.StreamID // "" for a process without one
	Loopback  string            // "" with ByCode
	Challenge string
	Asker     Asker
	// ByCode says that the person's browser is on another computer: they type
	// what its page shows.
	ByCode bool
	// Force asks for a tab whatever was before: a person typed a command.
	Force bool
	// Start is this process's earlier start, if there was one; OpenFailed says
	// that it was to open the tab and could not.
	Start      StartID
	OpenFailed bool
	// Admit is asked before a new login is stored; its error refuses. Optional.
	Admit func(context.Context) error
}

// Begun answers Ask.
type Begun struct {
	Login Login
	Start StartID
	Link  secret.String // the last part of the page's address
	// Open says that this process should open a tab.
	Open bool
	// Fresh says that the login began with this ask.
	Fresh bool
	// Already says that the device has been signed in a moment ago: there is
	// nothing to open and nothing to finish.
	Already bool
}

func (a Ask) check() error {
	home := proof.Loopback(a.Loopback) == nil && !a.ByCode || a.Loopback == "" && a.ByCode
	if !home || !proof.Challenge(a.Challenge) || len(a.Stream) > maxStream {
		return usererr.New(usererr.BadInput, "The vault does not understand how this program wants to sign in", "Update coatcheck")
	}
	return nil
}

// tenant chooses the tenant where there is no choice.
func (d *Desk) tenant(wanted identity.TenantID) (identity.TenantID, error) {
	all := d.cfg.Tenants()
	switch {
	case len(all) == 0:
		return "", usererr.New(usererr.Settings, "This vault has no tenant to sign in to", "Ask its administrator")
	case wanted != "" && !slices.Contains(all, wanted):
		return "", usererr.New(usererr.Settings, "This vault does not know the tenant that was asked for", "Check the tenant in the settings of coatcheck")
	case wanted == "" && len(all) == 1:
		return all[0], nil
	}
	return wanted, nil
}

// Begin registers a process under the device's login, which it begins if there
// is none.
func (d *Desk) Begin(ctx context.Context, ask Ask) (Begun, error) {
	if err := ask.check(); err != nil {
		return Begun{}, err
	}
	tenant, err := d.tenant(ask.Tenant)
	if err != nil {
		return Begun{}, err
	}
	if ask.ByCode && !d.byCode(tenant) {
		return Begun{}, errNoCodes()
	}
	stepUp, err := d.stepUp(ctx, ask.Device)
	if err != nil {
		return Begun{}, err
	}
	now := time.Now()
	recent, err := d.cfg.Logins.LoginRecent(ctx, ask.Device, now.Add(-rateTime-Life))
	if err != nil {
		return Begun{}, fmt.Errorf("looking for logins: %w", err)
	}
	if len(recent) == 0 || recent[0].Phase.Over() || !now.Before(recent[0].Expires) {
		if begun, ok, err := d.afterwards(ctx, ask, recent, stepUp != ""); ok || err != nil {
			return begun, err
		}
		if ask.Admit != nil {
			if err := ask.Admit(ctx); err != nil {
				return Begun{}, err
			}
		}
	}
	fresh, err := d.fresh(ask, tenant, now)
	if err != nil {
		return Begun{}, err
	}
	fresh.Details.StepUp = stepUp
	l, err := d.cfg.Logins.LoginBegin(ctx, fresh, maxOpen)
	if errors.Is(err, ErrFull) {
		return Begun{}, usererr.Wrap(err, usererr.RateLimited, "Too many sign-ins are under way at this vault", "Wait ten minutes, then try again")
	}
	if err != nil {
		return Begun{}, fmt.Errorf("beginning a login: %w", err)
	}
	begun, err := d.register(ctx, l, ask, stepUp)
	begun.Fresh = l.ID == fresh.ID
	return begun, err
}

// already answers a process that asks although its device has just been signed
// in, as another one of several does.
func (d *Desk) already(ctx context.Context, last Login) (Begun, bool, error) {
	if d.cfg.SignedIn != nil {
		if live, err := d.cfg.SignedIn(ctx, last.Device); err != nil || !live {
			return Begun{}, false, err
		}
	}
	s, err := d.open(last)
	return Begun{Login: last, Start: starts.NewID(), Link: secret.New(s.Link), Already: true}, err == nil, err
}

// afterwards decides whether a new login may begin after the recent ones.
func (d *Desk) afterwards(ctx context.Context, ask Ask, recent []Login, stepUp bool) (Begun, bool, error) {
	now := time.Now()
	if len(recent) > 0 && !ask.Force {
		last := recent[0]
		switch age := now.Sub(last.Ended); {
		case last.Phase == Refused && age < quietTime:
			return Begun{}, false, usererr.New(usererr.Refused, "The sign-in was declined a moment ago",
				"Ask again in a minute, or run 'coatcheck login' to sign in now")
		case last.Phase == Done && age < lateTime && !stepUp:
			if begun, ok, err := d.already(ctx, last); ok || err != nil {
				return begun, ok, err
			}
		}
	}
	count := 0
	for _, l := range recent {
		if now.Sub(l.Created) < rateTime {
			count++
		}
	}
	if count >= maxLogins {
		return Begun{}, false, usererr.New(usererr.RateLimited, "This computer has begun too many sign-ins", "Wait ten minutes, then try again")
	}
	return Begun{}, false, nil
}

// stepUp tells who must show anew who they are on a device, if anybody.
func (d *Desk) stepUp(ctx context.Context, device identity.DeviceID) (identity.PersonID, error) {
	if d.cfg.Company == nil || d.cfg.StepUp == nil {
		return "", nil
	}
	who, err := d.cfg.StepUp(ctx, device)
	if err != nil {
		return "", fmt.Errorf("looking for a step-up: %w", err)
	}
	return who, nil
}

func (d *Desk) fresh(ask Ask, tenant identity.TenantID, now time.Time) (Login, error) {
	s := secrets{Link: proof.New(), Form: proof.New()}
	l := Login{
		ID:      identity.LoginID(identity.NewID("l_")),
		Device:  ask.Device,
		Tenant:  tenant,
		Phase:   Open,
		Created: now,
		Expires: now.Add(Life),
		Link:    proof.Hash(s.Link),
		Details: Details{Asker: Asker{Host: remote.Clean(ask.Asker.Host), User: remote.Clean(ask.Asker.User), Address: ask.Asker.Address}},
	}
	return l, d.seal(&l, s)
}

// register stores the process's start and settles who opens the tab.
func (d *Desk) register(ctx context.Context, l Login, ask Ask, stepUp identity.PersonID) (Begun, error) {
	start, err := d.starts.Register(ctx, Start{
		ID: ask.Start, Login: l.ID, Device: ask.Device, Stream: ask.Stream, Loopback: ask.Loopback, Challenge: ask.Challenge, NoTab: ask.OpenFailed,
	})
	if err != nil {
		return Begun{}, err
	}
	s, err := d.open(l)
	if err != nil {
		return Begun{}, err
	}
	begun := Begun{Start: start.ID, Link: secret.New(s.Link)}
	begun.Login, err = d.change(ctx, Find{ID: l.ID}, func(l *Login) (bool, error) {
		before := l.Details.Opener
		begun.Open = d.mayOpen(ctx, l, start, ask)
		sooner := l.Phase == Open && l.Details.StepUp == "" && stepUp != ""
		if sooner { // it began as a mere sign-in
			l.Details.StepUp = stepUp
		}
		return sooner || l.Details.Opener != before || begun.Open && ask.Force, nil
	})
	return begun, err
}

// mayOpen decides whether start should open a tab and notes so in l. One start
// holds that right. It passes on when its holder could not open a tab, or is
// gone and no browser has shown the page.
func (d *Desk) mayOpen(ctx context.Context, l *Login, start Start, ask Ask) bool {
	holder := &l.Details.Opener
	if start.NoTab {
		if *holder == start.ID {
			*holder = ""
		}
		return false
	}
	if l.Phase.Over() {
		return false
	}
	if ask.Force || *holder == "" || *holder != start.ID && d.gone(ctx, l) {
		*holder, l.Details.Opened = start.ID, time.Now()
	}
	return *holder == start.ID
}

// gone reports whether the holder of the tab left before it opened one.
func (d *Desk) gone(ctx context.Context, l *Login) bool {
	if l.Phase != Open || l.Details.Viewed || time.Since(l.Details.Opened) < openGrace || time.Since(d.began) < bootGrace {
		return false
	}
	return d.starts.Gone(ctx, l.Details.Opener)
}

// Left notes that a process of a device has lost its connection at some moment,
// so that the browser goes to another one that waits for the same login, if
// there is one, whichever replica sends it.
func (d *Desk) Left(ctx context.Context, device identity.DeviceID, stream identity.StreamID, since time.Time) error {
	recent, err := d.cfg.Logins.LoginRecent(ctx, device, time.Now().Add(-rateTime-Life))
	if err != nil {
		return fmt.Errorf("looking for logins: %w", err)
	}
	if len(recent) == 0 || recent[0].Phase.Over() {
		return nil
	}
	return d.starts.Left(ctx, recent[0].ID, device, stream, since)
}
