package signin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	// A process that does not hold the tab asks so often whether it should: the
	// one that held it may have died.
	askAgain = 10 * time.Second
	// askPause keeps many waiting calls from becoming many questions.
	askPause    = time.Second
	finishTries = 4
	finishPause = time.Second
)

// run is one login, from the first question to its end.
type run struct {
	in     *SignIn
	tenant string
	force  bool
	again  chan struct{}       // capacity 1
	linked chan struct{}       // capacity 1
	done   chan wire.LoginDone // capacity 1
	cancel context.CancelFunc

	// The rest belongs to the goroutine of login.
	loop     *loopback // nil while a code is waited for
	codes    chan typed
	problems chan string // capacity 1: what was wrong with a code
	verifier secret.String
	starts   []string // names that the vault gave this process's starts
	asked    time.Time
	opened   bool // the browser was asked here; its answer comes over opening
	opening  chan error
	state    State
}

// login returns nil when this device is signed in; its errors are user errors.
func (r *run) login(ctx context.Context) (err error) {
	r.verifier = secret.New(random())
	r.opening = make(chan error, 1)
	if r.in.cfg.AskCode != nil {
		if ended, err := r.byCode(ctx); ended {
			return err
		}
	}
	if r.loop, err = listen(ctx); err != nil {
		return usererr.Wrap(err, usererr.Unavailable, "No port on 127.0.0.1 is free for the browser to come back to",
			"Close other programs and try again")
	}
	defer r.loop.close(ctx)
	if err := r.start(ctx, false); err != nil {
		return err
	}
	err = r.wait(ctx)
	r.turnAway(err)
	return err
}

// start registers this process's loopback at the vault, again if need be, and
// opens the tab if it is this process's to open.
func (r *run) start(ctx context.Context, openFailed bool) error {
	ask := wire.LoginStart{
		ByCode:     r.loop == nil,
		Challenge:  r.challenge(),
		Stream:     r.in.cfg.Stream(),
		Tenant:     r.tenant,
		Host:       r.in.cfg.Host,
		User:       r.in.cfg.User,
		Force:      r.force,
		OpenFailed: openFailed,
	}
	if r.loop != nil {
		ask.Loopback = r.loop.address()
	}
	if len(r.starts) > 0 {
		ask.Start = r.starts[len(r.starts)-1]
	}
	r.asked = time.Now()
	var started wire.LoginStarted
	if err := r.in.client.Post(ctx, wire.LoginStartPath, ask, &started); err != nil {
		return err
	}
	page, err := checkPage(r.in.cfg.VaultURL, started.URL, wire.LoginPagePrefix)
	if err != nil {
		return usererr.Wrap(err, usererr.Denied, "The vault named a sign-in page that is not its own, which was not opened",
			"Tell the vault's administrator: its public URL may differ from "+Origin(r.in.cfg.VaultURL))
	}
	if !slices.Contains(r.starts, started.Start) {
		r.opened = false // it is another login, whose page nobody has seen
		r.starts = append(r.starts, started.Start)
	}
	r.force = false // once
	r.state.Phase, r.state.URL, r.state.ByCode = Open, page, r.loop == nil
	r.state.Expires = r.expiry(ctx, started.ExpiresInSeconds)
	if started.Open && !openFailed && !r.opened && r.loop != nil {
		r.open(ctx, page)
	}
	r.in.set(r.state)
	return nil
}

func (r *run) expiry(ctx context.Context, seconds int64) time.Time {
	end, _ := ctx.Deadline()
	if seconds > 0 && seconds < int64(life/time.Second) {
		if sooner := time.Now().Add(time.Duration(seconds) * time.Second); sooner.Before(end) {
			return sooner
		}
	}
	return end
}

// open asks the browser; the answer is awaited beside everything else.
func (r *run) open(ctx context.Context, page string) {
	if r.in.cfg.OpenBrowser == nil {
		r.opening <- ErrNoBrowser
		return
	}
	r.opened = true
	r.state.Opened = true
	// Ends when OpenBrowser returns, which its contract bounds; Close waits.
	r.in.joined.Go(func() { r.opening <- r.in.cfg.OpenBrowser(ctx, page) })
}

