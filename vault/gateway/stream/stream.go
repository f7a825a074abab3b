// Package stream is one MCP conversation, named by a device and a name that
// its shim made up. It outlives its link: both ends count text frames, keep
// what the other has not acknowledged, and send it again when the shim comes
// back. It belongs to one person, and ends when that person's session does.
//
// An idle stream costs one goroutine (the SDK's reader) and no buffers; what is
// due from time to time its gateway does for all of them. The methods of a
// Stream may be called from many goroutines.
package stream

import (
	"context"
	"errors"
	"log/slog"
	mrand "math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/transfer"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Host is what a stream needs of the gateway that it lives in.
type Host interface {
	// Spawn runs a short task that ends by itself; the gateway waits for it.
	Spawn(task func())
	// Owe sees to it that [Stream.Pay] is called soon.
	Owe(s *Stream)
	// SignedIn is called once, when the guest of s has signed in. It must not
	// call s, whose lock is held.
	SignedIn(s *Stream)
	// Left is called once, when s takes no more links: its name is free.
	Left(s *Stream)
	// Ended is called once, when nothing of a stream runs any more.
	Ended()
	// StoreContext bounds a question to the store that no caller waits for.
	StoreContext() (context.Context, context.CancelFunc)
}

// Config is shared by all streams of a gateway. All but Version is required.
type Config struct {
	Host     Host
	Verifier *dpop.Verifier
	Nonces   *dpop.Nonces
	URL      string        // under which shims connect; proofs name it
	Version  string        // of the vault, told to shims
	Linger   time.Duration // life of a stream without a link
	Room     *Room         // of those who are signed in
	Guests   *Room         // of the others
	Log      *slog.Logger
	// Refused hears of proofs on links that were no good. It must not block.
	Refused func(device identity.DeviceID, address string)
	// Lost hears of a link that broke or that its shim closed, and when, if the
	// shim was a guest or calls of it waited for a sign-in. It must not block.
	Lost func(device identity.DeviceID, id identity.StreamID, since time.Time)
	// Answer answers the calls of tools that need nothing else of the SDK;
	// optional. It is set before the first stream is there.
	Answer mcp.MethodHandler
}

// Stream is one conversation. Lock order: greet, then mu; mu is never held
// across I/O.
type Stream struct {
	cfg    *Config
	device identity.DeviceID
	id     identity.StreamID
	names  message.Names

	greet sync.Mutex // held while a link is put on

	mu      sync.Mutex // guards what follows
	arrived sync.Cond  // on mu: link or closed changed
	link    *Link      // nil while there is none
	lost    time.Time  // since when there is none
	closed  bool       // for good: nothing is sent any more

	session session.Session // the zero value for a guest
	epoch   int64           // of which session is known to be; see Standing
	used    bool            // since the session was last touched
	touched time.Time
	heard   time.Time // the last request or notification
	login   *Wait     // calls that wait for a sign-in; nil if none

	received uint64 // text frames from the shim
	acked    uint64 // … that it knows we have
	unacked  int    // bytes of the others
	owing    bool   // on the list of those that get an acknowledgement soon
	acking   bool   // one is on its way
	replay   int    // how many of the next frames were sent before

	sent    uint64   // text frames to the shim
	tail    [][]byte // … that it has not acknowledged
	queued  int      // bytes in tail and on their way into it
	sending bool     // somebody sends what is in tail
	room    *Room    // that counts the bytes of s
	held    int      // bytes that room counts

	known    atomic.Bool // no guest any more, so that nothing that arrives is counted
	arriving int         // bytes of a guest's message that is not complete; in held

	life    context.Context    // of what the SDK and the calls do; nil at first
	sdk     *mcp.ServerSession // the SDK's view of the stream; nil at first
	settled bool               // the conversation was set up: initialize succeeded
	files   *transfer.Desk     // nil until a call wants a file

	calls     map[string]call // under way, by id
	callBytes int             // of their requests
}

// call is a request without an answer.
type call struct {
	who    identity.Caller // as the stream knew it when the call came
	bytes  int
	held   *message.Held
	begins bool // sets the conversation up
	cancel func()
	parked bool // waits for something that may take for ever; a drain does not wait for it
}

// New returns a stream without a link and without the SDK.
func New(cfg *Config, device identity.DeviceID, id identity.StreamID) *Stream {
	s := &Stream{cfg: cfg, device: device, id: id, names: message.NewNames(), room: cfg.Guests}
	s.lost = time.Now()
	s.heard = s.lost
	s.arrived.L = &s.mu
	return s
}

// Device is whose stream it is.
func (s *Stream) Device() identity.DeviceID { return s.device }

// ID is the name that the shim made up.
func (s *Stream) ID() identity.StreamID { return s.id }

// Begin sends the first answer of a new stream and puts the link on it.
func (s *Stream) Begin(l *Link, who Standing) {
	s.mu.Lock()
	s.touched = time.Now()
	waits := s.adoptLocked(who)
	s.mu.Unlock()
	waits.end(nil)
	s.greet.Lock()
	defer s.greet.Unlock()
	if s.say(l, wire.Resume{Version: s.cfg.Version, SignedIn: who.ID != ""}) {
		s.put(l)
		s.flush()
	}
}

// Resume puts a new link on a stream that lives. It returns false where the
// counts do not fit or the session is no longer the one whose answers wait;
// then the stream must start anew.
func (s *Stream) Resume(l *Link, received uint64, who Standing) bool {
	s.detach(nil) // so that nobody is held up in a write while greet is waited for
	s.greet.Lock()
	defer s.greet.Unlock()
	// And the link of another one that came back at the same time: the tail is
	// cut to what this shim has, which may be more than went over that.
	s.detach(nil)
	s.mu.Lock()
	// Nothing received means that the shim may never have learned of this
	// stream; there is nothing to lose either.
	fits := !s.closed && s.received > 0 && received <= s.sent && received >= s.sent-uint64(len(s.tail)) &&
		(s.session.ID == "" || SameParty(who.Session, s.session))
	if !fits {
		s.mu.Unlock()
		return false
	}
	s.trimLocked(received)
	done := s.adoptLocked(who)
	s.acked, s.unacked = s.received, 0
	answer := wire.Resume{Resumed: true, Received: s.received, Version: s.cfg.Version, SignedIn: who.ID != ""}
	l.sent = received
	waits := s.login != nil
	s.mu.Unlock()
	done.end(nil)
	if !s.say(l, answer) {
		return true
	}
	s.put(l)
	if waits {
		_ = l.conn.WriteBinary(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: string(who.Tenant)}))
	}
	s.flush()
	return true
}

