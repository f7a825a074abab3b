// Package starts keeps the processes of a device that wait for one login: which
// there are, which of them live, and to which of them the browser goes.
package starts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// ErrNone says that there is no such start, or login.
var ErrNone = errors.New("no such login")

const (
	most  = 64 // starts of one login
	words = "st_"
	// quiet is how long a living process may say nothing that has not the tab:
	// it asks every 10 s whether it should open one.
	quiet = 25 * time.Second
	// Who has the tab asks nothing. If no browser shows the page after so long,
	// it is taken to have died together with the replica that knew of it.
	patience = 90 * time.Second
)

// ID names one process's part in a login.
type ID string

// NewID makes a fresh one.
func NewID() ID { return ID(identity.NewID(words)) }

// Start is one process's part in a login: where it waits for the browser, and
// how it will show that it is the one.
type Start struct {
	ID        ID
	Login     identity.LoginID
	Device    identity.DeviceID
	Stream    identity.StreamID // "" for a process that has none
	Loopback  string
	Challenge string // S256 of a verifier that only the process knows
	Created   time.Time
	Seen      time.Time // when it last asked; zero once its connection was lost after that
	NoTab     bool      // it tried to open a tab and could not
}

// ByCode reports whether the process waits for a code that a person types,
// rather than for the browser.
func (s Start) ByCode() bool { return s.Loopback == "" }

// WithTicket is where the browser goes with a ticket: the loopback, as
// proof.Loopback accepted it. The names are those of the wire.
func (s Start) WithTicket(ticket string) string {
	return s.Loopback + "?" + url.Values{"ticket": {ticket}, "start": {string(s.ID)}}.Encode()
}

// Store keeps starts.
type Store interface {
	// StartSave stores s, or Seen and NoTab of one that is stored already.
	StartSave(ctx context.Context, s Start) error
	// StartLeft makes Seen zero for the starts of a stream in a login that
	// have not asked since.
	StartLeft(ctx context.Context, login identity.LoginID, stream identity.StreamID, since time.Time) error
	// StartGet returns a start, or [ErrNone].
	StartGet(ctx context.Context, id ID) (Start, error)
	// StartList returns the starts of a login, the one that asked last first;
	// those that have left come last.
	StartList(ctx context.Context, login identity.LoginID) ([]Start, error)
}

// Keeper knows the starts. Both fields are required.
type Keeper struct {
	Store Store
	// Stream reports whether the process behind a stream is connected to this
	// replica.
	Stream func(identity.DeviceID, identity.StreamID) bool
}

// Register finds or stores the start of a process that asks: all of ask but
// its times counts, and its ID is that of an earlier ask, or "".
func (k Keeper) Register(ctx context.Context, ask Start) (Start, error) {
	now := time.Now()
	if ask.ID != "" {
		s, err := k.Store.StartGet(ctx, ask.ID)
		switch {
		case err != nil && !errors.Is(err, ErrNone):
			return Start{}, fmt.Errorf("looking for a start: %w", err)
		case err == nil && s.Login == ask.Login && s.Device == ask.Device:
			if !same(s, ask) {
				// Where the browser will go must not change once it is known.
				return Start{}, usererr.New(usererr.BadInput, "A sign-in cannot move to another address", "Start a new one")
			}
			return k.again(ctx, s, ask, now)
		}
	}
	all, err := k.Store.StartList(ctx, ask.Login)
	if err != nil {
		return Start{}, fmt.Errorf("listing starts: %w", err)
	}
	for _, s := range all {
		if same(s, ask) { // the answer to an earlier ask may have been lost
			return k.again(ctx, s, ask, now)
		}
	}
	if len(all) >= most {
		return Start{}, usererr.New(usererr.RateLimited, "Too many programs on this computer wait for the same sign-in", "Finish it in your browser")
	}
	ask.ID, ask.Created, ask.Seen = NewID(), now, now
	return ask, k.Store.StartSave(ctx, ask)
}

func same(s, ask Start) bool { return s.Loopback == ask.Loopback && s.Challenge == ask.Challenge }

func (k Keeper) again(ctx context.Context, s, ask Start, now time.Time) (Start, error) {
	s.Seen, s.NoTab = now, s.NoTab || ask.NoTab
	return s, k.Store.StartSave(ctx, s)
}

// Left notes that a process of a device has lost its connection to this
// replica at some moment, for all of them to know. It is taken back when the
// process asks again.
func (k Keeper) Left(ctx context.Context, login identity.LoginID, device identity.DeviceID, stream identity.StreamID, since time.Time) error {
	if k.Stream(device, stream) {
		return nil // it is back
	}
	if err := k.Store.StartLeft(ctx, login, stream, since); err != nil {
		return fmt.Errorf("noting that a process left: %w", err)
	}
	return nil
}

// here reports whether a process is connected to this replica. One without a
// stream cannot be seen; it has asked, so it is taken to live as long as its
// login.
func (k Keeper) here(s Start) bool { return s.Stream == "" || k.Stream(s.Device, s.Stream) }

func (s Start) left() bool { return s.Seen.IsZero() }

// Gone reports whether a process that has the tab has ended as far as can be
// known: it is not connected here, and has lost its connection elsewhere or
// nothing is known of it for long.
func (k Keeper) Gone(ctx context.Context, id ID) bool {
	s, err := k.Store.StartGet(ctx, id)
	return errors.Is(err, ErrNone) || err == nil && !k.here(s) && (s.left() || time.Since(s.Seen) > patience)
}

// Choose picks the start where the browser goes: the one whose process lives
// most likely, and among those the one that asked last.
func (k Keeper) Choose(ctx context.Context, login identity.LoginID, first ID) (Start, error) {
	all, err := k.Store.StartList(ctx, login)
	if err != nil {
		return Start{}, fmt.Errorf("listing starts: %w", err)
	}
	if len(all) == 0 {
		return Start{}, ErrNone
	}
	return slices.MinFunc(all, func(a, b Start) int { return cmp.Compare(k.doubt(a, first), k.doubt(b, first)) }), nil
}

// doubt is how unlikely it is that the browser finds a process at home, from 0
// on. The first choice has the tab. If it waits for a code, the browser is on
// another computer, where nobody waits at a loopback.
func (k Keeper) doubt(s Start, first ID) int {
	opener, here, silent := s.ID == first, k.here(s), time.Since(s.Seen) > quiet
	switch {
	case opener && s.ByCode() && !s.left() && (here || !silent):
		return 0
	case opener && here:
		return 1
	case here:
		return 2
	case !s.left() && !silent:
		return 3
	case !s.left() && opener: // it asks nothing while it waits
		return 4
	case !s.left():
		return 5
	case opener:
		return 6
	}
	return 7
}
