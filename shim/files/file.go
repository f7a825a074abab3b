package files

import (
	"log/slog"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// file is one open file, which one goroutine works at.
type file struct {
	desk *Desk
	open wire.FileOpen
	work chan request
	quit chan struct{}

	once    sync.Once
	queued  map[uint64]bool // guarded by desk.mu; requests that are not answered
	opened  []uint64        // guarded by desk.mu; requests to open it that are not answered
	said    wire.FileAnswer // guarded by desk.mu; the answer to those, once there is one
	known   bool            // guarded by desk.mu; said is set
	foreign bool            // guarded by desk.mu; the vault that asked for it has gone
}

// handle is a file of this computer that is open. One goroutine uses it.
type handle interface {
	// info is its name and size.
	info() (name string, size int64)
	// read fills into, as far as the file goes.
	read(into []byte, offset int64) (int, error)
	// write takes bytes, which come in their order but for those that were lost
	// on the way and come again.
	write(data []byte, offset int64) error
	// end closes it, and returns where it is, if keep is asked for.
	end(keep bool) (path string, err error)
}

// stop ends the goroutine soon. It may be called several times.
func (f *file) stop() { f.once.Do(func() { close(f.quit) }) }

// stopped reports whether the call of the file has ended, or the vault is
// another one.
func (f *file) stopped() bool {
	select {
	case <-f.quit:
		return true
	default:
		return false
	}
}

// again answers another request to open the file; desk.mu is held.
func (f *file) again(id uint64) error {
	switch {
	case f.known:
		return f.desk.later(id, f.said)
	case len(f.opened) >= maxAgain:
		return ErrNonsense
	}
	f.opened = append(f.opened, id)
	return nil
}

// run opens the file and does what is asked, until it is closed.
func (f *file) run() {
	h, err := f.desk.find(f.open)
	first := wire.FileAnswer{ID: f.open.ID}
	if err != nil {
		level := slog.LevelWarn
		if f.stopped() { // such as for the client to be asked for its folders
			level = slog.LevelDebug
		}
		f.desk.cfg.Log.Log(f.desk.ctx, level, "a file was refused", "mode", f.open.Mode, "err", err)
		first = failed(f.open.ID, err)
	} else {
		first.Name, first.Size = h.info()
	}
	f.tell(first)
	if err != nil {
		f.leave(first)
		return
	}
	for {
		select {
		case <-f.quit:
			_, _ = h.end(false) // dropped
			f.leave(failed(0, usererr.New(usererr.Timeout, "The call that named the file has ended", "")))
			return
		case r := <-f.work:
			if f.do(h, r) {
				return
			}
		}
	}
}

// tell answers all requests to open the file.
func (f *file) tell(answer wire.FileAnswer) {
	f.desk.mu.Lock()
	f.said, f.known = answer, true
	more := f.opened
	f.opened = nil
	f.desk.mu.Unlock()
	for _, id := range append([]uint64{answer.ID}, more...) {
		answer.ID = id
		f.answer(answer)
	}
}

// answer answers, unless the vault is another one, which has asked nothing.
func (f *file) answer(answer wire.FileAnswer) {
	if !f.isForeign() {
		f.desk.answer(answer)
	}
}

func (f *file) isForeign() bool {
	f.desk.mu.Lock()
	defer f.desk.mu.Unlock()
	return f.foreign
}

// do does one thing and answers. It returns true when the file is closed.
func (f *file) do(h handle, r request) (over bool) {
	answer := wire.FileAnswer{ID: r.id}
	var err error
	switch {
	case r.close:
		answer.Path, err = h.end(r.keep)
		answer.Name, answer.Size = h.info()
	case r.data != nil:
		err = h.write(*r.data, r.offset)
		f.desk.giveBack(r.data)
	default:
		if err = f.read(h, r); err == nil {
			return false
		}
	}
	if err != nil {
		f.desk.cfg.Log.Warn("a file cannot be used", "mode", f.open.Mode, "err", err)
		answer = failed(r.id, err)
	}
	if r.close {
		f.leave(answer)
	} else {
		f.finished(r.id)
	}
	f.answer(answer)
	return r.close
}

// read answers with bytes, which are read where they are sent from.
func (f *file) read(h handle, r request) error {
	chunk, _ := f.desk.chunks.Get().(*[]byte)
	defer f.desk.giveBack(chunk)
	frame := wire.EncodeChunk((*chunk)[:0], wire.KindFileData, wire.Chunk{ID: r.id}, nil)
	head := len(frame)
	n, err := h.read(frame[head:head+r.length], r.offset)
	if err != nil {
		return err
	}
	f.finished(r.id)
	if !f.isForeign() {
		f.desk.cfg.Send(frame[:head+n])
	}
	return nil
}

func (f *file) finished(id uint64) {
	f.desk.mu.Lock()
	defer f.desk.mu.Unlock()
	delete(f.queued, id)
}

// leave takes a closed file off the desk, which remembers how it ended for as
// long as its call runs.
func (f *file) leave(answer wire.FileAnswer) {
	d := f.desk
	_, running := d.cfg.Call(f.open.Call)
	d.mu.Lock()
	defer d.mu.Unlock()
	running = running && !f.stopped() // End was here, and takes no more off
	if d.open[f.open.Handle] != f {
		return // the handle is another's by now
	}
	delete(d.open, f.open.Handle)
	if running && !d.closed {
		d.done[f.open.Handle] = &ending{f.open.Call, f.said, answer}
	}
	for {
		select {
		case r := <-f.work:
			d.giveBack(r.data)
		default:
			return
		}
	}
}