// say sends the answer to hello; write is held.
func (s *Stream) say(l *Link, answer wire.Resume) bool {
	if err := l.conn.WriteBinary(wire.Encode(wire.KindResume, answer)); err != nil {
		_ = l.conn.Close(wsconn.CodeNormal, "")
		return false
	}
	return true
}

// put makes l the link of the stream.
func (s *Stream) put(l *Link) {
	now := time.Now()
	l.conn.Meter(s.meter)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.End(wsconn.CodeNormal, nil)
		return
	}
	l.proved = now
	l.pinged = now.Add(-mrand.N(wire.PingEvery)) // so that not all are pinged at once
	s.link = l
	s.arrived.Broadcast()
	s.mu.Unlock()
	s.askAgain()
}

// detach takes the link off, if it is only (any, for nil), and closes it. The
// stream goes on without.
func (s *Stream) detach(only *Link) bool {
	s.mu.Lock()
	l := s.link
	if l == nil || only != nil && l != only {
		s.mu.Unlock()
		return false
	}
	s.link, s.lost = nil, time.Now()
	s.mu.Unlock()
	_ = l.conn.Close(wsconn.CodeNormal, "")
	return true
}

// lose is for a link that failed.
func (s *Stream) lose(l *Link, err error) {
	if s.detach(l) {
		s.cfg.Log.Debug("link lost", "device", s.device, "stream", s.id, "err", err)
		s.mu.Lock()
		signsIn := s.guestLocked() || s.login != nil
		s.mu.Unlock()
		since := time.Now()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			since = since.Add(-wire.SilenceLimit) // it may be somewhere else long since
		}
		if signsIn {
			s.cfg.Lost(s.device, s.id, since)
		}
	}
	_ = l.conn.Close(wsconn.CodeNormal, "")
}

// Drop ends the stream for good. Calls under way are cancelled and nothing
// more is sent but bye.
func (s *Stream) Drop(code int, bye *wire.Bye) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.giveLocked(s.held)
	s.closed = true
	l, waits, desk := s.link, s.login, s.files
	s.link, s.login = nil, nil
	s.tail, s.queued = nil, 0
	s.arrived.Broadcast()
	var under []func() // calls that the SDK knows nothing of
	for _, c := range s.calls {
		if c.cancel != nil {
			under = append(under, c.cancel)
		}
	}
	s.mu.Unlock()
	for _, cancel := range under {
		cancel()
	}
	waits.end(Gone())
	if desk != nil {
		desk.Close(Gone())
	}
	s.cfg.Host.Left(s)
	if l != nil {
		s.cfg.Host.Spawn(func() { l.End(code, bye) })
	}
}

// next waits for a link; nil means that the stream has ended.
func (s *Stream) next() *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.link == nil && !s.closed {
		s.arrived.Wait()
	}
	if s.closed {
		return nil
	}
	return s.link
}

// Linked reports whether the shim is connected, and if not, since when.
func (s *Stream) Linked() (yes bool, lost time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link != nil, s.lost
}
