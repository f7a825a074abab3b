package shim

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
	"github.com/coatcheck-mcp/coatcheck/shim/link"
	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
	"github.com/coatcheck-mcp/coatcheck/shim/roots"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

const roomTime = 10 * time.Second // to wait for the vault to take messages

// call is a request that the vault has not answered.
type call struct {
	id       string // JSON text, in its one form
	seq      uint64
	kind     kind
	message  *outbox.Message
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
	out    *jsonline.Writer
	book   *greeting.Book
	began  chan struct{}  // closed after the first line from the client
	signin *signin.SignIn // nil if there is a problem
	keeper *link.Keeper   // likewise
	files  *files.Desk
	roots  roots.Questions
	quit   context.CancelFunc // ends the keeper; set before it begins

	scan jsonline.Scanner // of the goroutine that reads from the vault

	mu        sync.Mutex // guards what follows
	stopped   bool
	link      *link.Link     // nil while there is none
	downSince time.Time      // since when no link has held
	why       *usererr.Error // why there is none
	dead      *usererr.Error // why there never will be one
	version   string         // of the vault that was last linked

	box      *outbox.Box
	flushing bool
	frames   [][]byte // of the one that flushes

	open     map[string]*call // by id
	seq      uint64
	setup    setup
	sweeping *time.Timer // fails calls that wait in vain; nil until needed
	told     told
	missed   greeting.Lists // that could not be had
	listed   bool           // the client has asked for resources, of which a guest has none
	waiting  string         // id of the call that waits for a sign-in at the vault, if it may be made again
}

// waitRoom waits until n more bytes may be kept. It gives up after a while, so
// that a message which takes another one back is not kept out for ever.
func (s *stream) waitRoom(ctx context.Context, n int) bool {
	var late <-chan time.Time
	for {
		s.mu.Lock()
		fits := s.box.Fits(n)
		s.mu.Unlock()
		if fits {
			return true
		}
		if late == nil {
			s.flush() // what was read together with this message
			timer := time.NewTimer(roomTime)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-s.box.Freed():
		case <-late:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// closeLocked ends a call: it is answered, or nobody waits for it.
func (s *stream) closeLocked(c *call) {
	delete(s.open, c.id)
	s.box.Withdraw(c.message)
	s.box.Release(c.message)
	s.files.End(c.id)
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
		if l == nil || !l.Open() {
			return
		}
		if s.frames = s.box.Take(s.frames[:0], l.Calls()); len(s.frames) == 0 {
			return
		}
		s.mu.Unlock()
		l.Send(s.frames)
		clear(s.frames)
		s.mu.Lock()
	}
}

// replayLocked lists what a vault that knows nothing must be told, among what
// was sent before. Calls that nobody waits for end here.
func (s *stream) replayLocked() []*outbox.Message {
	var replay []*outbox.Message
	for _, m := range s.setup.messages() {
		if m.Sent {
			replay = append(replay, m)
		}
	}
	calls := make([]*call, 0, len(s.open))
	for _, c := range s.open {
		switch {
		case !c.message.Sent || slices.Contains(replay, c.message):
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
	if s.linkedLocked() && !s.box.Empty() {
		return true
	}
	return s.anyWaitedForLocked() || !s.out.Idle()
}

// anyWaitedForLocked reports whether the client waits for some answer.
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
