package gateway

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/tools"
)

var _ tools.SignIn = (*Gateway)(nil)

const (
	progressEvery = 10 * time.Second
	// A sign-in may have ended at another replica, or by "coatcheck login".
	lookEvery = 2 * time.Second
)

// login is one or more calls of a stream that wait for the same sign-in. A nil
// login has no calls and is ready to end.
type login struct {
	calls int // guarded by the stream's mu
	once  sync.Once
	done  chan struct{} // closed by end
	err   error         // set before done is closed
}

// end wakes the calls.
func (l *login) end(err error) {
	if l == nil {
		return
	}
	l.once.Do(func() {
		l.err = err
		close(l.done)
	})
}

// join adds a call to those that wait on s. It returns false if who is not the
// caller any more: then there is nothing to wait for.
func (s *stream) join(who identity.Caller) (wait *login, first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session.ID != "" && s.session.ID != who.Session {
		return nil, false, false
	}
	if s.closed {
		wait = &login{done: make(chan struct{})}
		wait.end(errGone())
		return wait, false, true
	}
	if first = s.login == nil; first {
		s.login = &login{done: make(chan struct{})}
	}
	s.login.calls++
	s.parkLocked(who.Call, true)
	return s.login, first, true
}

// quit takes a call out again. When it was the last, the next one asks anew.
func (s *stream) quit(wait *login, who identity.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parkLocked(who.Call, false)
	if wait.calls--; wait.calls <= 0 && s.login == wait {
		s.login = nil
	}
}

func (s *stream) parkLocked(key string, parked bool) {
	if c, ok := s.calls[key]; ok {
		c.parked = parked
		s.calls[key] = c
	}
}

// now is the caller as the stream knows it at this moment, for the same call.
func (h here) now() identity.Caller {
	h.stream.mu.Lock()
	defer h.stream.mu.Unlock()
	who := h.stream.callerLocked()
	who.Address, who.Call, who.Replayed = h.caller.Address, h.caller.Call, h.caller.Replayed
	return who
}

// Await implements tools.SignIn: it asks the shim to sign in and waits, at most
// Config.SignInWait.
func (g *Gateway) Await(ctx context.Context) (identity.Caller, error) {
	at, ok := ctx.Value(hereKey{}).(here)
	if !ok {
		return identity.Caller{}, errNoStream()
	}
	g.look(ctx, at.stream)
	wait, first, ok := at.stream.join(at.caller)
	if !ok {
		return at.now(), nil
	}
	defer at.stream.quit(wait, at.caller)
	if first {
		at.stream.sendBinary(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: string(at.caller.Tenant)}))
	}
	return g.await(ctx, at, wait)
}

func (g *Gateway) await(ctx context.Context, at here, wait *login) (identity.Caller, error) {
	deadline := time.NewTimer(g.cfg.SignInWait)
	defer deadline.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	progress := time.NewTicker(progressEvery)
	defer progress.Stop()
	for step := 1; ; {
		select {
		case <-wait.done:
			return at.now(), wait.err
		case <-ctx.Done():
			return identity.Caller{}, usererr.Wrap(context.Cause(ctx), usererr.SignInOpen, "The call was cancelled while it waited for the sign-in", "Finish the sign-in in your browser, then ask again")
		case <-deadline.C:
			return identity.Caller{}, errOpen()
		case <-look.C:
			g.look(ctx, at.stream)
		case <-progress.C:
			at.tell(ctx, step)
			step++
		}
	}
}

func errOpen() error {
	return usererr.New(usererr.SignInOpen, "The sign-in is still open in your browser", "Finish it there, then ask again")
}

func errNoStream() error {
	return usererr.New(usererr.SignIn, "A sign-in is needed, and this call did not come over a connection that can ask for it", "Run 'coatcheck login', then ask again")
}

// tell sends progress, if the client asked for it.
func (h here) tell(ctx context.Context, step int) {
	if h.progress == nil || h.session == nil {
		return
	}
	_ = h.session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ // best effort
		ProgressToken: h.progress, Progress: float64(step), Message: "Waiting for the sign-in in your browser",
	})
}

// look asks the store whether somebody has signed in on the stream's device.
func (g *Gateway) look(ctx context.Context, s *stream) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if now, err := g.cfg.Sessions.Current(ctx, s.device); err == nil {
		_ = s.check(now, nil) // only an error is passed on
	}
}

func (s *stream) adopt(now session.Session) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	waits := s.adoptLocked(now)
	s.mu.Unlock()
	waits.end(nil)
}

// Start implements tools.SignIn: it asks the shim to sign in and does not wait.
func (g *Gateway) Start(ctx context.Context) (tools.SignInState, error) {
	at, ok := ctx.Value(hereKey{}).(here)
	if !ok {
		return tools.SignInState{}, errNoStream()
	}
	if !at.stream.linked() {
		return tools.SignInState{}, usererr.New(usererr.Unavailable, "The connection to your computer is interrupted", "Ask again in a moment")
	}
	at.stream.sendBinary(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: string(at.caller.Tenant)}))
	return tools.SignInState{Open: true, Message: "The sign-in opens in the browser of this computer; finish it there, then ask again"}, nil
}

// LoginDone tells every stream of device how its sign-in ended, and lets the
// calls go on that waited for it.
func (g *Gateway) LoginDone(device identity.DeviceID, done wire.LoginDone) {
	streams := g.of(device)
	outcome := refused(done)
	var now session.Session
	if done.OK {
		ctx, cancel := g.storeContext()
		defer cancel()
		var err error
		if now, err = g.cfg.Sessions.Current(ctx, device); err != nil {
			g.cfg.Log.Error("a sign-in is done but there is no session", "device", device, "err", err)
			outcome = usererr.Wrap(err, usererr.Unavailable, "You signed in, but the vault cannot find your session", "Ask again")
		}
	}
	for _, s := range streams {
		s.settle(now, outcome)
		g.spawn(func() { s.sendBinary(wire.Encode(wire.KindLoginDone, done)) })
	}
}

func refused(done wire.LoginDone) error {
	if done.OK {
		return nil
	}
	message := done.Message
	if message == "" {
		message = "The sign-in was declined in the browser"
	}
	return usererr.New(usererr.Refused, message, "Ask again if you want to sign in after all")
}

// settle ends the waiting on s. Without an outcome that is wrong, now is the
// new session; a stream of somebody else who had signed in on the device ends.
func (s *stream) settle(now session.Session, outcome error) {
	s.mu.Lock()
	had := s.session
	switch {
	case s.closed:
		s.mu.Unlock()
		return
	case outcome == nil && had.ID != "" && !sameParty(now, had):
		s.mu.Unlock()
		s.cut(had)
		return
	}
	waits := s.login
	s.login = nil
	if outcome == nil {
		s.adoptLocked(now)
	}
	s.mu.Unlock()
	waits.end(outcome)
}

// check compares the stream with what the store says of its device's session,
// and ends it if its own is gone.
func (s *stream) check(now session.Session, err error) error {
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	s.mu.Lock()
	had, closed := s.session, s.closed
	s.mu.Unlock()
	switch {
	case closed, had.ID == "" && now.ID == "":
	case had.ID == "" || sameParty(now, had):
		s.adopt(now)
	default:
		s.cut(had)
	}
	return nil
}
