// Package signin is the shim's half of a sign-in: it asks the vault to begin a
// login, opens the person's browser on the vault's page, waits on 127.0.0.1
// for the browser to come back with a ticket, and hands the ticket to the
// vault with a proof that this device began it. Because only the machine that
// asked can finish, a link that somebody else is lured to signs nobody in
// here.
//
// It sees no token and no code. Several processes of one device may sign in at
// once; the vault gives one of them the right to open the tab.
package signin

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
)

// life is the longest that a login stays open, whatever the vault says.
const life = 10 * time.Minute

// Phase is how far a sign-in has come.
type Phase string

// The phases, in their order.
const (
	Idle     Phase = ""         // none was needed yet
	Starting Phase = "starting" // the vault is being asked
	Open     Phase = "open"     // the person's turn, in the browser
	Done     Phase = "done"     // signed in
	Failed   Phase = "failed"   // Message says why
)

// State is what can be told about a sign-in.
type State struct {
	Phase Phase
	// URL is where the person signs in, while Phase is [Open].
	URL string
	// Opened says that a tab was opened here; otherwise another process of this
	// device opens one, or somebody must follow URL.
	Opened bool
	// ByCode says that the page shows a code, which the person types here.
	ByCode bool
	// Unopened says that this process was to open a tab and could not.
	Unopened bool
	// Code and Message say, for people, why it failed.
	Code    usererr.Code
	Message string
	// Expires is when an open sign-in ends by itself.
	Expires time.Time
}

// Config says how a [SignIn] works. All fields but the last four are
// required.
type Config struct {
	HTTP     *http.Client
	VaultURL *url.URL // the pinned origin: nothing else is ever opened
	Prover   device.Prover
	// Stream names the connection over which the vault sees that this process
	// lives.
	Stream func() string
	Log    *slog.Logger
	// OpenBrowser shows a page to the person, or fails, within a few seconds;
	// see [Browser]. Nil means that there is no browser.
	OpenBrowser func(ctx context.Context, url string) error
	// AskCode, if not nil, asks the person for the code that the page shows, on
	// a computer whose browser cannot come back; problem says what was wrong
	// with the last one. It returns when ctx ends.
	AskCode func(ctx context.Context, problem string) (string, error)
	// Notify, if not nil, learns of each change. It must not block and must not
	// call back.
	Notify func(State)
	// Host and User are shown on the vault's page.
	Host, User string
}

// SignIn runs sign-ins, one at a time. Its methods may be called from several
// goroutines and never wait, except Close.
type SignIn struct {
	cfg    Config
	client *Client
	joined sync.WaitGroup

	mu     sync.Mutex
	state  State // guarded by mu
	run    *run  // guarded by mu; nil while none is under way
	closed bool  // guarded by mu
}

// New returns a SignIn that does nothing yet.
func New(cfg Config) *SignIn {
	return &SignIn{cfg: cfg, client: &Client{HTTP: cfg.HTTP, Vault: cfg.VaultURL, Prover: cfg.Prover}}
}

// Required starts a sign-in at tenant ("" lets the vault choose). While one is
// under way it only makes sure that the vault still knows it, and takes over
// the tab if the vault says so. Force asks for a tab even shortly after a
// refusal. The sign-in outlives ctx.
func (s *SignIn) Required(ctx context.Context, tenant string, force bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.run != nil {
		tell(s.run.again)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), life)
	r := &run{
		in:     s,
		tenant: tenant,
		force:  force,
		again:  make(chan struct{}, 1),
		linked: make(chan struct{}, 1),
		done:   make(chan wire.LoginDone, 1),
		cancel: cancel,
	}
	s.run = r
	// Ends with the login: after life at the latest, or when Close cancels it.
	s.joined.Go(func() { s.follow(ctx, r) })
}

// Linked says that this process is connected to a vault anew, perhaps another
// one. A sign-in that is under way is made known there.
func (s *SignIn) Linked() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		tell(s.run.linked)
	}
}

// tell leaves word for a run, which may have it already.
func tell(run chan<- struct{}) {
	select {
	case run <- struct{}{}:
	default:
	}
}

// Done is told what the vault said over the link about the end of the login,
// whoever finished it.
func (s *SignIn) Done(result wire.LoginDone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return
	}
	select {
	case s.run.done <- result:
	default: // it knows
	}
}

// State tells how the latest sign-in stands.
func (s *SignIn) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// Close ends a sign-in that is under way and waits for everything it started.
func (s *SignIn) Close() {
	s.mu.Lock()
	s.closed = true
	if s.run != nil {
		s.run.cancel()
	}
	s.mu.Unlock()
	s.joined.Wait()
}

// follow runs r and records how it ended.
func (s *SignIn) follow(ctx context.Context, r *run) {
	defer r.cancel()
	s.set(State{Phase: Starting})
	err := r.login(ctx)
	state := State{Phase: Done}
	if err != nil {
		state = State{Phase: Failed, Code: usererr.CodeOf(err), Message: usererr.Text(err, "")}
		s.cfg.Log.WarnContext(ctx, "the sign-in ended", "err", err)
	} else {
		s.cfg.Log.InfoContext(ctx, "signed in")
	}
	s.mu.Lock()
	s.run = nil
	s.mu.Unlock()
	s.set(state)
}

func (s *SignIn) set(state State) {
	s.mu.Lock()
	s.state = state
	s.mu.Unlock()
	if s.cfg.Notify != nil {
		s.cfg.Notify(state)
	}
}
