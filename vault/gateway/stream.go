package gateway

import (
	"crypto/rand"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// stream is one MCP conversation. Lock order: write, then mu; mu is never held
// across I/O.
type stream struct {
	g      *Gateway
	device identity.DeviceID
	id     identity.StreamID
	epoch  string // prefix of the ids of our requests, new with each stream

	write sync.Mutex // held while frames are sent, so that tail and wire have one order

	mu      sync.Mutex // guards what follows
	arrived sync.Cond  // on mu: link or closed changed
	link    *link      // nil while there is none
	lost    time.Time  // since when there is none
	closed  bool       // for good: nothing is sent any more

	session session.Session // the zero value for a guest
	used    bool            // since the session was last touched
	touched time.Time
	login   *login // calls that wait for a sign-in; nil if none

	received uint64 // text frames from the shim
	acked    uint64 // … that it knows we have
	unacked  int    // bytes of the others
	owing    bool   // on the list of those that get an acknowledgement soon
	acking   bool   // one is on its way
	replay   int    // how many of the next frames were sent before

	sent   uint64   // text frames to the shim
	tail   [][]byte // … that it has not acknowledged
	queued int      // bytes in tail and on their way into it

	calls     map[string]call // under way, by id
	callBytes int             // of their requests
}

// call is a request without an answer.
type call struct {
	bytes  int
	parked bool // waits for something that may take for ever; a drain does not wait for it
}

func newStream(g *Gateway, device identity.DeviceID, id identity.StreamID) *stream {
	s := &stream{g: g, device: device, id: id, epoch: "v" + rand.Text()[:10], lost: time.Now()}
	s.arrived.L = &s.mu
	return s
}

// open makes a new stream, unless there is one of that name or too many.
func (g *Gateway) open(device identity.DeviceID, id identity.StreamID) (*stream, *wire.Bye) {
	g.evict(device)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case !g.running || g.draining || g.server == nil:
		return nil, &wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 1000}
	case g.findLocked(device, id) != nil:
		return nil, &wire.Bye{Reason: wire.ByeLimit, Message: "two connections for one stream at once", RetryAfterMillis: 1000}
	case len(g.devices[device]) >= g.cfg.MaxPerDevice:
		return nil, &wire.Bye{Reason: wire.ByeLimit, RetryAfterMillis: 10_000,
			Message: fmt.Sprintf("this device has %d conversations open, which is the limit; close some clients", g.cfg.MaxPerDevice)}
	case g.count >= g.cfg.MaxStreams:
		return nil, &wire.Bye{Reason: wire.ByeLimit, Message: "the vault has as many conversations as it can hold", RetryAfterMillis: 10_000}
	}
	s := newStream(g, device, id)
	g.devices[device] = append(g.devices[device], s)
	g.count++
	g.tasks.Add(1) // until the SDK has closed its end
	return s, nil
}

// evict makes room for a stream of a device that is at its limit, at the
// expense of the stream that was without a link for longest.
func (g *Gateway) evict(device identity.DeviceID) {
	streams := g.of(device)
	if len(streams) < g.cfg.MaxPerDevice {
		return
	}
	var oldest *stream
	var since time.Time
	for _, s := range streams {
		s.mu.Lock()
		if s.link == nil && (oldest == nil || s.lost.Before(since)) {
			oldest, since = s, s.lost
		}
		s.mu.Unlock()
	}
	if oldest != nil {
		oldest.drop(wsconn.CodeNormal, nil)
	}
}

// connect hands a new stream to the SDK.
func (s *stream) connect() error {
	s.g.mu.Lock()
	life, server := s.g.life, s.g.server
	s.g.mu.Unlock()
	_, err := server.Connect(life, transport{s}, nil)
	return err
}

// begin sends the first answer of a new stream and puts the link on it.
func (s *stream) begin(l *link, who session.Session) {
	s.mu.Lock()
	s.session, s.touched = who, time.Now()
	s.mu.Unlock()
	s.write.Lock()
	defer s.write.Unlock()
	if s.say(l, wire.Resume{Version: s.g.cfg.Version, SignedIn: who.ID != ""}) {
		s.put(l)
	}
}

