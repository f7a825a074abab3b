// Package shim stands between an MCP client and the vault: JSON-RPC lines on
// one side, a websocket on the other. It copies messages both ways and changes
// none of them. What it does besides is to keep the conversation alive: it
// answers the first questions itself, keeps what the vault has not
// acknowledged, comes back after a lost link, and answers for the vault when
// that cannot be reached.
//
// Read in this order: shim.go (the life of a conversation), client.go (lines
// from the client), stream.go (what is kept, and sending it), vault.go
// (messages from the vault), away.go and offline.go (when there is no link, and
// answering for the vault), notify.go (telling the client about a sign-in),
// desk.go (for files).
// Below are jsonline (lines), outbox (what is on its way), link (the way to the
// vault), greeting (first answers), words (of MCP) and files (of this computer).
//
// Every request of the client is answered once: by the vault, or here with a
// reason. The keychain is not touched before the first answer.
package shim

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/link"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

const (
	// The two together stay below the 2 s that clients wait after they closed
	// our input.
	finishTime = 1400 * time.Millisecond // for calls under way at the end of input
	endTime    = 400 * time.Millisecond  // for everything to come to an end
	finishLook = 5 * time.Millisecond
	outWaiting = 4 << 20 // bytes for a client that does not read, before we stop reading too
)

// Config is what a shim needs. Fields are required unless they say otherwise.
type Config struct {
	Stdin  io.Reader
	Stdout io.Writer // for MCP and nothing else
	// VaultURL is the pinned origin. Nil, or a Problem, means that no vault is
	// dialled and every call says why; then Network and Prover may be nil.
	VaultURL *url.URL
	Problem  error // a user error: the settings are unusable; optional
	Network  *network.Network
	Prover   device.Prover
	// OpenBrowser shows a page to the person; see [signin.Config]. Nil where
	// there is no browser.
	OpenBrowser func(ctx context.Context, url string) error
	// CacheDir has the answers of the vault that are given before it is
	// reached; "" keeps them in memory.
	CacheDir string
	// Files says what files of this computer calls may use.
	Files   files.Rules
	Log     *slog.Logger // optional
	Version string       // of this program
	OS      string       // for people
	Host    string       // for people
	User    string       // for people
	// Began is called after the answer to the first message: what it does, the
	// client does not wait for. Optional.
	Began func()

	// netDial replaces the network in tests.
	netDial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Run relays until the input ends (calls under way get 1.4 s more), the client
// stops taking output, or ctx ends. It returns nil in the first and last case.
// It returns within 2 s even if a Read or Write of the client's pipes is
// blocked, which is then left behind.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := newStream(ctx, cfg)
	lines := jsonline.NewReader(cfg.Stdin, wire.MaxMessage)
	input := make(chan error, 1)
	var joined sync.WaitGroup
	if err := s.opening(ctx, lines); err != nil {
		input <- err
	} else {
		joined.Go(func() { s.keep(ctx) }) // ends with ctx
		// Ends with the input; a Read that never returns is left behind.
		go func() { input <- s.readClient(ctx, lines) }()
	}

	var err error
	select {
	case <-ctx.Done():
	case <-s.out.Broke():
	case end := <-input:
		if end != io.EOF { //nolint:errorlint // a reader's end is never wrapped
			cfg.Log.Warn("reading from the client", "err", end)
		}
		s.finish(ctx)
	}
	if broken := s.out.Err(); broken != nil {
		err = fmt.Errorf("writing to the client: %w", broken)
	}
	cancel()
	s.end(&joined)
	return err
}

func newStream(ctx context.Context, cfg Config) *stream {
	s := &stream{
		cfg:   cfg,
		out:   jsonline.NewWriter(cfg.Stdout),
		box:   outbox.New(),
		began: make(chan struct{}),
		open:  map[string]*call{},
	}
	s.files = files.New(ctx, files.Config{Rules: cfg.Files, Call: s.running, Roots: s.askRoots, Send: s.sendFrame, Log: cfg.Log})
	s.downSince = time.Now()
	origin := ""
	if s.dead = dial.Problem(cfg.VaultURL, cfg.Problem); s.dead == nil {
		origin = signin.Origin(cfg.VaultURL)
		s.reach(origin)
	}
	s.book = greeting.Open(cfg.CacheDir, origin, cfg.Version, cfg.Log)
	return s
}

