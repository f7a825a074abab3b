// Package gateway is where shims arrive. It upgrades their connections, knows
// who is on the other end, keeps their streams alive over lost links, carries
// MCP between them and the one shared [mcp.Server], and cuts them off when a
// session ends. It knows nothing of Confluence, grants or policy.
//
// What one stream is, is the business of the package stream below; what its
// messages are, of the package message. Here are all of them together: who may
// come in, and the few loops of [Gateway.Run] that see to pings, deadlines,
// acknowledgements and revocations.
//
// What cannot be known is refused: without a session a caller is a guest, and
// while the store cannot be asked for revocations no call is answered.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/crew"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/epoch"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/ratelimit"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Defaults of [Config].
const (
	DefaultLinger       = 2 * time.Minute
	DefaultDrainTimeout = 20 * time.Second
	DefaultSignInWait   = 45 * time.Second
	DefaultMaxStreams   = 50_000
	DefaultMaxPerDevice = 32
	DefaultMaxBuffered  = 1 << 30
	DefaultGuestBytes   = 64 << 20
	DefaultConnectRate  = 200
)

const (
	// guestShare is what one stream of a guest may keep: a few lists of tools.
	guestShare = 1 << 20
	// guestMessage is what one message of a guest may have: enough for a call
	// that waits for the sign-in, little for one that never ends.
	guestMessage = 64 << 10
)

// How often things are looked at, and how long the store may be silent.
const (
	epochEvery   = 300 * time.Millisecond // revocations
	epochFresh   = 5 * time.Millisecond   // how old the epoch may be that a call is judged by
	blindAfter   = 5 * time.Second        // without an answer about revocations
	storeTimeout = 2 * time.Second        // one question to the store
	sweepEvery   = time.Second            // pings, deadlines, expiry
	touchEvery   = 5 * time.Minute        // a session's last use
	askAtOnce    = 500                    // devices in one question about all
	maxResting   = 64                     // goroutines that wait for something to do
	maxLosing    = 64                     // shims whose loss is being told
)

// Sessions says who is on the other end. A *session.Keeper is one.
type Sessions interface {
	// Current returns the live session of device, or session.ErrNone.
	Current(ctx context.Context, device identity.DeviceID) (session.Session, error)
	// Touch notes that the session was used.
	Touch(ctx context.Context, s session.Session) error
	// Epoch is a number that changes with each revocation.
	Epoch(ctx context.Context) (int64, error)
}

// Many is for [Sessions] that can answer for many devices at once.
type Many interface {
	// CurrentAll returns the live sessions of those devices that have one. It
	// is asked for some hundreds at a time.
	CurrentAll(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]session.Session, error)
}

// Config is what a gateway needs. Fields with a default may be zero.
type Config struct {
	// Server answers what the shims carry. It may be set later, before the
	// first shim arrives, with [Gateway.Serve].
	Server    *mcp.Server
	Sessions  Sessions
	Verifier  *dpop.Verifier
	Nonces    *dpop.Nonces
	PublicURL string // the origin that shims and browsers know the vault by
	Version   string // of the vault, told to shims; optional
	Log       *slog.Logger
	// Moved, if not nil, is called when something was revoked anywhere, before
	// the streams are checked. It must not block.
	Moved func()
	// Moves, if not nil, calls moved when another replica says that something was
	// revoked, until ctx ends. What it does not hear is found a little later.
	Moves func(ctx context.Context, moved func())
	// LoginEnded, if not nil, tells of the last login of a device that ended
	// without a session, at whichever replica; false if the last one did not.
	LoginEnded func(ctx context.Context, device identity.DeviceID) (identity.LoginID, wire.LoginDone, bool)
	// Address finds the network address of a client; the peer's by default.
	Address func(*http.Request) netip.Addr
	// Refused, if not nil, hears of proofs that were no good and that somebody
	// made who has, or had, the key of a device. It must not block.
	Refused func(device identity.DeviceID, address string)
	// Lost, if not nil, hears of a shim whose connection broke or that closed
	// it, and when, if it was a guest or calls of it waited for a sign-in; but
	// not of all where many go at once. Its errors are logged.
	Lost func(ctx context.Context, device identity.DeviceID, id identity.StreamID, since time.Time) error

	Linger       time.Duration // life of a stream without a link; default 2 min
	DrainTimeout time.Duration // for calls under way in Drain; default 20 s
	SignInWait   time.Duration // of one call for a sign-in; default 45 s
	MaxStreams   int           // at most half of them of guests; default 50,000
	MaxPerDevice int           // streams of one device; default 32
	MaxBuffered  int64         // unacknowledged bytes of all who are signed in; default 1 GiB
	GuestBytes   int64         // the same of guests, with their requests under way; default 64 MiB, at most 1 MiB each
	ConnectRate  int           // connections a second from one address, bursts of ten times as many; default 200; loopback is not limited
}

