package wsconn

import (
	"io"
	"net"
	"syscall"

	"github.com/gorilla/websocket"
)

// early reads from a socket more than is asked for, so that a message and its
// frame take one system call, into a buffer that is lent while there is
// something in it: a connection on which nothing arrives holds none. It is for
// one goroutine at a time, as reads of a websocket are.
type early struct {
	raw  syscall.RawConn
	try  func(fd uintptr) bool // e.attempt, made once
	into []byte                // where the caller wants the bytes; during a read
	n    int                   // what came of it
	err  error

	buf  *[]byte // nil while nothing was read early
	from int     // what of buf was handed out
}

// newEarly returns nil for a connection without a socket of its own, such as
// one under TLS, which is read as it is.
func newEarly(conn net.Conn) *early {
	socket, ok := conn.(syscall.Conn)
	if !ok || !canReadEarly {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	e := &early{raw: raw}
	e.try = e.attempt
	return e
}

func (e *early) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.buf == nil {
		if err := e.fill(p); err != nil || e.buf == nil {
			return e.n, err
		}
	}
	n := copy(p, (*e.buf)[e.from:])
	e.pass(n)
	return n, nil
}

// fill waits until something has arrived, and reads it into buf, or into p if
// that is larger. Its error may be the deadline.
func (e *early) fill(p []byte) error {
	e.into, e.n = p, 0
	err := e.raw.Read(e.try)
	e.into = nil
	if err != nil {
		return err
	}
	return e.err
}

// pass drops the first n bytes of buf.
func (e *early) pass(n int) {
	if e.from += n; e.from == len(*e.buf) {
		e.giveBack()
	}
}

// skipPong drops a pong (RFC 6455 §5.5.3) if one comes next, of a client and
// whole. It may be called where a frame begins.
func (e *early) skipPong() bool {
	const head = 2 + 4 // with the mask
	b := (*e.buf)[e.from:]
	if len(b) < head || b[0] != 0x80|websocket.PongMessage || b[1] < 0x80 || b[1] > 0x80+125 || len(b) < head+int(b[1]-0x80) {
		return false
	}
	e.pass(head + int(b[1]-0x80))
	return true
}

func (e *early) giveBack() {
	*e.buf = (*e.buf)[:0]
	shared.arrivals.Put(e.buf)
	e.buf, e.from = nil, 0
}

// attempt reads what has arrived, or returns false to be called again once
// something has.
func (e *early) attempt(fd uintptr) bool {
	buf, _ := shared.arrivals.Get().(*[]byte)
	if len(e.into) >= cap(*buf) { // a large message goes where it belongs
		shared.arrivals.Put(buf)
		again := false
		e.n, again, e.err = readSocket(fd, e.into)
		return !again
	}
	n, again, err := readSocket(fd, (*buf)[:cap(*buf)])
	if n > 0 {
		*buf = (*buf)[:n]
		e.buf, e.from = buf, 0
		return true
	}
	shared.arrivals.Put(buf)
	e.n, e.err = 0, err
	return !again
}

// ended is what a read of n bytes without an error means.
func ended(n int) error {
	if n == 0 {
		return io.EOF
	}
	return nil
}
