// Package wsconn is one websocket between a shim and a vault: gorilla's, with
// the limits, deadlines and pooled buffers of the wire, and safe to write from
// many goroutines. It carries messages and knows nothing of what they say.
package wsconn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Close codes (RFC 6455 §7.4.1) that callers use.
const (
	CodeNormal    = websocket.CloseNormalClosure
	CodeGoingAway = websocket.CloseGoingAway
	CodeProtocol  = websocket.CloseProtocolError
	CodeInvalid   = websocket.CloseInvalidFramePayloadData
	CodePolicy    = websocket.ClosePolicyViolation
	CodeTooBig    = websocket.CloseMessageTooBig
	CodeRestart   = websocket.CloseServiceRestart
)

// Errors that callers branch on.
var (
	// ErrTooBig says that the peer sent a message over the limit, or that the
	// caller tried to; in the first case the peer was told with code 1009.
	ErrTooBig = errors.New("message over the limit")
	// ErrText says that the peer sent a text message that is not UTF-8.
	ErrText = errors.New("text message is not UTF-8")
	// ErrSubprotocol says that the peer does not speak our subprotocol.
	ErrSubprotocol = errors.New("the other side does not speak " + wire.Subprotocol)
	// ErrClosed says that this side closed the connection.
	ErrClosed = errors.New("connection closed here")
)

const (
	readBuffer  = 1 << 10 // large messages bypass it
	smallest    = 264     // buffer that gorilla takes over
	earlyBuffer = 16 << 10
	writeBuffer = 4 << 10
	keepBuffer  = 1 << 20 // larger message buffers are left to the collector
	batchBuffer = 128 << 10
	ownWrite    = 64 << 10 // what is not copied to wait for more
	closeWait   = 250 * time.Millisecond
)

// Conn is one open websocket. Reads are for one goroutine; all other methods
// are safe at any time.
type Conn struct {
	ws      *websocket.Conn
	batch   *batchConn    // below ws; collects frames that are written together
	ahead   *bufio.Reader // gorilla's buffer; nil where only gorilla knows it
	limit   int64
	silence time.Duration
	writing chan struct{} // holds one token while nobody writes
	message *[]byte       // lent to the reader until its next Read
	meter   func(int) int // nil for none
	once    sync.Once
	closed  atomic.Bool
}

// pools are shared by all connections of the process. They hold buffers only.
type pools struct {
	writes   sync.Pool // gorilla's frame buffers
	messages sync.Pool // of *[]byte: whole messages
	batches  sync.Pool // of *[]byte: frames on their way out
	arrivals sync.Pool // of *[]byte: what was read early
}

var shared = &pools{
	messages: sync.Pool{New: func() any { b := make([]byte, 0, freshBuffer); return &b }},
	batches:  sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }},
	arrivals: sync.Pool{New: func() any { b := make([]byte, 0, earlyBuffer); return &b }},
}

func newConn(ws *websocket.Conn, batch *batchConn, limit int64, silence time.Duration) *Conn {
	if limit <= 0 {
		limit = wire.MaxMessage
	}
	if silence <= 0 {
		silence = wire.SilenceLimit
	}
	c := &Conn{ws: ws, batch: batch, limit: limit, silence: silence, writing: make(chan struct{}, 1)}
	c.writing <- struct{}{}
	ws.SetReadLimit(limit)
	ws.SetPongHandler(func(string) error { return c.heard() })
	ws.SetPingHandler(func(data string) error {
		// A pong that is cut off ends the connection, so it gets as long as any
		// frame; one that waits for a large message meanwhile is given up.
		err := ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(wire.WriteTimeout))
		if err != nil && !isTimeout(err) {
			return err
		}
		return c.heard()
	})
	return c
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// heard moves the moment at which silence means that the link is dead.
func (c *Conn) heard() error { return c.ws.SetReadDeadline(time.Now().Add(c.silence)) }

// Read returns the next message and whether it is text. The bytes are valid
// until the next Read. After an error other than [ErrMetered] the connection is
// of no more use.
func (c *Conn) Read() (text bool, data []byte, err error) {
	c.giveBack()
	if err := c.heard(); err != nil {
		return false, nil, c.readError(err)
	}
	if err := c.await(); err != nil {
		return false, nil, c.readError(err)
	}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return false, nil, c.readError(err)
	}
	c.message = c.lend()
	buf := c.message
	*buf, err = c.readAll(r, *buf)
	text = kind == websocket.TextMessage
	switch {
	case errors.Is(err, ErrMetered):
		return text, *buf, err
	case err != nil:
		c.giveBack()
		return false, nil, c.readError(err)
	}
	if text && !utf8.Valid(*buf) {
		_ = c.Close(CodeInvalid, "text is not UTF-8")
		return false, nil, ErrText
	}
	return text, *buf, nil
}