// reach makes what goes to the vault.
func (s *stream) reach(origin string) {
	cfg, name := s.cfg, sync.OnceValue(rand.Text)
	s.why = usererr.New(usererr.Unavailable, "The vault at "+origin+" has not answered yet", "Ask again in a moment")
	s.signin = signin.New(signin.Config{
		HTTP: cfg.Network.HTTP, VaultURL: cfg.VaultURL, Prover: cfg.Prover, Stream: name, Log: cfg.Log,
		OpenBrowser: cfg.OpenBrowser, Notify: s.signInChanged, Host: cfg.Host, User: cfg.User,
	})
	s.keeper = link.New(link.Config{
		Dialer: &dial.Dialer{Vault: cfg.VaultURL, Prover: cfg.Prover, TLS: cfg.Network.TLS, Proxy: cfg.Network.Proxy, NetDial: cfg.netDial},
		Origin: origin,
		Stream: s,
		Hello: func() wire.Hello {
			return wire.Hello{Stream: name(), Version: cfg.Version, OS: cfg.OS, Host: cfg.Host, User: cfg.User, Can: []string{wire.CanFiles}}
		},
		Log: cfg.Log,
	})
}

// keep keeps a link to the vault from the first message on, for as long as the
// conversation can go on.
func (s *stream) keep(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.quit = cancel
	select {
	case <-s.began:
	case <-ctx.Done():
		return
	}
	if s.keeper != nil {
		s.keeper.Run(ctx)
	}
}

// opening answers the first message, if the reading of it can be broken off,
// and starts no goroutine for that. The client waits for this answer, and the
// thread for a goroutine takes as long as a third of what else there is to do.
func (s *stream) opening(ctx context.Context, lines *jsonline.Reader) error {
	d, ok := s.cfg.Stdin.(interface{ SetReadDeadline(time.Time) error })
	if !ok || d.SetReadDeadline(time.Time{}) != nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { _ = d.SetReadDeadline(time.Now()) })()
	s.out.Hold()
	return s.readLine(ctx, lines)
}

// readClient reads lines until there are no more.
func (s *stream) readClient(ctx context.Context, lines *jsonline.Reader) error {
	for {
		if err := s.readLine(ctx, lines); err != nil {
			return err
		}
	}
}

func (s *stream) readLine(ctx context.Context, lines *jsonline.Reader) error {
	s.out.Wait(outWaiting)
	line, err := lines.Next()
	if err != nil {
		return err
	}
	s.fromClient(ctx, line)
	s.begin()
	if !lines.Buffered() {
		s.flush()
	}
	return nil
}

// finish waits until everything is answered and sent, for a while.
func (s *stream) finish(ctx context.Context) {
	s.flush()
	tick := time.NewTicker(finishLook)
	defer tick.Stop()
	late := time.NewTimer(finishTime)
	defer late.Stop()
	for s.busy() {
		select {
		case <-ctx.Done():
			return
		case <-s.out.Broke():
			return
		case <-late.C:
			s.failAll(s.unanswered())
			return
		case <-tick.C:
		}
	}
}

// end waits for all goroutines, for a while.
func (s *stream) end(joined *sync.WaitGroup) {
	deadline := time.Now().Add(endTime)
	s.stop()
	if s.signin != nil {
		joined.Go(s.signin.Close)
	}
	joined.Go(s.files.Close)
	if d, ok := s.cfg.Stdin.(interface{ SetReadDeadline(time.Time) error }); ok {
		_ = d.SetReadDeadline(time.Now())
	}
	for !s.out.Idle() && time.Now().Before(deadline) {
		time.Sleep(finishLook)
	}
	if !s.out.Close(max(time.Until(deadline), finishLook)) {
		s.cfg.Log.Warn("the client does not take its output; what it did not take is lost")
	}
	done := make(chan struct{})
	go func() { joined.Wait(); close(done) }() // ends with the goroutines it waits for
	late := time.NewTimer(max(time.Until(deadline), finishLook))
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		s.cfg.Log.Warn("ended while something was still under way")
	}
}

// stop ends timers and tells the vault, if there is a link, that this was all.
func (s *stream) stop() {
	s.mu.Lock()
	s.stopped = true
	l := s.link
	if s.sweeping != nil {
		s.sweeping.Stop()
	}
	s.mu.Unlock()
	if l != nil {
		l.Close()
	}
}
