package role

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

const arriving = 16 // at a time

var errShort = errors.New("idlers want an address and a count")

// conversation is what a stream says before it idles: as much as that of a
// client that was opened and asked once.
func conversation() []string {
	return []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"idler","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"size":100}}}`,
	}
}

// idlers connects count devices to the vault at an address, each with a key of
// its own, lets each make a call, and keeps them until ctx ends.
func idlers(ctx context.Context, args []string, say func(Ready) error) error {
	if len(args) != 2 {
		return errShort
	}
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return errShort
	}
	crowd := &crowd{url: args[0]}
	var arrivals errgroup.Group
	arrivals.SetLimit(arriving)
	for i := range count {
		arrivals.Go(func() error { return crowd.add(ctx, i) })
	}
	if err := arrivals.Wait(); err != nil {
		return err
	}
	if err := say(Ready{}); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// crowd is many connections that nobody uses.
type crowd struct {
	url   string
	nonce atomic.Pointer[string] // the vault's latest
}

// add brings one stream to rest.
func (c *crowd) add(ctx context.Context, number int) error {
	conn, err := c.dial(ctx)
	if err != nil {
		return fmt.Errorf("stream %d: %w", number, err)
	}
	if err := conn.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{Stream: "idler-" + strconv.Itoa(number)})); err != nil {
		return err
	}
	for _, message := range conversation() {
		if err := conn.WriteText([]byte(message)); err != nil {
			return err
		}
	}
	for answers := 0; answers < 2; {
		text, _, err := conn.Read()
		if err != nil {
			return fmt.Errorf("stream %d: %w", number, err)
		}
		if text {
			answers++
		}
	}
	if err := conn.WriteBinary(wire.EncodeAck(2)); err != nil {
		return err
	}
	go rest(conn) // ends with the connection, at the latest with the process
	return nil
}

// rest answers pings until the connection ends.
func rest(conn *wsconn.Conn) {
	for {
		if _, _, err := conn.Read(); err != nil {
			return
		}
	}
}

// dial connects with a proof of a fresh key, and the nonce that others got.
func (c *crowd) dial(ctx context.Context) (*wsconn.Conn, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	for {
		nonce := c.nonce.Load()
		claims := dpop.Claims{Method: http.MethodGet, URL: c.url + wire.ConnectPath}
		if nonce != nil {
			claims.Nonce = *nonce
		}
		proof, err := dpop.Prove(key, claims)
		if err != nil {
			return nil, err
		}
		conn, answer, err := wsconn.Dial(ctx, "ws"+strings.TrimPrefix(c.url, "http")+wire.ConnectPath,
			wsconn.DialOptions{Header: http.Header{"Dpop": {proof}}})
		if err == nil {
			return conn, nil
		}
		if answer == nil || answer.StatusCode != http.StatusUnauthorized {
			return nil, err
		}
		fresh := answer.Header.Get(dpop.NonceHeader)
		if fresh == "" || nonce != nil && fresh == *nonce {
			return nil, err
		}
		c.nonce.Store(&fresh)
	}
}