// wait returns when the login has ended, one way or the other.
func (r *run) wait(ctx context.Context) error {
	ticker := time.NewTicker(askAgain)
	defer ticker.Stop()
	var arrivals <-chan arrival
	var spent <-chan struct{}
	if r.loop != nil {
		arrivals, spent = r.loop.arrivals, r.loop.spent
	}
	for {
		end := time.NewTimer(time.Until(r.state.Expires))
		select {
		case <-end.C:
			return usererr.New(usererr.Timeout, "The sign-in was not completed in time", "Ask again to start a new one")
		case <-ctx.Done():
			return usererr.Wrap(ctx.Err(), usererr.Timeout, "The sign-in was not completed", "Ask again to start a new one")
		case back := <-arrivals:
			return r.finish(ctx, back)
		case code := <-r.codes:
			if done, err := r.try(ctx, code); done {
				return err
			}
		case result := <-r.done:
			return outcome(result)
		case <-spent:
			return usererr.New(usererr.Denied, "Something on this computer kept knocking at the sign-in, so it was closed", "Ask again to start a new one")
		case err := <-r.opening:
			r.openEnded(ctx, err)
		case <-r.again:
			if time.Since(r.asked) >= askPause {
				r.askAgain(ctx)
			}
		case <-r.linked:
			r.askAgain(ctx)
		case <-ticker.C:
			if !r.opened {
				r.askAgain(ctx)
			}
		}
		end.Stop()
	}
}

// openEnded hands the tab on when the browser could not be opened here.
func (r *run) openEnded(ctx context.Context, err error) {
	if err == nil {
		return
	}
	r.in.cfg.Log.WarnContext(ctx, "no browser opened here", "err", err)
	r.state.Opened, r.state.Unopened = false, true
	r.in.set(r.state)
	if err := r.start(ctx, true); err != nil {
		r.in.cfg.Log.WarnContext(ctx, "the tab could not be handed on", "err", err)
	}
}

// askAgain registers once more; when that fails the login goes on as it was.
func (r *run) askAgain(ctx context.Context) {
	if err := r.start(ctx, false); err != nil {
		r.in.cfg.Log.InfoContext(ctx, "asking about the sign-in again", "err", err)
	}
}

// finish hands the ticket in and sends the waiting browser on.
func (r *run) finish(ctx context.Context, back arrival) error {
	start := back.start
	if start == "" {
		start = r.starts[len(r.starts)-1]
	}
	if !slices.Contains(r.starts, start) {
		err := usererr.New(usererr.Denied, "The browser came back with another sign-in than the one that began here", "Ask again to start a new one")
		back.answer <- destination{title: failed, message: usererr.Text(err, "")}
		return err
	}
	finished, err := r.handIn(ctx, start, back.ticket.Reveal())
	back.answer <- r.destination(finished.Page, err)
	return err
}

// handIn hands a ticket in, and tries again when the vault could not be reached,
// as it may just be restarting. If it had finished already, the link tells.
func (r *run) handIn(ctx context.Context, start, ticket string) (finished wire.LoginFinished, err error) {
	ask := wire.LoginFinish{Start: start, Ticket: ticket, Verifier: r.verifier.Reveal(), OS: runtime.GOOS, Version: buildinfo.Version()}
	if key, err := r.in.cfg.Prover.Device(ctx); err == nil { // otherwise the request says why
		ask.KeyClass = key.Class
	}
	for try := 1; ; try++ {
		err = r.in.client.Post(ctx, wire.LoginFinishPath, ask, &finished)
		said, answered := errors.AsType[*refused](err)
		if answered {
			finished.Page = said.page
		}
		if err == nil && !finished.OK {
			return finished, outcome(wire.LoginDone{Message: finished.Message})
		}
		if err == nil || answered && said.why.Code != usererr.Unavailable || try == finishTries {
			return finished, err
		}
		select {
		case result := <-r.done:
			return finished, outcome(result)
		case <-time.After(finishPause):
		case <-ctx.Done():
			return finished, fmt.Errorf("finishing the sign-in: %w", ctx.Err())
		}
	}
}

// destination is where the browser goes after the login ended with err.
func (r *run) destination(page string, err error) destination {
	if page, err := checkPage(r.in.cfg.VaultURL, page, "/"); err == nil {
		return destination{page: page}
	}
	if err != nil {
		return destination{title: failed, message: usererr.Text(err, "")}
	}
	return destination{title: completed, message: "Your assistant goes on by itself."}
}

// turnAway answers a browser that came back after all was over.
func (r *run) turnAway(err error) {
	select {
	case late := <-r.loop.arrivals:
		late.answer <- r.destination("", err)
	default:
	}
}

// outcome turns what the vault said into an error, nil for success.
func outcome(result wire.LoginDone) error {
	if result.OK {
		return nil
	}
	message, hint := clean(result.Message), clean(result.Hint)
	if message == "" {
		message = "The sign-in was refused"
	}
	if hint == "" {
		hint = "Ask again to start a new one"
	}
	return usererr.New(usererr.Refused, message, hint)
}
