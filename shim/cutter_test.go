package shim_test

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter dials connections that break after a random number of bytes.
type cutter struct {
	target string
	n      atomic.Int64
}

func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	return &cutter{target: target}
}

func (p *cutter) cuts() int64 { return p.n.Load() }

func (p *cutter) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, p.target)
	if err != nil {
		return nil, err
	}
	c := &brittle{Conn: conn, of: p}
	c.in.Store(500 + rand.Int64N(200_000))
	c.out.Store(500 + rand.Int64N(20_000))
	return c, nil
}

type brittle struct {
	net.Conn
	of      *cutter
	in, out atomic.Int64 // bytes until it breaks
}

func (b *brittle) Read(p []byte) (int, error) { return b.limit(&b.in, p, b.Conn.Read) }

func (b *brittle) Write(p []byte) (int, error) { return b.limit(&b.out, p, b.Conn.Write) }

func (b *brittle) limit(left *atomic.Int64, p []byte, do func([]byte) (int, error)) (int, error) {
	if rest := left.Load(); int64(len(p)) > rest {
		p = p[:max(rest, 0)]
	}
	n, err := do(p)
	if left.Add(-int64(n)) <= 0 && err == nil {
		b.of.n.Add(1)
		_ = b.Conn.Close()
		return n, net.ErrClosed
	}
	return n, err
}

// hole is a network whose connections can vanish without a word: what is
// written is lost, and nothing comes back.
type hole struct {
	dialer func(ctx context.Context, network, address string) (net.Conn, error)
	open   atomic.Pointer[holed]
}

func (h *hole) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := h.dialer(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &holed{Conn: conn, closed: make(chan struct{})}
	h.open.Store(c)
	return c, nil
}

type holed struct {
	net.Conn
	gone   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

func (c *holed) Write(p []byte) (int, error) {
	if c.gone.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *holed) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// Read loses what comes, and the end of the connection too.
func (c *holed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.gone.Load() {
		return n, err
	}
	if _, late := err.(net.Error); late {
		return 0, err // the reader's own deadline
	}
	<-c.closed
	return 0, net.ErrClosed
}