func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	fill(&c.Linger, DefaultLinger)
	fill(&c.DrainTimeout, DefaultDrainTimeout)
	fill(&c.SignInWait, DefaultSignInWait)
	for _, n := range []struct {
		at    *int
		value int
	}{{&c.MaxStreams, DefaultMaxStreams}, {&c.MaxPerDevice, DefaultMaxPerDevice}, {&c.ConnectRate, DefaultConnectRate}} {
		if *n.at <= 0 {
			*n.at = n.value
		}
	}
	if c.Address == nil {
		c.Address = peer
	}
	if c.Refused == nil {
		c.Refused = func(identity.DeviceID, string) {}
	}
	if c.MaxBuffered <= 0 {
		c.MaxBuffered = DefaultMaxBuffered
	}
	if c.GuestBytes <= 0 {
		c.GuestBytes = DefaultGuestBytes
	}
	return c
}

// Gateway holds the streams of this process. Its methods may be called from
// many goroutines.
type Gateway struct {
	cfg       Config
	streams   *stream.Config // shared by all streams
	addresses *ratelimit.Limit
	start     time.Time
	epoch     atomic.Int64 // the latest that was seen
	epochs    *epoch.Teller
	known     atomic.Int64 // when the epoch was last known, as time since start
	waiting   *tally       // connections of sessions that have not said hello
	strangers *tally       // … of guests
	guests    *crowd
	losing    atomic.Int32 // shims whose loss is being told

	mu       sync.Mutex
	server   *mcp.Server                            // guarded by mu
	life     context.Context                        // guarded by mu; what handlers of calls live in: Run's context
	running  bool                                   // guarded by mu; false before and after Run
	crew     *crew.Crew                             // guarded by mu; of Run
	draining bool                                   // guarded by mu
	devices  map[identity.DeviceID][]*stream.Stream // guarded by mu
	count    int                                    // guarded by mu; streams in devices
	tasks    sync.WaitGroup                         // streams and short tasks; Add only with mu held and running set

	dueMu sync.Mutex
	due   []*stream.Stream // guarded by dueMu; streams that owe an acknowledgement
}

// New returns a gateway. It accepts shims while [Gateway.Run] runs.
func New(cfg Config) *Gateway {
	cfg = cfg.withDefaults()
	g := &Gateway{
		cfg:       cfg,
		addresses: ratelimit.New(float64(cfg.ConnectRate), 10*cfg.ConnectRate),
		start:     time.Now(),
		waiting:   newTally(maxWaitingEach, maxWaiting),
		strangers: newTally(maxWaitingEach, maxGuestWaiting),
		guests:    newCrowd((cfg.MaxStreams + 1) / 2),
		epochs: epoch.New(func(ctx context.Context) (int64, error) {
			ctx, cancel := context.WithTimeout(ctx, storeTimeout)
			defer cancel()
			return cfg.Sessions.Epoch(ctx)
		}, epochFresh),
		devices: map[identity.DeviceID][]*stream.Stream{},
	}
	g.streams = &stream.Config{
		Host: host{g}, Verifier: cfg.Verifier, Nonces: cfg.Nonces, URL: strings.TrimSuffix(cfg.PublicURL, "/") + wire.ConnectPath,
		Version: cfg.Version, Linger: cfg.Linger, Log: cfg.Log, Refused: cfg.Refused, Lost: g.lost,
		Room:   &stream.Room{Limit: cfg.MaxBuffered, Share: wire.MaxUnacked},
		Guests: &stream.Room{Limit: cfg.GuestBytes, Share: guestShare, Message: guestMessage},
	}
	if cfg.Server != nil {
		g.Serve(cfg.Server)
	}
	return g
}

