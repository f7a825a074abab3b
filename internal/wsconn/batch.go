package wsconn

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// batchConn is a net.Conn that reads early where it can, and that can hold
// writes back, so that several frames leave in one system call. Its bytes leave
// strictly in the order of the writes, whoever makes them: below TLS anything
// else would break the stream.
// Each write has the deadline that was set for it, or that of one that leaves
// with it, and no other. After a write that failed there is none: what follows
// half a frame would be taken for the rest of it.
type batchConn struct {
	net.Conn
	early *early // nil where reading is left to Conn

	// deadline is for the next Write, in Unix nanoseconds; 0 is none. gorilla
	// sets it and writes under one lock; TLS may do either at any time.
	deadline atomic.Int64

	turn chan struct{} // one token; whoever has it may use what follows and write

	holding bool
	held    *[]byte   // nil while empty
	due     time.Time // the latest deadline of what is held
	failed  error     // of the first write that failed
}

func newBatchConn(conn net.Conn) *batchConn {
	b := &batchConn{Conn: conn, early: newEarly(conn), turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// Read implements net.Conn.
func (b *batchConn) Read(p []byte) (int, error) {
	if b.early != nil {
		return b.early.read(p)
	}
	return b.Conn.Read(p)
}

// hold begins a batch.
func (b *batchConn) hold() {
	<-b.turn
	b.holding = true
	b.turn <- struct{}{}
}

// SetWriteDeadline implements net.Conn. It leaves a write that is under way
// alone: the short deadline of a pong must not cut a large batch.
func (b *batchConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		b.deadline.Store(0)
		return nil
	}
	b.deadline.Store(t.UnixNano())
	return nil
}

// SetDeadline implements net.Conn.
func (b *batchConn) SetDeadline(t time.Time) error {
	return errors.Join(b.SetWriteDeadline(t), b.SetReadDeadline(t))
}

// Write implements net.Conn.
func (b *batchConn) Write(p []byte) (int, error) {
	var deadline time.Time
	if ns := b.deadline.Load(); ns != 0 {
		deadline = time.Unix(0, ns)
	}
	if err := b.await(deadline); err != nil {
		return 0, err
	}
	defer func() { b.turn <- struct{}{} }()
	switch {
	case b.failed != nil:
		return 0, b.failed
	case !b.holding || len(p) >= ownWrite:
		return b.through(p, deadline)
	case b.held == nil:
		b.held, _ = shared.batches.Get().(*[]byte)
		b.due = time.Time{}
	}
	*b.held = append(*b.held, p...)
	if deadline.After(b.due) {
		b.due = deadline
	}
	if len(*b.held) < batchBuffer {
		return len(p), nil
	}
	return len(p), b.flush()
}

// through writes what is held, and p behind it; the caller has the turn.
func (b *batchConn) through(p []byte, deadline time.Time) (n int, err error) {
	defer func() { b.failed = err }()
	if err := b.Conn.SetWriteDeadline(deadline); err != nil {
		return 0, err
	}
	held := b.held
	if held == nil {
		return b.Conn.Write(p)
	}
	b.held = nil
	defer b.giveBack(held)
	both := net.Buffers{*held, p}
	all, err := both.WriteTo(b.Conn)
	return max(int(all)-len(*held), 0), err
}

// await takes the turn, until deadline if there is one.
func (b *batchConn) await(deadline time.Time) error {
	select {
	case <-b.turn:
		return nil
	default:
	}
	if deadline.IsZero() {
		<-b.turn
		return nil
	}
	late := time.NewTimer(time.Until(deadline))
	defer late.Stop()
	select {
	case <-b.turn:
		return nil
	case <-late.C:
		return os.ErrDeadlineExceeded
	}
}

// release ends the batch and writes what is left of it.
func (b *batchConn) release() error {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	b.holding = false
	return b.flush()
}

// last is release for a connection that is about to be closed, and waits no
// longer than wait.
func (b *batchConn) last(wait time.Duration) {
	until := time.Now().Add(wait)
	if b.await(until) != nil {
		return
	}
	defer func() { b.turn <- struct{}{} }()
	b.holding, b.due = false, until
	_ = b.flush() // the other side has gone, or will wonder
}

// flush writes what is held; the caller has the turn.
func (b *batchConn) flush() error {
	held := b.held
	if held == nil || b.failed != nil {
		return b.failed
	}
	b.held = nil
	defer b.giveBack(held)
	if b.due.IsZero() {
		b.due = time.Now().Add(wire.WriteTimeout)
	}
	if b.failed = b.Conn.SetWriteDeadline(b.due); b.failed == nil {
		_, b.failed = b.Conn.Write(*held)
	}
	return b.failed
}

func (b *batchConn) giveBack(held *[]byte) {
	if cap(*held) <= 2*batchBuffer {
		*held = (*held)[:0]
		shared.batches.Put(held)
	}
}
