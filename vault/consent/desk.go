package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/login"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/starts"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Times of a login.
const (
	Life       = 10 * time.Minute // from the first start to the end
	ticketLife = time.Minute      // from callback to finish
	quietTime  = time.Minute      // no new tab after a refusal
	lateTime   = 15 * time.Second // a start that comes so soon after the end belongs to it
	keepEnded  = 24 * time.Hour   // so long a page can still say what became of it
)

// Limits of one device.
const (
	rateTime  = 10 * time.Minute
	maxLogins = 10 // in rateTime
	maxMoves  = 20 // tries to change a login that others change too
)

// maxOpen limits the logins under way, of all devices together: nobody has to
// prove anything to begin one.
const maxOpen = 10_000

const purpose = "login" // of sealed values

// What people can do when a login went wrong.
const (
	tellAdministrator = "Tell the administrator of the vault"
	askAgain          = login.AskAgain
)

// Sealer encrypts what is stored. A *seal.Box is one.
type Sealer interface {
	Seal(plain []byte, aad seal.AAD) ([]byte, error)
	Open(sealed []byte, aad seal.AAD) ([]byte, error)
}

// Grants stores what a login led to. A *grant.Keeper is one.
type Grants interface {
	// Put seals and stores a new grant, which supersedes the person's former
	// one, and returns its id.
	Put(ctx context.Context, g grant.Grant, tokens grant.Tokens) (identity.GrantID, error)
	// Describe tells of a person's grant. Its error has the code SignIn where
	// there is none that can be used.
	Describe(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Grant, error)
	// Revoke ends a grant for good.
	Revoke(ctx context.Context, id identity.GrantID) error
}

// DeskConfig is what a desk needs. Everything is required
// unless stated.
type DeskConfig struct {
	Logins LoginStore
	Starts StartStore
	Box    Sealer
	Grants Grants
	// Tenants lists the tenants that a person may sign in to.
	Tenants func() []identity.TenantID
	// App finds a tenant's OAuth app.
	App func(identity.TenantID) (*atlassian.App, bool)
	// Alive reports whether the process behind a stream is connected to this
	// replica; [Desk.Left] says what the others must know.
	Alive func(identity.DeviceID, identity.StreamID) bool
	// Company is the company's own sign-in. Optional: without it the Atlassian
	// account is who a person is.
	Company Company
	// StepUp tells who must show anew who they are on a device; "" if nobody.
	// Optional.
	StepUp func(context.Context, identity.DeviceID) (identity.PersonID, error)
	// ByCode reports whether people may sign in at a tenant with a code that
	// they copy from the page, where no browser can come back. Optional: nobody
	// may.
	ByCode func(identity.TenantID) bool
	// SignedIn reports whether a device has a live session, so that a sign-in
	// is asked for again when one was taken away at once. Optional: without it
	// a device counts as signed in for a moment after each login.
	SignedIn func(context.Context, identity.DeviceID) (bool, error)
}

// Desk leads logins from link to grant. All of its errors that people can do
// something about are user errors.
type Desk struct {
	cfg    DeskConfig
	starts starts.Keeper
	began  time.Time
}

// NewDesk returns a desk.
func NewDesk(cfg DeskConfig) *Desk {
	return &Desk{cfg: cfg, starts: starts.Keeper{Store: cfg.Starts, Stream: cfg.Alive}, began: time.Now()}
}

func place(id identity.LoginID, field string) seal.AAD {
	// Grant is the one member of the place that takes a unique id.
	return seal.AAD{Purpose: purpose, Grant: string(id), Field: field, Version: 1}
}

func (d *Desk) seal(l *Login, s secrets) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if l.Secrets, err = d.cfg.Box.Seal(plain, place(l.ID, "secrets")); err != nil {
		return fmt.Errorf("sealing a login: %w", err)
	}
	return nil
}

// open returns no secrets for a login that expired: it has none any more.
func (d *Desk) open(l Login) (secrets, error) {
	var s secrets
	if l.Phase == Expired {
		return s, nil
	}
	plain, err := d.cfg.Box.Open(l.Secrets, place(l.ID, "secrets"))
	if err == nil {
		err = json.Unmarshal(plain, &s)
	}
	if err != nil {
		return secrets{}, fmt.Errorf("opening a login: %w", err)
	}
	return s, nil
}

// change applies edit to the login with by until no other change comes
// between. Edit returns false to leave it as it is.
func (d *Desk) change(ctx context.Context, by Find, edit func(*Login) (bool, error)) (Login, error) {
	for range maxMoves {
		l, err := d.cfg.Logins.LoginFind(ctx, by)
		if err != nil {
			return Login{}, err
		}
		save, err := edit(&l)
		if err != nil || !save {
			return l, err
		}
		err = d.cfg.Logins.LoginSave(ctx, l)
		if err == nil {
			l.Version++
			return l, nil
		}
		if !errors.Is(err, ErrMoved) {
			return Login{}, fmt.Errorf("storing a login: %w", err)
		}
	}
	return Login{}, usererr.Wrap(ErrMoved, usererr.Unavailable, "Too much happens at once with this sign-in", "Try again in a moment")
}

// end is the edit that ends a login, with a reason if it failed. Nothing secret
// stays but the link, which leads to a page that says how it ended.
func (d *Desk) end(l *Login, phase Phase, why *usererr.Error) error {
	s, err := d.open(*l)
	if err != nil {
		return err
	}
	if why != nil {
		l.Details.Reason = Reason{Code: why.Code, Message: why.Message, Hint: why.Hint}
	}
	l.Phase, l.Ended, l.Code = phase, time.Now(), nil
	return d.seal(l, secrets{Link: s.Link})
}

// Fail ends a login with a reason, unless it has ended already.
func (d *Desk) Fail(ctx context.Context, id identity.LoginID, why *usererr.Error) (l Login, ended bool, err error) {
	l, err = d.change(ctx, Find{ID: id}, func(l *Login) (bool, error) {
		if ended = !l.Phase.Over(); !ended {
			return false, nil
		}
		return true, d.end(l, Failed, why)
	})
	return l, ended && err == nil, err
}

// Sweep ends logins that nobody finished in time and returns those that ended
// so since the last sweep, at whichever replica. It forgets what is old.
func (d *Desk) Sweep(ctx context.Context) ([]Login, error) {
	now := time.Now()
	ended, err := d.cfg.Logins.LoginExpire(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("ending old logins: %w", err)
	}
	if err := d.cfg.Logins.LoginForget(ctx, now.Add(-keepEnded)); err != nil {
		return ended, fmt.Errorf("forgetting old logins: %w", err)
	}
	return ended, nil
}
