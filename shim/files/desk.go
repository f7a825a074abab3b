// Package files reads and writes files of the person's computer for the calls
// that name them. The vault asks, one piece at a time; here is decided whether
// it may have what it asks for, whatever it says: only what stands in the
// arguments of a call of the client that still runs, inside folders that the
// client or the person's settings allow, and only plain files. Nothing that is
// there already is overwritten unless the call says so, and what is written
// appears under its name when all of it is there.
//
// Memory is bounded by the few pieces that are on their way. What has a bound
// on the wire has it here too: a vault that breaks it loses the link.
package files

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	maxDone  = 1024 // requests to close that are remembered for one stream
	maxAside = 1024 // answers that are sent aside and are not written yet
	maxAgain = 64   // requests to open one file while it is being opened
)

// ErrNonsense says that the vault asked for what no vault asks for.
var ErrNonsense = errors.New("the vault asked for files in a way that makes no sense")

// Config is what a [Desk] needs. All fields are required but Folders.
type Config struct {
	Rules Rules
	// Call returns the message of a call of the client that still runs.
	Call func(id string) (message []byte, ok bool)
	// Roots asks the client for the folders that it works in, as URIs. It is
	// asked for each file that is nowhere else, since they change. Nil is none.
	Roots func(ctx context.Context, call string) []string
	// Send sends a frame, or drops it where there is no link: the vault asks
	// again. It may wait.
	Send func(frame []byte)
	Log  *slog.Logger
}

// Rules are what the settings say of files.
type Rules struct {
	Off     bool     // no file at all
	Folders []string // where files may be, besides the client's own folders
	Only    bool     // … and not those
}

// Desk moves the files of one conversation. Its methods may be called from
// several goroutines, but Frame from one at a time.
type Desk struct {
	cfg    Config
	ctx    context.Context //nolint:containedctx // ends with Close
	cancel context.CancelFunc
	joined sync.WaitGroup
	chunks sync.Pool // of *[]byte with wire.ChunkRoom

	mu     sync.Mutex
	closed bool
	aside  int                // guarded by mu; see later
	open   map[uint64]*file   // guarded by mu; by handle
	done   map[uint64]*ending // guarded by mu; handles of calls that still run
}

// ending is how a file was opened and closed, for a vault that did not get the
// answers.
type ending struct {
	call           string
	opened, closed wire.FileAnswer
}

// New returns a desk without files. Close ends it; with ctx it only stops
// asking the client.
func New(ctx context.Context, cfg Config) *Desk {
	d := &Desk{cfg: cfg, open: map[uint64]*file{}, done: map[uint64]*ending{}}
	d.ctx, d.cancel = context.WithCancel(ctx)
	d.chunks.New = func() any { b := make([]byte, 0, wire.ChunkRoom); return &b }
	return d
}

// request is something to do with an open file.
type request struct {
	id     uint64
	offset int64
	length int     // of a read
	data   *[]byte // of a write; to be given back
	close  bool
	keep   bool
}

// Frame takes a request of the vault. body is valid during the call, which
// does not wait for the file. An error ends the link.
func (d *Desk) Frame(kind wire.Kind, body []byte) error {
	switch kind { //nolint:exhaustive // the others are not ours
	case wire.KindFileOpen:
		var open wire.FileOpen
		if err := wire.Decode(body, &open); err != nil {
			return err
		}
		return d.begin(open)
	case wire.KindFileRead:
		var read wire.FileRange
		if err := wire.Decode(body, &read); err != nil {
			return err
		}
		if read.Length <= 0 || read.Length > wire.FileChunk || read.Offset < 0 {
			return ErrNonsense
		}
		return d.queue(read.Handle, request{id: read.ID, offset: read.Offset, length: read.Length})
	case wire.KindFileWrite:
		chunk, data, err := wire.DecodeChunk(body)
		if err != nil {
			return err
		}
		kept, _ := d.chunks.Get().(*[]byte)
		*kept = append((*kept)[:0], data...)
		return d.queue(chunk.Handle, request{id: chunk.ID, offset: chunk.Offset, data: kept})
	case wire.KindFileClose:
		var end wire.FileClose
		if err := wire.Decode(body, &end); err != nil {
			return err
		}
		return d.queue(end.Handle, request{id: end.ID, close: true, keep: end.Keep})
	}
	return ErrNonsense
}

