package transfer

import (
	"context"
	"errors"
	"io"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Target is a file that is written on the shim's computer. One goroutine may
// use it.
type Target struct {
	desk    *Desk
	ctx     context.Context //nolint:containedctx // of the one call that writes the file
	handle  uint64
	written int64

	frame   []byte        // with the bytes that are collected; nil for none
	head    int           // where they begin
	id      uint64        // of the request that the frame becomes
	turn    chan struct{} // full while a frame is sent: the next bytes are read meanwhile
	waiting []*request    // in their order
	free    [][]byte
	failed  error
	over    bool
}

// Create begins a file in a folder that the arguments of call name. size is
// how long it will be, 0 if that is not known. ctx bounds all that is done with
// it.
func (d *Desk) Create(ctx context.Context, call string, file wire.FileOpen) (*Target, error) {
	t := &Target{desk: d, ctx: ctx, handle: d.number(), turn: make(chan struct{}, 1)}
	file.ID, file.Handle, file.Call, file.Mode = d.number(), t.handle, call, wire.FileWrite
	if _, err := d.begin(ctx, file); err != nil {
		return nil, err
	}
	return t, nil
}

// Write implements io.Writer. It returns before the bytes have arrived, as
// long as there are not too many on their way.
func (t *Target) Write(p []byte) (int, error) {
	n := 0
	for len(p) > 0 {
		room, err := t.room()
		if err != nil {
			return n, err
		}
		some := copy(room, p)
		p, n = p[some:], n+some
		if err := t.took(some); err != nil {
			return n, err
		}
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom: what is read goes where it is sent from.
func (t *Target) ReadFrom(r io.Reader) (int64, error) {
	var all int64
	for {
		room, err := t.room()
		if err != nil {
			return all, err
		}
		n, err := r.Read(room)
		all += int64(n)
		if failed := t.took(n); failed != nil {
			return all, failed
		}
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

// room returns where the next bytes go.
func (t *Target) room() ([]byte, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if t.frame == nil {
		if err := t.settle(wire.FileWindow - 1); err != nil {
			return nil, err
		}
		if n := len(t.free); n > 0 {
			t.frame, t.free = t.free[n-1][:0], t.free[:n-1]
		} else {
			t.frame = make([]byte, 0, wire.ChunkRoom)
		}
		t.id = t.desk.number()
		t.frame = wire.EncodeChunk(t.frame, wire.KindFileWrite, wire.Chunk{ID: t.id, Handle: t.handle, Offset: t.written}, nil)
		t.head = len(t.frame)
	}
	return t.frame[len(t.frame) : t.head+wire.FileChunk], nil
}

// took counts n bytes in the room, and sends them if they are enough.
func (t *Target) took(n int) error {
	t.frame = t.frame[:len(t.frame)+n]
	t.written += int64(n)
	if len(t.frame)-t.head < wire.FileChunk {
		return nil
	}
	return t.flush()
}

func (t *Target) flush() error {
	if t.frame == nil || len(t.frame) == t.head {
		return t.failed
	}
	r := &request{id: t.id, frame: t.frame}
	t.frame = nil
	t.waiting = append(t.waiting, r)
	t.desk.aside(r, t.turn)
	return nil
}

// settle waits until no more than most requests have no answer.
func (t *Target) settle(most int) error {
	for len(t.waiting) > most {
		r := t.waiting[0]
		t.waiting = t.waiting[1:]
		if err := t.desk.wait(t.ctx, r); err != nil {
			t.failed = err
			return err
		}
		r.settled()
		t.free = append(t.free, r.frame)
	}
	return nil
}

// Keep waits until all of the file is on its disk and has its name there. It
// returns where.
func (t *Target) Keep() (string, error) {
	if t.failed != nil {
		return "", t.failed
	}
	if err := t.flush(); err != nil {
		return "", err
	}
	if err := t.settle(0); err != nil {
		return "", err
	}
	answer, err := t.desk.closing(t.ctx, t.handle)
	if err != nil {
		t.failed = err
		return "", err
	}
	t.leave()
	return plaintext.Line(answer.Path, wire.MaxPath), nil
}

// Drop leaves nothing of a file that was not kept.
func (t *Target) Drop() {
	if !t.over {
		t.desk.forget(t.waiting)
		t.frame, t.waiting, t.free = nil, nil, nil
		t.desk.end(t.handle)
		t.leave()
	}
}

func (t *Target) leave() {
	if !t.over {
		t.over = true
		t.desk.leave()
	}
}
