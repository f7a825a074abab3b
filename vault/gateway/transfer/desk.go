// Package transfer moves files between the vault and the computer of a shim:
// it asks for pieces, a few at a time, over the link that the stream has, and
// asks again over the next one if that is lost. It keeps no more than the
// pieces that are on their way, and decides nothing: which files it gets is the
// shim's to say.
package transfer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Desk asks the shim of one stream. Its methods may be called from several
// goroutines.
type Desk struct {
	send func(frame []byte)

	mu     sync.Mutex
	next   uint64              // guarded by mu; number of the next request or handle
	waits  map[uint64]*request // guarded by mu; requests without an answer
	open   int                 // guarded by mu; files
	closed error               // guarded by mu; why nothing is asked any more
}

// New returns a desk. send sends a frame, or drops it where there is no link;
// then [Desk.Again] must be called when there is one.
func New(send func(frame []byte)) *Desk {
	// Numbers of another vault, which a shim may still answer, are no answers
	// to ours.
	return &Desk{send: send, next: rand.Uint64() >> 1, waits: map[uint64]*request{}}
}

// request is a question to the shim.
type request struct {
	id    uint64
	frame []byte
	into  []byte // where bytes of a file go; nil for other answers

	sending sync.Mutex // held while frame is sent aside, or again

	// Before done is closed, what follows is guarded by the desk's mu.
	n      int // bytes in into
	answer wire.FileAnswer
	failed error
	done   chan struct{}
}

// number returns one that the stream has not had.
func (d *Desk) number() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	return d.next
}

// ask sends a request; the answer is waited for with [Desk.wait].
func (d *Desk) ask(r *request) {
	if d.enter(r) {
		d.send(r.frame)
	}
}

// enter has an answer to r taken. It returns false for a desk that is closed,
// which is the answer.
func (d *Desk) enter(r *request) bool {
	r.done = make(chan struct{})
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.failed = d.closed; r.failed != nil {
		close(r.done)
		return false
	}
	d.waits[r.id] = r
	return true
}

// aside is ask in a goroutine of its own, which takes turn: those of one turn
// are sent in their order. It waits for the one before.
func (d *Desk) aside(r *request, turn chan struct{}) {
	r.sending.Lock()
	if !d.enter(r) {
		r.sending.Unlock()
		return
	}
	turn <- struct{}{}
	go func() { // ends when the frame is sent, or the link lost
		defer func() {
			r.sending.Unlock()
			<-turn
		}()
		d.send(r.frame)
	}()
}

// wait waits for the answer to r. After an error nobody writes into r any more.
func (d *Desk) wait(ctx context.Context, r *request) error {
	select {
	case <-r.done:
	case <-ctx.Done():
		d.mu.Lock()
		delete(d.waits, r.id)
		d.mu.Unlock()
		return context.Cause(ctx)
	}
	return r.failed
}

// settled waits until nobody sends r any more, so that its frame may be used
// for something else.
func (r *request) settled() {
	r.sending.Lock()
	defer r.sending.Unlock() // to wait is all that is wanted
}

// Frame takes a frame of the shim; the link is ended on an error. body is valid
// during the call.
func (d *Desk) Frame(kind wire.Kind, body []byte) error {
	if kind == wire.KindFileData {
		chunk, data, err := wire.DecodeChunk(body)
		if err != nil {
			return err
		}
		return d.answered(chunk.ID, func(r *request) error {
			if len(data) > len(r.into) {
				return fmt.Errorf("%w: more bytes than were asked for", wire.ErrFrame)
			}
			r.n = copy(r.into, data)
			return nil
		})
	}
	var answer wire.FileAnswer
	if err := wire.Decode(body, &answer); err != nil {
		return err
	}
	return d.answered(answer.ID, func(r *request) error {
		r.answer, r.failed = answer, said(answer)
		if r.failed == nil && r.into != nil {
			return fmt.Errorf("%w: an answer without bytes", wire.ErrFrame)
		}
		return nil
	})
}

// answered gives a request its answer. Answers that nobody waits for came twice.
func (d *Desk) answered(id uint64, take func(*request) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.waits[id]
	if r == nil {
		return nil
	}
	if err := take(r); err != nil {
		return err
	}
	delete(d.waits, id)
	close(r.done)
	return nil
}

// said is the error that an answer has; the text is from outside.
func said(a wire.FileAnswer) error {
	if a.Code == "" {
		return nil
	}
	return usererr.New(usererr.Code(plaintext.Line(a.Code, 40)), plaintext.Line(a.Message, 600), plaintext.Line(a.Hint, 600))
}

// Again asks again what has no answer, over a new link.
func (d *Desk) Again() {
	d.mu.Lock()
	all := slices.SortedFunc(maps.Values(d.waits), func(a, b *request) int { return cmp.Compare(a.id, b.id) })
	d.mu.Unlock()
	for _, r := range all {
		r.sending.Lock()
		d.mu.Lock()
		still := d.waits[r.id] == r
		d.mu.Unlock()
		if still {
			d.send(r.frame)
		}
		r.sending.Unlock()
	}
}

// Close fails all requests, now and from now on.
func (d *Desk) Close(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed != nil {
		return
	}
	d.closed = why
	for id, r := range d.waits {
		r.failed = why
		delete(d.waits, id)
		close(r.done)
	}
}

// begin opens a file, after which leave must be called once.
func (d *Desk) begin(ctx context.Context, open wire.FileOpen) (wire.FileAnswer, error) {
	d.mu.Lock()
	full := d.open >= wire.FilesOpen
	if !full {
		d.open++
	}
	d.mu.Unlock()
	if full {
		return wire.FileAnswer{}, usererr.New(usererr.RateLimited, "Too many files are on their way at once", "Wait until some of them are done")
	}
	r := &request{id: open.ID, frame: wire.Encode(wire.KindFileOpen, open)}
	if len(open.Path) > wire.MaxPath || len(r.frame) > wire.MaxControl { // which would end each link that it is sent over
		d.leave()
		return wire.FileAnswer{}, usererr.New(usererr.BadInput, "The path or name of the file is too long", "Use a shorter one")
	}
	d.ask(r)
	if err := d.wait(ctx, r); err != nil {
		d.end(open.Handle)
		d.leave()
		return wire.FileAnswer{}, err
	}
	return r.answer, nil
}

func (d *Desk) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open--
}

// forget gives requests up that nobody waits for any more: a shim that does not
// answer them must not keep their pieces in memory.
func (d *Desk) forget(all []*request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range all {
		delete(d.waits, r.id)
	}
}

// end tells the shim that a file is not wanted, and waits for no answer: when
// the frame is lost, the end of the call closes the file.
func (d *Desk) end(handle uint64) {
	d.send(wire.Encode(wire.KindFileClose, wire.FileClose{ID: d.number(), Handle: handle}))
}

// closing ends a file for good and waits for that.
func (d *Desk) closing(ctx context.Context, handle uint64) (wire.FileAnswer, error) {
	id := d.number()
	r := &request{id: id, frame: wire.Encode(wire.KindFileClose, wire.FileClose{ID: id, Handle: handle, Keep: true})}
	d.ask(r)
	if err := d.wait(ctx, r); err != nil {
		return wire.FileAnswer{}, err
	}
	return r.answer, nil
}
