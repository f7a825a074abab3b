package shim

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

const (
	overhead    = 256              // bytes that a message costs besides its own
	roomTime    = 10 * time.Second // to wait for the vault to take messages
	batchFrames = 64
	batchBytes  = 256 << 10
)

// message is one message of the client.
type message struct {
	data []byte
	call *call // nil for what is no request
	sent bool  // given to some link, so the vault may have it
	uses int   // places that hold it; guarded by stream.mu
}

func (m *message) size() int { return len(m.data) + overhead }

// call is a request that the vault has not answered.
type call struct {
	id       string // JSON text, in its one form
	seq      uint64
	kind     kind
	message  *message
	arrived  time.Time
	patience time.Duration // without a link; 0 until it was asked for
	// answered says that the client has its answer: the vault's is not passed
	// on. told is what it was told, where that may change.
	answered  bool
	told      []byte
	cancelled bool // nobody waits for the answer
	batch     *batch
}

// stream is one conversation. Its methods may be called from several
// goroutines; those whose name ends in Locked want mu to be held. mu is never
// held while something waits for the vault or the client.
type stream struct {
	cfg    Config
	name   string
	out    *jsonline.Writer
	book   *greeting.Book
	dialer *dial.Dialer   // nil if there is a problem
	signin *signin.SignIn // likewise
	began  chan struct{}  // closed after the first line from the client
	kick   chan struct{}  // somebody waits for a link
	freed  chan struct{}  // there may be room again

	mu        sync.Mutex // guards what follows
	stopped   bool
	link      *link          // nil while there is none
	downSince time.Time      // since when no link has held
	why       *usererr.Error // why there is none
	dead      *usererr.Error // why there never will be one
	anew      bool           // the counts are no good: let the vault start anew
	version   string         // of the vault that was last linked

	queue    fifo // messages to be sent
	tail     fifo // … sent and not acknowledged
	again    int  // how many of the tail's last are to be sent again
	sent     uint64
	received uint64
	held     int // bytes of all messages that are kept
	flushing bool
	frames   [][]byte // of the one that flushes

	open     map[string]*call // by id
	seq      uint64
	setup    setup
	sweeping *time.Timer // fails calls that wait in vain; nil until needed
	told     told
}

// fifo is a queue of messages that keeps its memory.
type fifo struct {
	items []*message
	head  int
}

func (f *fifo) len() int          { return len(f.items) - f.head }
func (f *fifo) at(i int) *message { return f.items[f.head+i] }
func (f *fifo) push(m *message) {
	if f.head > 0 && len(f.items) == cap(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, m)
}

func (f *fifo) pop() *message {
	m := f.items[f.head]
	f.items[f.head] = nil
	if f.head++; f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return m
}

// remove takes m out, wherever it is.
func (f *fifo) remove(m *message) bool {
	i := slices.Index(f.items[f.head:], m)
	if i < 0 {
		return false
	}
	f.items = slices.Delete(f.items, f.head+i, f.head+i+1)
	return true
}

// waitRoom waits until n more bytes may be kept. It gives up after a while, so
// that a message which takes another one back is not kept out for ever.
func (s *stream) waitRoom(ctx context.Context, n int) bool {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		fits := s.held+n+overhead <= wire.MaxUnacked
		s.mu.Unlock()
		if fits {
			return true
		}
		if late == nil {
			timer := time.NewTimer(roomTime)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-s.freed:
		case <-late:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *stream) useLocked(m *message) {
	if m.uses++; m.uses == 1 {
		s.held += m.size()
	}
}

func (s *stream) releaseLocked(m *message) {
	if m.uses--; m.uses > 0 {
		return
	}
	s.held -= m.size()
	select {
	case s.freed <- struct{}{}:
	default: // known already
	}
}

// enqueueLocked puts m where the next flush finds it.
func (s *stream) enqueueLocked(m *message) {
	s.useLocked(m)
	s.queue.push(m)
}

// closeLocked ends a call: it is answered, or nobody waits for it.
func (s *stream) closeLocked(c *call) {
	delete(s.open, c.id)
	if !c.message.sent && s.queue.remove(c.message) {
		s.releaseLocked(c.message)
	}
	s.releaseLocked(c.message)
}

// flush sends what is queued, as far as there is a link that takes it. One
// goroutine flushes at a time; the others leave their messages to it.
func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flushing {
		return
	}
	s.flushing = true
	defer func() { s.flushing = false }()
	for {
		l := s.link
		if l == nil || l.broken || !s.takeLocked(l) {
			return
		}
		s.mu.Unlock()
		err := l.conn.WriteTexts(s.frames)
		if err != nil {
			l.end(wsconn.CodeNormal) // its reader does the rest
		}
		s.mu.Lock()
		clear(s.frames)
		l.broken = l.broken || err != nil
	}
}

