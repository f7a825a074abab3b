package stream

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// byeTime is for saying why, before a link is cut.
const byeTime = 400 * time.Millisecond

// Link is one connection that carries a stream for a while. What changes is
// guarded by the stream's mu.
type Link struct {
	// Can is what the shim said that it can do, set before the link is used.
	Can     []string
	conn    *wsconn.Conn
	address string    // of the shim, without port
	pinged  time.Time // the last ping
	proved  time.Time // the last valid proof
	asked   time.Time // when a new proof was asked for; zero if none is
	proving bool      // an answer is being checked
	sent    uint64    // of the stream's text frames, the last that went this way
}

// NewLink returns a link over conn, from the network address of a shim.
func NewLink(conn *wsconn.Conn, address string) *Link { return &Link{conn: conn, address: address} }

// End says why, if bye is not nil, and closes the link within a second even
// when the peer does not read.
func (l *Link) End(code int, bye *wire.Bye) {
	if bye == nil {
		_ = l.conn.Close(code, "")
		return
	}
	cut := time.AfterFunc(byeTime, func() { _ = l.conn.Close(code, string(bye.Reason)) })
	defer cut.Stop()
	_ = l.conn.WriteBinary(wire.Encode(wire.KindBye, bye))
	_ = l.conn.Close(code, string(bye.Reason))
}