// begin opens a file in a goroutine of its own, which then does what is asked
// of it in turn.
func (d *Desk) begin(open wire.FileOpen) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch f, known := d.open[open.Handle], d.done[open.Handle]; {
	case d.closed:
		return nil
	case f != nil:
		return f.again(open.ID) // asked again over another link
	case known != nil:
		return d.later(open.ID, known.opened)
	case len(d.open) >= wire.FilesOpen || len(d.done) >= maxDone:
		// No fault of the vault: a file that it has given up may still be on its way to be closed here.
		return d.later(open.ID, failed(open.ID, usererr.New(usererr.RateLimited, "Too many files are on their way at once", "Wait until some of them are done")))
	}
	f := &file{desk: d, open: open, work: make(chan request, wire.FileWindow+2), queued: map[uint64]bool{}, quit: make(chan struct{})}
	d.open[open.Handle] = f
	d.joined.Go(f.run) // ends when the file is closed, or its call, or the desk
	return nil
}

// queue gives a request to the goroutine of its file.
func (d *Desk) queue(handle uint64, r request) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ended := d.open[handle], d.done[handle]
	switch {
	case f != nil && f.queued[r.id]:
		d.giveBack(r.data) // asked again over another link; it is being done
		return nil
	case f != nil:
		select {
		case f.work <- r:
			f.queued[r.id] = true
			return nil
		default:
			d.giveBack(r.data)
			return ErrNonsense // more at once than the wire allows
		}
	}
	d.giveBack(r.data)
	answer := failed(r.id, usererr.New(usererr.NotFound, "The file is no longer open, since the call that named it has ended", ""))
	if ended != nil && r.close {
		answer = ended.closed
	}
	return d.later(r.id, answer)
}

// later gives an answer to another request too. mu is held, so it is sent aside:
// a vault that asks and does not read must not fill the memory with answers.
func (d *Desk) later(id uint64, answer wire.FileAnswer) error {
	switch {
	case d.closed:
		return nil
	case d.aside >= maxAside:
		return ErrNonsense
	}
	d.aside++
	answer.ID = id
	d.joined.Go(func() { // ends when the frame is written
		d.answer(answer)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.aside--
	})
	return nil
}

// End closes the files of a call of the client: it is answered, or not wanted
// any more.
func (d *Desk) End(call string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.open {
		if f.open.Call == call {
			f.stop()
		}
	}
	for handle, e := range d.done {
		if e.call == call {
			delete(d.done, handle)
		}
	}
}

// Reset closes all files: the vault is another one, which knows of none.
func (d *Desk) Reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for handle, f := range d.open {
		f.foreign = true
		f.stop()
		delete(d.open, handle) // its handle is free
	}
	clear(d.done)
}

// Close closes all files and waits for that.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	for _, f := range d.open {
		f.stop()
	}
	d.mu.Unlock()
	d.cancel()
	d.joined.Wait()
}

func (d *Desk) answer(a wire.FileAnswer) {
	frame := wire.Encode(wire.KindFileAnswer, a)
	if len(frame) > wire.MaxControl { // each link that it is sent over would end
		a.Path, a.Hint = "", "" // for people, who can do without
		frame = wire.Encode(wire.KindFileAnswer, a)
	}
	d.cfg.Send(frame)
}

func (d *Desk) giveBack(chunk *[]byte) {
	if chunk != nil {
		d.chunks.Put(chunk)
	}
}

// failed answers with an error. What is no user error goes nowhere: it may name
// what the vault must not know.
func failed(id uint64, err error) wire.FileAnswer {
	said, ok := usererr.From(err)
	if !ok {
		said = usererr.New(usererr.Internal, "The file cannot be used", "See the log of Coatcheck on this computer")
	}
	return wire.FileAnswer{ID: id, Code: string(said.Code), Message: said.Message, Hint: said.Hint}
}

// refused is a user error about a path that the arguments name.
func refused(code usererr.Code, path, what, hint string) error {
	return usererr.New(code, fmt.Sprintf("%s: %s", shown(path), what), hint)
}
