// Package login is one run of the browser dance as it is stored: how far it has
// come, who asked, and how it ended.
package login

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/starts"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// AskAgain is what to do after a sign-in that came to nothing.
const AskAgain = "Ask your assistant again to start a new sign-in"

// Errors of stores.
var (
	// ErrNone says that there is no such login or start.
	ErrNone = starts.ErrNone
	// ErrMoved says that somebody else changed a login meanwhile.
	ErrMoved = errors.New("the login was changed elsewhere")
	// ErrFull says that too many logins are under way.
	ErrFull = errors.New("too many logins are under way")
)

// Phase is how far a login has come.
type Phase string

// The phases of a login. It goes forward only, except from finishing to parked
// when Atlassian could not be reached. The company's sign-in, where there is one,
// comes between open and asking.
const (
	Open      Phase = "open"      // nobody has clicked yet
	AtCompany Phase = "company"   // one browser went on to the company's sign-in
	Vouching  Phase = "vouching"  // the company is being asked who it was
	Choosing  Phase = "choosing"  // the person may use several tenants
	Asking    Phase = "asking"    // one browser went on to Atlassian
	Parked    Phase = "parked"    // the code is here; the browser goes to the loopback
	Finishing Phase = "finishing" // the code is being redeemed
	Granted   Phase = "granted"   // the grant is stored; the session is not
	Done      Phase = "done"      // signed in
	Refused   Phase = "refused"   // the person said no
	Failed    Phase = "failed"    // Reason says why
	Expired   Phase = "expired"   // nobody finished it in time
)

// Over reports whether a login in this phase has ended.
func (p Phase) Over() bool {
	return p == Done || p == Refused || p == Failed || p == Expired
}

// Login is one run of the browser dance, as it is stored. Link, State and
// Details.Cookie and .Ticket are SHA-256 hashes; Secrets and Code are sealed.
type Login struct {
	ID      identity.LoginID
	Device  identity.DeviceID
	Tenant  identity.TenantID // "" until it is chosen
	Phase   Phase
	Version int64 // grows with each change
	Created time.Time
	Expires time.Time // moves while the login is being finished
	Ended   time.Time // zero while it has not
	Link    []byte    // names the page
	State   []byte    // what the callback must bring; nil before Asking
	Details Details
	Secrets []byte
	Code    []byte // only while Parked or Finishing
}

// Details are what nobody looks for.
type Details struct {
	Asker  Asker     `json:"asker"`
	Opener starts.ID `json:"opener,omitempty"` // holds the right to open the tab
	Opened time.Time `json:"opened,omitzero"`  // when Opener got it
	Viewed bool      `json:"viewed,omitempty"` // a browser has shown the page
	Cookie []byte    `json:"cookie,omitempty"`
	// StepUp is the person who must show anew who they are; "" for a login that
	// is nothing but a sign-in.
	StepUp identity.PersonID `json:"step_up,omitempty"`
	// Vouched says that the company told who the person is.
	Vouched bool `json:"vouched,omitempty"`
	// Anew asks Atlassian although the person's grant lives.
	Anew bool `json:"anew,omitempty"`
	// What Parked begins.
	Chosen      starts.ID `json:"chosen,omitempty"`
	Ticket      []byte    `json:"ticket,omitempty"`
	TicketUntil time.Time `json:"ticket_until,omitzero"`
	Tries       int       `json:"tries,omitempty"`
	Wrong       int       `json:"wrong,omitempty"`     // codes that were typed
	BusyUntil   time.Time `json:"busy_until,omitzero"` // one finish at a time
	Result      Result    `json:"result,omitzero"`
	Reason      Reason    `json:"reason,omitzero"`
}

// Asker is who asked for a login, for people to recognise. The first two are
// what the machine says of itself.
type Asker struct {
	Host    string `json:"host,omitempty"`
	User    string `json:"user,omitempty"` // of the operating system
	Address string `json:"address,omitempty"`
}