// takeLocked fills frames with what goes next: first what is sent again, then
// the queue, which moves to the tail.
func (s *stream) takeLocked(l *link) bool {
	s.frames = s.frames[:0]
	size := 0
	full := func() bool { return len(s.frames) >= batchFrames || size >= batchBytes }
	for ; s.again > 0 && !full(); s.again-- {
		data := s.tail.at(s.tail.len() - s.again).data
		s.frames = append(s.frames, data)
		size += len(data)
	}
	for i := 0; i < s.queue.len() && s.again == 0 && !full(); {
		m := s.queue.at(i)
		if l.draining && m.call != nil {
			i++ // for the next link
			continue
		}
		if i == 0 {
			s.queue.pop()
		} else {
			s.queue.remove(m)
		}
		m.sent = true
		s.sent++
		s.tail.push(m)
		s.frames = append(s.frames, m.data)
		size += len(m.data)
	}
	return len(s.frames) > 0
}

// acknowledgedLocked forgets frames that the vault has. It returns false for a
// count that cannot be.
func (s *stream) acknowledgedLocked(n uint64) bool {
	if n > s.sent-uint64(s.again) { //nolint:gosec // never negative
		return false
	}
	for s.sent-uint64(s.tail.len()) < n { //nolint:gosec // never negative
		s.releaseLocked(s.tail.pop())
	}
	return true
}

// helloLocked is the count to say hello with.
func (s *stream) helloLocked() uint64 {
	if s.anew {
		return math.MaxUint64 // fits no stream
	}
	return s.received
}

// resumeLocked prepares for a vault that knows the stream.
func (s *stream) resumeLocked(received uint64) bool {
	s.again = 0
	if received < s.sent-uint64(s.tail.len()) || !s.acknowledgedLocked(received) { //nolint:gosec // never negative
		return false
	}
	s.again = s.tail.len()
	return true
}

// restartLocked prepares for a vault that does not know the stream: what set
// the conversation up is sent again, then the calls without an answer. It
// returns how many frames that is.
func (s *stream) restartLocked() int {
	for s.tail.len() > 0 {
		s.releaseLocked(s.tail.pop())
	}
	for _, m := range s.replayLocked() {
		s.useLocked(m)
		s.tail.push(m)
	}
	s.again = s.tail.len()
	s.sent, s.received, s.anew = uint64(s.again), 0, false //nolint:gosec // never negative
	return s.again
}

// replayLocked lists what a vault that knows nothing must be told, among what
// was sent before. Calls that nobody waits for end here.
func (s *stream) replayLocked() []*message {
	var replay []*message
	for _, m := range s.setup.messages() {
		if m.sent {
			replay = append(replay, m)
		}
	}
	calls := make([]*call, 0, len(s.open))
	for _, c := range s.open {
		switch {
		case !c.message.sent || slices.Contains(replay, c.message):
		case c.cancelled || c.kind == kindLevel || c.kind == kindInitialize:
			s.closeLocked(c)
		default:
			calls = append(calls, c)
		}
	}
	slices.SortFunc(calls, func(a, b *call) int { return cmp.Compare(a.seq, b.seq) })
	for _, c := range calls {
		replay = append(replay, c.message)
	}
	return replay
}

// busy reports whether the client waits for an answer, or something waits to
// be sent or written.
func (s *stream) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.link; l != nil && !l.broken && (s.queue.len() > 0 && !l.draining || s.again > 0) {
		return true
	}
	return s.anyWaitedForLocked() || !s.out.Idle()
}

// waitedFor reports whether the client waits for some answer.
func (s *stream) waitedFor() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.anyWaitedForLocked()
}

func (s *stream) anyWaitedForLocked() bool {
	for _, c := range s.open {
		if s.waitedForLocked(c) && c.kind != kindListen {
			return true
		}
	}
	return false
}

// waitedForLocked reports whether the client waits for the answer to c, or for
// the confirmation of a subscription.
func (s *stream) waitedForLocked(c *call) bool { return !c.answered && !c.cancelled }
