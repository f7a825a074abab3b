package wsconn

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// DialOptions say how a client connects. The zero value dials directly, trusts
// what the system trusts and has the limits of the wire.
type DialOptions struct {
	Header  http.Header                           // for the upgrade request
	TLS     *tls.Config                           // default: the system's trust
	Proxy   func(*http.Request) (*url.URL, error) // default: none
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
	Limit   int64         // bytes of one message; default wire.MaxMessage
	Silence time.Duration // default wire.SilenceLimit
}

// Dial connects to a ws or wss address. When the server answered something
// else than an upgrade, the response is not nil and has the first KiB of its
// body.
func Dial(ctx context.Context, address string, o DialOptions) (*Conn, *http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, wire.HandshakeTimeout)
	defer cancel()
	dial := o.NetDial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	var batch *batchConn
	dialer := websocket.Dialer{
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			batch = newBatchConn(conn)
			return batch, nil
		},
		Proxy:           o.Proxy,
		TLSClientConfig: http1(o.TLS),
		ReadBufferSize:  readBuffer,
		WriteBufferSize: 8 * writeBuffer, // a client copies all it writes, to mask it
		Subprotocols:    []string{wire.Subprotocol},
	}
	ws, response, err := dialer.DialContext(ctx, address, o.Header)
	if err != nil {
		return nil, response, fmt.Errorf("connecting: %w", err)
	}
	if ws.Subprotocol() != wire.Subprotocol {
		_ = ws.Close()
		return nil, response, ErrSubprotocol
	}
	return newConn(ws, batch, o.Limit, o.Silence), response, nil
}

// http1 returns a configuration that offers only HTTP/1.1: there is no
// websocket upgrade in HTTP/2.
func http1(config *tls.Config) *tls.Config {
	if config == nil {
		return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
	}
	config = config.Clone()
	config.NextProtos = []string{"http/1.1"}
	return config
}