// Result is what a login led to.
type Result struct {
	Person  identity.PersonID  `json:"person,omitempty"`
	Name    string             `json:"name,omitempty"`
	Email   string             `json:"email,omitempty"`
	Grant   identity.GrantID   `json:"grant,omitempty"`
	Session identity.SessionID `json:"session,omitempty"`
	Sites   []grant.Site       `json:"sites,omitempty"`
}

// Reason is why a login failed, in words for people.
type Reason struct {
	Code    usererr.Code `json:"code,omitempty"`
	Message string       `json:"message,omitempty"`
	Hint    string       `json:"hint,omitempty"`
}

// Err returns the reason as a user error.
func (r Reason) Err() *usererr.Error { return usererr.New(r.Code, r.Message, r.Hint) }

// Find says which login is meant: exactly one field is set.
type Find struct {
	ID          identity.LoginID
	Link, State []byte
}

// Store keeps logins. Its methods are atomic and durable when they return.
type Store interface {
	// LoginBegin returns the login that fresh.Device has under way at
	// fresh.Created, or stores fresh and returns it. At most one login of a
	// device is under way, over all replicas. If there are most logins of all
	// devices under way, it returns [ErrFull] instead of storing another.
	LoginBegin(ctx context.Context, fresh Login, most int) (Login, error)
	// LoginFind returns a login, or [ErrNone].
	LoginFind(ctx context.Context, by Find) (Login, error)
	// LoginSave stores l as version l.Version+1, or returns [ErrMoved] if the
	// stored one is not of l.Version any more.
	LoginSave(ctx context.Context, l Login) error
	// LoginRecent returns the logins of a device that began after since, newest
	// first.
	LoginRecent(ctx context.Context, device identity.DeviceID, since time.Time) ([]Login, error)
	// LoginExpire ends what is over at now, without secrets, and returns what
	// ended so since the last call.
	LoginExpire(ctx context.Context, now time.Time) ([]Login, error)
	// LoginForget deletes logins that ended before, with their starts.
	LoginForget(ctx context.Context, before time.Time) error
}

// Ref is a short public name of the login that tells the cookies of several
// logins in one browser apart.
func (l Login) Ref() string { return hex.EncodeToString(l.Link)[:12] }

// Clicked reports whether anybody has gone on from the login's page.
func (l Login) Clicked() bool { return len(l.Details.Cookie) > 0 }

// Company reports whether the company said who the person is.
func (l Login) Company() bool { return l.Details.Vouched }

// Mine reports whether the browser that sent cookie is the one that went on.
func (l Login) Mine(cookie string) bool { return proof.Matches(cookie, l.Details.Cookie) }

// Lost reports whether the vault that asked the company who it was is gone.
func (l Login) Lost() bool { return l.Phase == Vouching && time.Now().After(l.Details.BusyUntil) }

// FinishedBy reports whether the request that took the login as taken still is
// the one that finishes it.
func (l Login) FinishedBy(taken Login) bool {
	return l.Phase == Finishing && l.Details.BusyUntil.Equal(taken.Details.BusyUntil)
}

// Outcome is why a login that is over led to no session; nil if it did, or is
// not over.
func (l Login) Outcome() error {
	switch l.Phase {
	case Refused:
		return usererr.New(usererr.Refused, "The sign-in was declined", AskAgain)
	case Failed:
		return l.Details.Reason.Err()
	case Expired:
		return usererr.New(usererr.Timeout, "The sign-in was not completed in time", AskAgain)
	case Open, AtCompany, Vouching, Choosing, Asking, Parked, Finishing, Granted, Done:
	}
	return nil
}

// Outlive keeps the login from expiring before until: what has come so far
// must not be swept away under whoever finishes it.
func (l *Login) Outlive(until time.Time) {
	if l.Expires.Before(until) {
		l.Expires = until
	}
}

// PutBack is the edit that lets the shim try once more, until then.
func (l *Login) PutBack(taken Login, until time.Time) bool {
	if !l.FinishedBy(taken) {
		return false
	}
	l.Phase = Parked
	l.Details.Tries++
	l.Details.BusyUntil = time.Time{}
	l.Details.TicketUntil = until
	l.Outlive(l.Details.TicketUntil)
	return true
}