// resume puts a new link on a stream that lives. It returns false where the
// counts do not fit or the session is no longer the one whose answers wait;
// then the stream must start anew.
func (s *stream) resume(l *link, received uint64, who session.Session) bool {
	s.detach(nil)
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	// Nothing received means that the shim may never have learned of this
	// stream; there is nothing to lose either.
	fits := !s.closed && s.received > 0 && received <= s.sent && received >= s.sent-uint64(len(s.tail)) &&
		(s.session.ID == "" || sameParty(s.session, who))
	if !fits {
		s.mu.Unlock()
		return false
	}
	s.trimLocked(received)
	done := s.adoptLocked(who)
	s.acked, s.unacked = s.received, 0
	answer := wire.Resume{Resumed: true, Received: s.received, Version: s.g.cfg.Version, SignedIn: who.ID != ""}
	tail, waits := slices.Clone(s.tail), s.login != nil
	s.mu.Unlock()
	done.end(nil)
	if !s.say(l, answer) {
		return true
	}
	s.put(l)
	if waits {
		_ = l.conn.WriteBinary(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: string(who.Tenant)}))
	}
	if len(tail) > 0 {
		if err := l.conn.WriteTexts(tail); err != nil {
			s.lose(l, err)
		}
	}
	return true
}

// say sends the answer to hello; write is held.
func (s *stream) say(l *link, answer wire.Resume) bool {
	if err := l.conn.WriteBinary(wire.Encode(wire.KindResume, answer)); err != nil {
		_ = l.conn.Close(wsconn.CodeNormal, "")
		return false
	}
	return true
}

// put makes l the link of the stream.
func (s *stream) put(l *link) {
	now := time.Now()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		l.end(wsconn.CodeNormal, nil)
		return
	}
	l.proved = now
	l.pinged = now.Add(-mrand.N(wire.PingEvery)) // so that not all are pinged at once
	s.link = l
	s.arrived.Broadcast()
	s.mu.Unlock()
}

// detach takes the link off, if it is only (any, for nil), and closes it. The
// stream goes on without.
func (s *stream) detach(only *link) bool {
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
func (s *stream) lose(l *link, err error) {
	if s.detach(l) {
		s.g.cfg.Log.Debug("link lost", "device", s.device, "stream", s.id, "err", err)
	}
	_ = l.conn.Close(wsconn.CodeNormal, "")
}

// drop ends the stream for good. Calls under way are cancelled and nothing
// more is sent but bye.
func (s *stream) drop(code int, bye *wire.Bye) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	l, waits := s.link, s.login
	s.link, s.login = nil, nil
	s.g.buffered.Add(-int64(s.queued))
	s.tail, s.queued = nil, 0
	s.arrived.Broadcast()
	s.mu.Unlock()
	waits.end(errGone())
	s.g.forget(s)
	if l != nil {
		s.g.spawn(func() { l.end(code, bye) })
	}
}

// next waits for a link; nil means that the stream has ended.
func (s *stream) next() *link {
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

func (s *stream) linked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.link != nil
}

// sendText sends one MCP message, now or when there is a link again. Its error
// is io.ErrClosedPipe once the stream has ended.
func (s *stream) sendText(data []byte) error {
	if !s.reserve(len(data)) {
		s.g.cfg.Log.Warn("stream over its limit of unacknowledged bytes", "device", s.device, "stream", s.id)
		s.drop(wsconn.CodePolicy, s.g.bye(wire.ByeLimit, "too many answers were not fetched"))
		return io.ErrClosedPipe
	}
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return io.ErrClosedPipe
	}
	s.sent++
	s.tail = append(s.tail, data)
	l := s.link
	s.mu.Unlock()
	if l != nil {
		if err := l.conn.WriteText(data); err != nil {
			s.lose(l, err)
		}
	}
	return nil
}

// reserve counts bytes that wait for the shim, before they queue for the link.
func (s *stream) reserve(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true // sendText says so
	}
	if s.queued+n > wire.MaxUnacked || s.g.buffered.Load()+int64(n) > s.g.cfg.MaxBuffered {
		return false
	}
	s.queued += n
	s.g.buffered.Add(int64(n))
	return true
}

// trimLocked forgets frames that the shim has.
func (s *stream) trimLocked(received uint64) {
	n := len(s.tail) - int(s.sent-received) //nolint:gosec // checked by the callers: within tail
	freed := 0
	for _, data := range s.tail[:n] {
		freed += len(data)
	}
	s.queued -= freed
	s.g.buffered.Add(-int64(freed))
	clear(s.tail[:n])
	if s.tail = s.tail[n:]; len(s.tail) == 0 {
		s.tail = nil
	}
}

// sendBinary sends a frame of ours if there is a link; such frames are never
// sent again. It may wait for a slow peer.
func (s *stream) sendBinary(frame []byte) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.conn.WriteBinary(frame); err != nil {
		s.lose(l, err)
	}
}
