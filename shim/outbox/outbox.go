// Package outbox keeps the messages that are on their way to the vault: first
// in a queue, then, from being sent to being acknowledged, in a tail that a new
// link sends again. It counts the bytes of all that is kept and knows nothing
// of what the messages say.
package outbox

import (
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	overhead    = 256 // bytes that a message costs besides its own
	batchFrames = 64
	batchBytes  = 256 << 10
)

// Message is one message. Its fields belong to the box's owner and lock.
type Message struct {
	Data []byte
	// Call says that it is a request, for which some links take no more.
	Call bool
	// Sent says that it was given to some link, so the vault may have it.
	Sent bool

	uses int // places that keep it
}

func (m *Message) size() int { return len(m.Data) + overhead }

// Box is an outbox. Its methods want the lock of its owner held; only Freed
// may be used at any time.
type Box struct {
	queue fifo   // to be sent
	tail  fifo   // sent and not acknowledged
	again int    // how many of the tail's last are to be sent again
	sent  uint64 // frames of the stream, with those of the tail
	held  int    // bytes of all messages that are kept
	freed chan struct{}
}

// New returns an empty box.
func New() *Box { return &Box{freed: make(chan struct{}, 1)} }

// Fits reports whether a message of n bytes may be kept too.
func (b *Box) Fits(n int) bool { return b.held+n+overhead <= wire.MaxUnacked }

// Freed tells that there may be room again.
func (b *Box) Freed() <-chan struct{} { return b.freed }

// Use keeps m in one more place, until Release.
func (b *Box) Use(m *Message) {
	if m.uses++; m.uses == 1 {
		b.held += m.size()
	}
}

// Release ends one use of m.
func (b *Box) Release(m *Message) {
	if m.uses--; m.uses > 0 {
		return
	}
	b.held -= m.size()
	select {
	case b.freed <- struct{}{}:
	default: // known already
	}
}

// Put queues m.
func (b *Box) Put(m *Message) {
	b.Use(m)
	b.queue.push(m)
}

// Withdraw takes m out of the queue, if it is still there.
func (b *Box) Withdraw(m *Message) {
	if !m.Sent && b.queue.remove(m) {
		b.Release(m)
	}
}

// Take appends to frames what goes next, as much as one batch holds: first
// what is sent again, then the queue, of which requests stay unless calls.
func (b *Box) Take(frames [][]byte, calls bool) [][]byte {
	size := 0
	full := func() bool { return len(frames) >= batchFrames || size >= batchBytes }
	for ; b.again > 0 && !full(); b.again-- {
		data := b.tail.at(b.tail.len() - b.again).Data
		frames = append(frames, data)
		size += len(data)
	}
	for i := 0; i < b.queue.len() && b.again == 0 && !full(); {
		m := b.queue.at(i)
		if m.Call && !calls {
			i++
			continue
		}
		if i == 0 {
			b.queue.pop()
		} else {
			b.queue.remove(m)
		}
		m.Sent = true
		b.sent++
		b.tail.push(m)
		frames = append(frames, m.Data)
		size += len(m.Data)
	}
	return frames
}

// Empty reports whether Take would have nothing to give.
func (b *Box) Empty() bool { return b.again == 0 && b.queue.len() == 0 }

// Acknowledged forgets the first n frames of the stream, which the vault has.
// It returns false for a count that cannot be.
func (b *Box) Acknowledged(n uint64) bool {
	if n > b.sent-uint64(b.again) { //nolint:gosec // never negative
		return false
	}
	for b.first() < n {
		b.Release(b.tail.pop())
	}
	return true
}

// first counts the frames before the tail.
func (b *Box) first() uint64 { return b.sent - uint64(b.tail.len()) } //nolint:gosec // never negative

// Resume prepares for a vault that has received so many frames of the stream.
// It returns false for a count that cannot be.
func (b *Box) Resume(received uint64) bool {
	b.again = 0
	if received < b.first() || !b.Acknowledged(received) {
		return false
	}
	b.again = b.tail.len()
	return true
}

// Restart prepares for a vault that knows nothing: the stream begins with
// replay, whatever was sent before.
func (b *Box) Restart(replay []*Message) {
	for b.tail.len() > 0 {
		b.Release(b.tail.pop())
	}
	for _, m := range replay {
		b.Use(m)
		b.tail.push(m)
	}
	b.again = len(replay)
	b.sent = uint64(len(replay))
}

// fifo is a queue of messages that keeps its memory.
type fifo struct {
	items []*Message
	head  int
}

func (f *fifo) len() int          { return len(f.items) - f.head }
func (f *fifo) at(i int) *Message { return f.items[f.head+i] }

func (f *fifo) push(m *Message) {
	if f.head > 0 && len(f.items) == cap(f.items) {
		n := copy(f.items, f.items[f.head:])
		clear(f.items[n:])
		f.items, f.head = f.items[:n], 0
	}
	f.items = append(f.items, m)
}

func (f *fifo) pop() *Message {
	m := f.items[f.head]
	f.items[f.head] = nil
	if f.head++; f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return m
}

// remove takes m out, wherever it is.
func (f *fifo) remove(m *Message) bool {
	i := slices.Index(f.items[f.head:], m)
	if i < 0 {
		return false
	}
	f.items = slices.Delete(f.items, f.head+i, f.head+i+1)
	return true
}
