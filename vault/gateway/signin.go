package gateway

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/here"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/tool"
)

var _ tool.SignIn = (*Gateway)(nil)

const (
	progressEvery = 10 * time.Second
	// A sign-in may have ended at another replica, or by "coatcheck login".
	lookEvery = 2 * time.Second
)

// Await implements tool.SignIn: it asks the shim to sign in and waits, at most
// Config.SignInWait.
func (g *Gateway) Await(ctx context.Context) (identity.Caller, error) {
	at, ok := here.From(ctx)
	if !ok {
		return identity.Caller{}, errNoStream()
	}
	g.look(ctx, at.Stream)
	wait, first, ok := at.Stream.Join(at.Caller)
	if !ok {
		return at.Stream.Now(at.Caller), nil
	}
	defer at.Stream.Quit(wait, at.Caller)
	if first {
		required := wire.LoginRequired{Tenant: string(at.Caller.Tenant)}
		if !at.Caller.Replayed { // else an earlier vault may have begun it
			required.Call = at.Caller.Call
		}
		at.Stream.Send(wire.Encode(wire.KindLoginRequired, required))
	}
	return g.await(ctx, at, wait)
}

func (g *Gateway) await(ctx context.Context, at here.Request, wait *stream.Wait) (identity.Caller, error) {
	deadline := time.NewTimer(g.cfg.SignInWait)
	defer deadline.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	before, _, over := g.ended(ctx, at.Stream.Device())
	if !over {
		before = "" // what is under way may end yet
	}
	progress := time.NewTicker(progressEvery)
	defer progress.Stop()
	for step := 1; ; {
		select {
		case <-wait.Done():
			return at.Stream.Now(at.Caller), wait.Err()
		case <-ctx.Done():
			return identity.Caller{}, usererr.Wrap(context.Cause(ctx), usererr.SignInOpen, "The call was cancelled while it waited for the sign-in", "Finish the sign-in in your browser, then ask again")
		case <-deadline.C:
			return identity.Caller{}, errOpen()
		case <-look.C:
			g.look(ctx, at.Stream)
			// So may a refusal: whoever waits here has not heard of it.
			if id, done, ok := g.ended(ctx, at.Stream.Device()); ok && id != before {
				g.LoginDone(at.Stream.Device(), done)
			}
		case <-progress.C:
			at.Tell(ctx, step, "Waiting for the sign-in in your browser")
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

// look asks the store whether somebody has signed in on the stream's device.
func (g *Gateway) look(ctx context.Context, s *stream.Stream) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	_ = g.check(ctx, s.Device(), s) // unless it was read, nothing has changed
}

// ended tells of the last login of device that ended without a session.
func (g *Gateway) ended(ctx context.Context, device identity.DeviceID) (identity.LoginID, wire.LoginDone, bool) {
	if g.cfg.LoginEnded == nil {
		return "", wire.LoginDone{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	return g.cfg.LoginEnded(ctx, device)
}

// Start implements tool.SignIn: it asks the shim to sign in and does not wait.
func (g *Gateway) Start(ctx context.Context) (tool.SignInState, error) {
	at, ok := here.From(ctx)
	if !ok {
		return tool.SignInState{}, errNoStream()
	}
	if linked, _ := at.Stream.Linked(); !linked {
		return tool.SignInState{}, usererr.New(usererr.Unavailable, "The connection to your computer is interrupted", "Ask again in a moment")
	}
	at.Stream.Send(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: string(at.Caller.Tenant)}))
	return tool.SignInState{Open: true, Message: "The sign-in opens in the browser of this computer; finish it there, then ask again"}, nil
}

// LoginDone tells every stream of device how its sign-in ended, and lets the
// calls go on that waited for it.
func (g *Gateway) LoginDone(device identity.DeviceID, done wire.LoginDone) {
	streams := g.of(device)
	outcome := refused(done)
	var now stream.Standing
	ctx, cancel := g.storeContext()
	defer cancel()
	if done.OK {
		var err error
		if now, err = g.standing(ctx, device, g.epoch.Load()); err != nil {
			g.cfg.Log.Error("a sign-in is done but there is no session", "device", device, "err", err)
			outcome = usererr.Wrap(err, usererr.Unavailable, "You signed in, but the vault cannot find your session", "Ask again")
		}
	}
	for _, s := range streams {
		s.Settle(now, outcome)
		if done.OK && g.epoch.Load() != now.Epoch { // something was revoked meanwhile
			_ = g.check(ctx, device, s) // if it cannot be read, [Gateway.Live] asks
		}
		g.spawn(func() { s.Send(wire.Encode(wire.KindLoginDone, done)) })
	}
}

func refused(done wire.LoginDone) error {
	if done.OK {
		return nil
	}
	message, hint := done.Message, done.Hint
	if message == "" {
		message = "The sign-in was declined in the browser"
	}
	if hint == "" {
		hint = "Ask again if you want to sign in after all"
	}
	return usererr.New(usererr.Refused, message, hint)
}
