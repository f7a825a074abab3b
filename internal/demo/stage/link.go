package stage

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Link is a wire between laptops and vaults that can be cut. It takes the vaults
// in turn, and passes over those that do not run. Its methods may be called from
// several goroutines.
type Link struct {
	listener net.Listener
	targets  []string
	turn     atomic.Uint32
	first    atomic.Uint32 // the vault that is tried first; 0 if they take turns, else its number and 1

	mu      sync.Mutex
	cut     bool                  // guarded by mu
	conns   map[net.Conn]struct{} // guarded by mu
	carried int                   // guarded by mu; connections so far
	heard   bytes.Buffer          // guarded by mu; what came from the target
	joined  sync.WaitGroup
}

// maxHeard bounds what a link remembers.
const maxHeard = 32 << 20

// newLink listens on a port of its own and carries everything to targets.
func newLink(ctx context.Context, targets ...string) (*Link, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Link{listener: listener, targets: targets, conns: map[net.Conn]struct{}{}}
	l.joined.Add(1)
	go l.accept() // ends when Close closes the listener
	return l, nil
}

func (l *Link) accept() {
	defer l.joined.Done()
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		if !l.add(near) {
			_ = near.Close()
			continue
		}
		l.joined.Add(1)
		go l.carry(near) // ends when either side closes, at the latest with Cut or Close
	}
}

func (l *Link) carry(near net.Conn) {
	defer l.joined.Done()
	defer l.remove(near)
	far := l.reach()
	if far == nil {
		return
	}
	if !l.add(far) {
		_ = far.Close()
		return
	}
	defer l.remove(far)
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		// Ends when either side closes: the first to end closes both.
		go func() { l.copy(pair[0], pair[1], pair[1] == far); done <- struct{}{} }()
	}
	l.mu.Lock()
	l.carried++
	l.mu.Unlock()
	<-done
	_, _ = near.Close(), far.Close()
	<-done
}

// reach connects to the vault whose turn it is, or to the next one that runs;
// nil if none does.
func (l *Link) reach() net.Conn {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	turn := int(l.turn.Add(1))
	if first := int(l.first.Load()); first > 0 {
		turn = first - 1
	}
	for i := range l.targets {
		if far, err := dialer.Dial("tcp", l.targets[(turn+i)%len(l.targets)]); err == nil {
			return far
		}
	}
	return nil
}

// Prefer lets connections from now on go to one vault, if it runs.
func (l *Link) Prefer(vault int) { l.first.Store(uint32(vault) + 1) } //nolint:gosec // a small number

// copy carries one direction until either side closes.
func (l *Link) copy(to, from net.Conn, remember bool) {
	if remember {
		_, _ = io.Copy(io.MultiWriter(to, (*ear)(l)), from)
		return
	}
	_, _ = io.Copy(to, from)
}

// ear is a link that listens to what it carries.
type ear Link

func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.heard.Len() < maxHeard {
		e.heard.Write(p)
	}
	return len(p), nil
}

// Heard is what the vault sent to laptops and browsers so far, as it was on
// the wire.
func (l *Link) Heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.heard.String()
}

// Carried counts the connections that came through so far.
func (l *Link) Carried() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

func (l *Link) add(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

func (l *Link) remove(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// Cut breaks all connections and lets none through until Heal.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		// Without linger the peer sees a reset, as from a cable that was pulled
		// and a router that forgot.
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
	}
}

// Heal lets connections through again.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// Close ends the link and everything on it.
func (l *Link) Close() error {
	err := l.listener.Close()
	l.Cut()
	l.joined.Wait()
	return err
}
