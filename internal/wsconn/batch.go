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
// writes back, so that several frames leave in one system call. Its bytes leave strictly in the order of the
// writes, whoever makes them: below TLS anything else would break the stream.
// Each write has the deadline that was set for it, and no other.
type batchConn struct {
	net.Conn
	early *early // nil where reading is left to Conn

	// deadline is for the next Write, in Unix nanoseconds; 0 is none. gorilla
	// sets it and writes under one lock; TLS may do either at any time.
	deadline atomic.Int64

	turn chan struct{} // one token; whoever has it may use what follows and write

	holding bool
	held    *[]byte // nil while empty
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
	if !b.holding {
		if err := b.Conn.SetWriteDeadline(deadline); err != nil {
			return 0, err
		}
		return b.Conn.Write(p)
	}
	if len(p) >= ownWrite {
		return b.through(p, deadline)
	}
	if b.held == nil {
		b.held, _ = shared.batches.Get().(*[]byte)
	}
	*b.held = append(*b.held, p...)
	if len(*b.held) < batchBuffer {
		return len(p), nil
	}
	return len(p), b.flush()
}

// through writes what is held, and p behind it; the caller has the turn.
func (b *batchConn) through(p []byte, deadline time.Time) (int, error) {
	if b.held == nil {
		if err := b.Conn.SetWriteDeadline(deadline); err != nil {
			return 0, err
		}
		return b.Conn.Write(p)
	}
	held := b.held
	b.held = nil
	defer b.giveBack(held)
	err := b.Conn.SetWriteDeadline(deadline)
	if err != nil {
		return 0, err
	}
	both := net.Buffers{*held, p}
	n, err := both.WriteTo(b.Conn)
	return max(int(n)-len(*held), 0), err
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

// flush writes what is held; the caller has the turn.
func (b *batchConn) flush() error {
	held := b.held
	if held == nil {
		return nil
	}
	b.held = nil
	err := b.Conn.SetWriteDeadline(time.Now().Add(wire.WriteTimeout))
	if err == nil {
		_, err = b.Conn.Write(*held)
	}
	b.giveBack(held)
	return err
}

func (b *batchConn) giveBack(held *[]byte) {
	if cap(*held) <= 2*batchBuffer {
		*held = (*held)[:0]
		shared.batches.Put(held)
	}
}
