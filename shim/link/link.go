package link

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
)

const (
	pingEvery = 15 * time.Second // while calls are under way
	sleepGap  = 20 * time.Second // more than the clocks differ unless the computer slept
	drainTime = 30 * time.Second // for a vault that drains to close the link
	byeTime   = 2 * time.Second  // for a vault that said another goodbye
)

// ErrNonsense says that the vault sent what no vault sends, such as the count
// of frames that were never exchanged.
var ErrNonsense = errors.New("the vault sent something that makes no sense")

// Link is one connection that carries the stream for a while. Its exported
// methods may be called from several goroutines.
type Link struct {
	conn *wsconn.Conn
	key  *device.DeviceKey
	over chan struct{}   // closed when it no longer carries the stream
	owed chan struct{}   // an acknowledgement is due soon
	now  chan struct{}   // … at once
	ask  chan wire.Nonce // the vault wants a new proof

	closing  atomic.Bool // somebody closes conn
	draining atomic.Bool // takes no more calls

	// Of the reading goroutine.
	bye   *wire.Bye
	since time.Time // when it began to carry the stream
	heard bool      // it brought a message

	unacked  atomic.Int64  // bytes received and not acknowledged
	received atomic.Uint64 // frames of the stream
	acked    atomic.Uint64 // … that the vault knows of
}

func newLink(conn *wsconn.Conn, key *device.DeviceKey) *Link {
	return &Link{
		conn: conn, key: key, over: make(chan struct{}),
		owed: make(chan struct{}, 1), now: make(chan struct{}, 1), ask: make(chan wire.Nonce, 1),
	}
}

// Open reports whether messages may be sent.
func (l *Link) Open() bool { return !l.closing.Load() }

// Calls reports whether new calls may be sent too: a vault that is about to
// restart takes none.
func (l *Link) Calls() bool { return l.Open() && !l.draining.Load() }

// Send sends messages. When that fails the link ends.
func (l *Link) Send(messages [][]byte) {
	if l.conn.WriteTexts(messages) != nil {
		l.Close()
	}
}

// SendFrame sends a frame that is no message; over no link at all it is lost.
// When that fails the link ends.
func (l *Link) SendFrame(frame []byte) {
	if l != nil && l.conn.WriteBinary(frame) != nil {
		l.Close()
	}
}

// Close ends the link, unless somebody is at it already.
func (l *Link) Close() { l.end(wsconn.CodeNormal) }

func (l *Link) end(code int) {
	if l.closing.CompareAndSwap(false, true) {
		_ = l.conn.Close(code, "")
	}
}

// count counts a message from the vault, which is acknowledged soon.
func (l *Link) count(size int) {
	l.heard = true
	n := l.received.Add(1)
	bytes := l.unacked.Add(int64(size))
	due := l.owed
	switch {
	case n-l.acked.Load() >= wire.AckFrames, bytes >= wire.AckBytes:
		due = l.now
	case bytes != int64(size):
		return // not the first, so it is on its way
	}
	select {
	case due <- struct{}{}:
	default: // it is on its way
	}
}

// mind does what is due on a link beside reading and writing messages.
func (k *Keeper) mind(l *Link) {
	owed := time.NewTimer(time.Hour)
	owed.Stop()
	defer owed.Stop()
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		var err error
		select {
		case <-l.over:
			return
		case <-l.owed:
			owed.Reset(wire.AckDelay)
		case <-l.now:
			err = l.acknowledge()
		case <-owed.C:
			err = l.acknowledge()
		case nonce := <-l.ask:
			err = k.prove(l, nonce)
		case now := <-tick.C:
			err = k.look(l, last, now)
			last = now
		}
		if err != nil {
			k.cfg.Log.Info("giving the link up", "err", err)
			l.Close()
		}
	}
}

// look asks for a sign of life while somebody waits, and gives a link up that
// has not lived through the computer's sleep.
func (k *Keeper) look(l *Link, last, now time.Time) error {
	// The wall clock goes on while a computer sleeps.
	if slept := now.Round(0).Sub(last.Round(0)) - now.Sub(last); slept > sleepGap {
		return fmt.Errorf("the computer slept for %v", slept)
	}
	if k.cfg.Stream.Quiet() {
		return nil
	}
	return l.conn.Ping()
}

// acknowledge tells the vault what has arrived.
func (l *Link) acknowledge() error {
	l.unacked.Store(0)
	n := l.received.Load()
	if l.acked.Swap(n) == n {
		return nil
	}
	return l.conn.WriteBinary(wire.EncodeAck(n))
}

// prove answers a nonce with a proof that this is still the same device.
func (k *Keeper) prove(l *Link, nonce wire.Nonce) error {
	proof, err := k.cfg.Dialer.Prove(l.key, nonce.Nonce)
	if err != nil {
		return err
	}
	return l.conn.WriteBinary(wire.Encode(wire.KindProof, wire.Proof{Proof: proof}))
}

// goodbye sees to it that a link ends which the vault wants to end. While it
// drains, calls under way are answered and no new ones sent.
func (k *Keeper) goodbye(l *Link) {
	l.draining.Store(true)
	patience := byeTime
	if l.bye.Reason == wire.ByeDrain {
		if k.cfg.Stream.Quiet() {
			l.Close()
			return
		}
		patience = drainTime
	}
	time.AfterFunc(patience, l.Close) // closing twice does no harm
}
