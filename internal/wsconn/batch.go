package wsconn

import "net"

// batchConn is a net.Conn that can hold writes back, so that several frames
// leave in one system call. Its bytes leave strictly in the order of the
// writes, whoever makes them: below TLS anything else would break the stream.
type batchConn struct {
	net.Conn

	turn chan struct{} // one token; whoever has it may use what follows and write

	holding bool
	held    *[]byte // nil while empty
}

func newBatchConn(conn net.Conn) *batchConn {
	b := &batchConn{Conn: conn, turn: make(chan struct{}, 1)}
	b.turn <- struct{}{}
	return b
}

// hold begins a batch.
func (b *batchConn) hold() {
	<-b.turn
	b.holding = true
	b.turn <- struct{}{}
}

// Write implements net.Conn.
func (b *batchConn) Write(p []byte) (int, error) {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	if !b.holding {
		return b.Conn.Write(p)
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
	_, err := b.Conn.Write(*held)
	if cap(*held) <= 2*batchBuffer {
		*held = (*held)[:0]
		shared.batches.Put(held)
	}
	return err
}
