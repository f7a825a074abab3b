package wsconn

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Options say how a server takes a connection over. The zero value has the
// limits of the wire.
type Options struct {
	Header  http.Header   // for the 101 answer; may be nil
	Limit   int64         // bytes of one message; default wire.MaxMessage
	Silence time.Duration // default wire.SilenceLimit
}

// Upgrade makes a websocket of an HTTP request. On failure it has answered the
// request: 403 for any Origin header (no shim sends one, so it is a browser),
// 400 without our subprotocol. On success the connection no longer belongs to
// the HTTP server and the handler may return.
func Upgrade(w http.ResponseWriter, r *http.Request, o Options) (*Conn, error) {
	if _, ok := r.Header["Origin"]; ok {
		http.Error(w, "web pages may not connect here", http.StatusForbidden)
		return nil, fmt.Errorf("upgrading: Origin header on a shim's address")
	}
	if !slices.Contains(Offers(r), wire.Subprotocol) {
		w.Header().Set("Sec-WebSocket-Protocol", wire.Subprotocol)
		http.Error(w, "this address speaks only the websocket subprotocol "+wire.Subprotocol, http.StatusBadRequest)
		return nil, ErrSubprotocol
	}
	hijacker := &hijacker{ResponseWriter: w}
	buffer := readBuffer
	if canReadEarly && r.TLS == nil {
		buffer = 0 // the hijacker's
	}
	upgrader := websocket.Upgrader{
		HandshakeTimeout: wire.HandshakeTimeout,
		ReadBufferSize:   buffer,
		WriteBufferSize:  writeBuffer,
		WriteBufferPool:  &shared.writes,
		Subprotocols:     []string{wire.Subprotocol},
		CheckOrigin:      func(*http.Request) bool { return true }, // refused above
	}
	ws, err := upgrader.Upgrade(hijacker, r, o.Header)
	if err != nil {
		return nil, fmt.Errorf("upgrading: %w", err)
	}
	c := newConn(ws, hijacker.batch, o.Limit, o.Silence)
	c.ahead = hijacker.ahead
	return c, nil
}

// Offers lists the subprotocols that the client of an upgrade request speaks.
func Offers(r *http.Request) []string { return websocket.Subprotocols(r) }

// hijacker puts a batchConn between gorilla and the network, and under that a
// small buffer which is known here, where the network is read early.
type hijacker struct {
	http.ResponseWriter
	batch *batchConn
	ahead *bufio.Reader // nil where it is not
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.batch = newBatchConn(conn)
	if h.batch.early != nil && rw.Reader.Buffered() == 0 { // else gorilla refuses the client
		h.ahead = bufio.NewReaderSize(h.batch, smallest)
		rw = bufio.NewReadWriter(h.ahead, rw.Writer)
	}
	return h.batch, rw, nil
}