// await waits for a frame that is more than a pong. gorilla would do so itself;
// but here the stack is not deep, so that the goroutine of an idle connection
// gets along with 4 KiB of it instead of 8.
func (c *Conn) await() error {
	for c.ahead != nil && c.ahead.Buffered() == 0 {
		early := c.batch.early
		if early.buf == nil {
			err := early.fill(nil)
			if errors.Is(err, io.EOF) {
				return nil // gorilla says what that means
			}
			if err != nil {
				return err
			}
		}
		if !early.skipPong() {
			return nil
		}
		if err := c.heard(); err != nil {
			return err
		}
	}
	return nil
}

// giveBack returns the lent message to the pool, so that an idle connection
// holds none.
func (c *Conn) giveBack() {
	if c.message == nil {
		return
	}
	if cap(*c.message) <= keepBuffer {
		shared.messages.Put(c.message)
	}
	c.message = nil
	if c.meter != nil {
		c.meter(0)
	}
}

func (c *Conn) readError(err error) error {
	switch {
	case c.closed.Load():
		return ErrClosed
	case errors.Is(err, websocket.ErrReadLimit):
		_ = c.Close(CodeTooBig, "message over the limit")
		return ErrTooBig
	}
	return fmt.Errorf("reading websocket: %w", err)
}

// WriteText sends one text message.
func (c *Conn) WriteText(data []byte) error { return c.write(websocket.TextMessage, data) }

// WriteBinary sends one binary message.
func (c *Conn) WriteBinary(data []byte) error { return c.write(websocket.BinaryMessage, data) }

func (c *Conn) write(kind int, data []byte) error {
	if int64(len(data)) > c.limit {
		return ErrTooBig
	}
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	if len(data) <= writeBuffer {
		return c.writeLocked(kind, data)
	}
	// gorilla writes what is larger in pieces, and TLS in records.
	return c.together(func() error { return c.writeLocked(kind, data) })
}

// together has what write writes leave in as few system calls as its size allows.
func (c *Conn) together(write func() error) error {
	c.batch.hold()
	err := write()
	late := c.batch.release()
	switch {
	case err != nil || late == nil:
		return err
	case c.closed.Load():
		return ErrClosed
	}
	return fmt.Errorf("writing websocket: %w", late)
}

func (c *Conn) writeLocked(kind int, data []byte) error {
	if c.closed.Load() {
		return ErrClosed
	}
	if err := c.ws.SetWriteDeadline(time.Now().Add(wire.WriteTimeout)); err != nil {
		return fmt.Errorf("writing websocket: %w", err)
	}
	if err := c.ws.WriteMessage(kind, data); err != nil {
		if c.closed.Load() {
			return ErrClosed
		}
		return fmt.Errorf("writing websocket: %w", err)
	}
	return nil
}

// WriteTexts sends text messages in their order, with as few system calls as
// their sizes allow.
func (c *Conn) WriteTexts(messages [][]byte) error {
	for _, data := range messages {
		if int64(len(data)) > c.limit {
			return ErrTooBig
		}
	}
	<-c.writing
	defer func() { c.writing <- struct{}{} }()
	if len(messages) == 1 && len(messages[0]) <= writeBuffer {
		return c.writeLocked(websocket.TextMessage, messages[0])
	}
	return c.together(func() error {
		for _, data := range messages {
			if err := c.writeLocked(websocket.TextMessage, data); err != nil {
				return err
			}
		}
		return nil
	})
}

// Ping asks the peer for a sign of life, which moves the deadline of Read.
func (c *Conn) Ping() error {
	if err := c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(wire.WriteTimeout)); err != nil {
		return fmt.Errorf("writing ping: %w", err)
	}
	return nil
}

// Close tells the peer why, if it still listens, closes the connection and
// unblocks Read and all writes. Only the first call counts.
func (c *Conn) Close(code int, reason string) error {
	var err error
	c.once.Do(func() {
		c.closed.Store(true)
		if len(reason) > 120 { // a control frame holds 125 bytes, of whole characters
			reason = strings.ToValidUTF8(reason[:120], "")
		}
		message := websocket.FormatCloseMessage(code, reason)
		_ = c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(closeWait))
		c.batch.last(closeWait)
		err = c.ws.Close()
	})
	return err
}

// RemoteAddr is the network address of the peer.
func (c *Conn) RemoteAddr() net.Addr { return c.ws.RemoteAddr() }

// Code returns the close code that the peer sent, or 0 if err says something
// else.
func Code(err error) int {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}
