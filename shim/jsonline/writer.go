package jsonline

import (
	"io"
	"sync"
	"time"
)

const (
	putLimit = 1 << 20 // bytes that wait before Put does
	bufLimit = 256 << 10
	atOnce   = 4 << 10 // bytes that a pipe takes at once when it is empty (POSIX, PIPE_BUF)
)

// Writer writes lines in the order in which they are given. A line is written
// at once by whoever gives it, unless somebody else is writing; then that one
// takes it along. Its methods may be called from several goroutines.
type Writer struct {
	w     io.Writer
	broke chan struct{}

	mu      sync.Mutex
	changed sync.Cond // on mu: pending got shorter, or err
	pending []byte    // lines that wait
	spare   []byte    // the buffer that pending is swapped with
	writing bool      // somebody writes
	held    bool      // what is posted waits for Release
	err     error     // the first error; nothing is written after it
	posted  sync.WaitGroup
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer {
	out := &Writer{w: w, broke: make(chan struct{})}
	out.changed.L = &out.mu
	return out
}

// Put writes a line, which must not contain a newline. It waits while much is
// waiting already, and for the underlying writer.
func (o *Writer) Put(line []byte) error {
	o.mu.Lock()
	for len(o.pending) > putLimit && o.err == nil {
		o.changed.Wait()
	}
	o.appendLocked(line)
	o.drainLocked()
	err := o.err
	o.mu.Unlock()
	return err
}

// Post leaves a line to be written and never waits. Its caller sees to it,
// with Wait, that there are not too many.
func (o *Writer) Post(line []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.appendLocked(line)
	o.postLocked()
}

// postLocked lets what is pending be written soon.
func (o *Writer) postLocked() {
	if o.writing || o.held || o.err != nil || len(o.pending) == 0 {
		return
	}
	o.writing = true
	// Ends when nothing is pending or the underlying writer fails; Close waits.
	o.posted.Go(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.writing = false
		o.drainLocked()
	})
}

// Hold keeps back what is posted until Release.
func (o *Writer) Hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = true
}

// Release lets what was kept back be written. If that is little it writes it
// itself, which is sooner done than to start a goroutine, and does not wait
// where the first line of a program goes to a pipe.
func (o *Writer) Release() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.held = false
	if len(o.pending) <= atOnce {
		o.drainLocked()
	}
	o.postLocked()
}

// Wait returns when no more than limit bytes wait, or nothing is written any
// more.
func (o *Writer) Wait(limit int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.pending) > limit && o.err == nil {
		o.changed.Wait()
	}
}

// Idle reports whether everything was written.
func (o *Writer) Idle() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.writing && len(o.pending) == 0 || o.err != nil
}

// Broke is closed when a write failed.
func (o *Writer) Broke() <-chan struct{} { return o.broke }

// Err is the error of the write that failed.
func (o *Writer) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Close ends everything that waits here. A write that is blocked in the
// underlying writer is broken off if that has deadlines, as pipes and sockets
// may; otherwise it is left behind, which Close reports as false.
func (o *Writer) Close(patience time.Duration) bool {
	o.mu.Lock()
	if o.err == nil {
		o.err = io.ErrClosedPipe
	}
	o.pending = nil
	o.changed.Broadcast()
	writing := o.writing
	o.mu.Unlock()
	if d, ok := o.w.(interface{ SetWriteDeadline(time.Time) error }); ok && writing {
		_ = d.SetWriteDeadline(time.Now())
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		o.mu.Lock()
		writing = o.writing
		o.mu.Unlock()
		if !writing {
			o.posted.Wait()
			return true
		}
		if !time.Now().Before(end) {
			return false
		}
	}
}

func (o *Writer) appendLocked(line []byte) {
	if o.err == nil {
		o.pending = append(append(o.pending, line...), '\n')
	}
}

// drainLocked writes until nothing is pending, unless somebody else does. It
// gives mu away meanwhile.
func (o *Writer) drainLocked() {
	if o.writing {
		return
	}
	o.writing = true
	for len(o.pending) > 0 && o.err == nil {
		now := o.pending
		o.pending, o.spare = o.spare[:0], nil
		o.mu.Unlock()
		_, err := o.w.Write(now)
		o.mu.Lock()
		if cap(now) <= bufLimit {
			o.spare = now
		}
		if err != nil && o.err == nil {
			o.err = err
			close(o.broke)
		}
		o.changed.Broadcast()
	}
	o.writing = false
	o.changed.Broadcast()
}