// Serve sets the server that answers, for assemblies in which the server needs
// the gateway first. It must be called once, before the first shim arrives.
func (g *Gateway) Serve(server *mcp.Server) {
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		g.streams.Answer = g.receive(next)
		return g.hold(g.streams.Answer)
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.server = server
}

// Alive reports whether the shim of a stream is connected here.
func (g *Gateway) Alive(device identity.DeviceID, id identity.StreamID) bool {
	s := g.find(device, id)
	if s == nil {
		return false
	}
	linked, _ := s.Linked()
	return linked
}

// lost tells of a shim that has gone, perhaps for good.
func (g *Gateway) lost(device identity.DeviceID, id identity.StreamID, since time.Time) {
	if g.cfg.Lost == nil {
		return
	}
	if g.losing.Add(1) > maxLosing { // a network went away, or somebody plays
		g.losing.Add(-1)
		return
	}
	g.spawn(func() {
		defer g.losing.Add(-1)
		ctx, cancel := g.storeContext()
		defer cancel()
		if err := g.cfg.Lost(ctx, device, id, since); err != nil {
			g.cfg.Log.Warn("noting that a shim has gone", "device", device, "err", err)
		}
	})
}

// Streams counts the streams, those without a link included.
func (g *Gateway) Streams() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}

// begin counts a task that the caller ends with g.tasks.Done, and returns who
// may run it; nil while nothing may begin.
func (g *Gateway) begin() *crew.Crew {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.running {
		return nil
	}
	g.tasks.Add(1)
	return g.crew
}

// spawn runs a short task that Run waits for; the task must end by itself.
// Outside of Run there is nobody to wait, so the caller does.
func (g *Gateway) spawn(task func()) {
	all := g.begin()
	if all == nil {
		task()
		return
	}
	all.Go(func() {
		defer g.tasks.Done()
		task()
	})
}

func (g *Gateway) find(device identity.DeviceID, id identity.StreamID) *stream.Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.findLocked(device, id)
}

func (g *Gateway) findLocked(device identity.DeviceID, id identity.StreamID) *stream.Stream {
	for _, s := range g.devices[device] {
		if s.ID() == id {
			return s
		}
	}
	return nil
}

// all appends the streams to into.
func (g *Gateway) all(into []*stream.Stream) []*stream.Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, streams := range g.devices {
		into = append(into, streams...)
	}
	return into
}

func (g *Gateway) of(device identity.DeviceID) []*stream.Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.devices[device])
}

// forget takes s out, after which its name is free.
func (g *Gateway) forget(s *stream.Stream) {
	g.guests.leave(s)
	g.mu.Lock()
	defer g.mu.Unlock()
	streams := g.devices[s.Device()]
	i := slices.Index(streams, s)
	if i < 0 {
		return
	}
	g.count--
	if len(streams) == 1 {
		delete(g.devices, s.Device())
		return
	}
	g.devices[s.Device()] = slices.Delete(streams, i, i+1)
}

// blind reports that revocations cannot be known.
func (g *Gateway) blind() bool {
	return time.Since(g.start)-time.Duration(g.known.Load()) > blindAfter
}

// host is what the gateway is to its streams.
type host struct{ g *Gateway }

func (h host) Spawn(task func())         { h.g.spawn(task) }
func (h host) SignedIn(s *stream.Stream) { h.g.guests.leave(s) }
func (h host) Left(s *stream.Stream)     { h.g.forget(s) }
func (h host) Ended()                    { h.g.tasks.Done() }

func (h host) StoreContext() (context.Context, context.CancelFunc) { return h.g.storeContext() }

// Owe puts s on the list of those that get an acknowledgement soon.
func (h host) Owe(s *stream.Stream) {
	h.g.dueMu.Lock()
	defer h.g.dueMu.Unlock()
	h.g.due = append(h.g.due, s)
}
