// Package link keeps a link to the vault, for as long as it is wanted: it
// dials, says hello, acknowledges what arrives, proves again who is calling,
// notices when the far end is gone, and comes back, sooner or later according
// to why. It never gives up. What the link carries is the business of its
// [Stream].
package link

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
)

// Stream is what a link carries. All but Quiet and Carry are called by one
// goroutine.
type Stream interface {
	// Begin prepares for what the vault knows of the stream, and tells how many
	// of the messages that come next were sent before to a vault that has
	// forgotten them. It returns [ErrNonsense] for counts that cannot be.
	Begin(answer wire.Resume) (replay int, err error)
	// Carry makes l the link for messages to the vault, until Away. It may take
	// its time, beside everything else.
	Carry(l *Link)
	// Text takes a message from the vault, valid during the call. An error ends
	// the link.
	Text(frame []byte) error
	// Frame takes an acknowledgement, what the vault says of a sign-in, or what
	// it asks of a file. An error ends the link.
	Frame(ctx context.Context, kind wire.Kind, body []byte) error
	// Away is called after each link and each attempt that failed. It reports
	// whether somebody waits for the next one.
	Away(end Ending) (waiting bool)
	// Quiet reports that the vault has no call that somebody waits for.
	Quiet() bool
}

// Config is what a [Keeper] needs; all of it.
type Config struct {
	Dialer *dial.Dialer
	Origin string // of the vault, for people
	Stream Stream
	Hello  func() wire.Hello // but for Received and KeyClass; always the same
	Log    *slog.Logger
}

// Keeper keeps the link.
type Keeper struct {
	cfg    Config
	kicked chan struct{}

	// Of the goroutine of Run.
	received uint64 // frames of the stream
	anew     bool   // the counts are no good: let the vault start anew
}

// New returns a keeper that does nothing yet.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg, kicked: make(chan struct{}, 1)} }

// Kick says that somebody waits for a link. It may be called at any time.
func (k *Keeper) Kick() {
	select {
	case k.kicked <- struct{}{}:
	default: // known already
	}
}

// Run keeps a link until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var pace Pace
	for ctx.Err() == nil {
		l, err := k.connect(ctx)
		if err == nil {
			err = k.carry(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		end := k.ending(l, err)
		waiting := k.cfg.Stream.Away(end)
		pause := pace.After(end)
		k.cfg.Log.Info("no link to the vault", "err", err, "again_in", pause.Most)
		k.rest(ctx, pause, waiting)
	}
}

// connect dials, says hello and prepares the stream for what the vault answers.
func (k *Keeper) connect(ctx context.Context) (*Link, error) {
	conn, key, err := k.cfg.Dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l := newLink(conn, key)
	stop := context.AfterFunc(ctx, l.Close)
	defer stop()
	late := time.AfterFunc(wire.HandshakeTimeout, func() { l.end(wsconn.CodePolicy) })
	defer late.Stop()
	if err := k.hello(l); err != nil {
		l.end(wsconn.CodeProtocol)
		return l, err
	}
	return l, nil
}

func (k *Keeper) hello(l *Link) error {
	hello := k.cfg.Hello()
	hello.Received, hello.KeyClass = k.received, l.key.Class
	if k.anew {
		hello.Received = math.MaxUint64 // fits no stream
	}
	if err := l.conn.WriteBinary(wire.Encode(wire.KindHello, hello)); err != nil {
		return err
	}
	isText, frame, err := l.conn.Read()
	if err != nil {
		return err
	}
	kind, body, err := wire.KindOf(frame)
	if isText || err != nil {
		return ErrNonsense
	}
	switch kind {
	case wire.KindResume:
		var answer wire.Resume
		if err := wire.Decode(body, &answer); err != nil {
			return err
		}
		return k.begin(l, answer)
	case wire.KindBye:
		l.bye = new(wire.Bye)
		if err := wire.Decode(body, l.bye); err != nil {
			return err
		}
		return fmt.Errorf("the vault said goodbye: %s", l.bye.Reason)
	default:
		return ErrNonsense
	}
}

func (k *Keeper) begin(l *Link, answer wire.Resume) error {
	if answer.Resumed && k.anew {
		return ErrNonsense
	}
	replay, err := k.cfg.Stream.Begin(answer)
	if err != nil {
		return err
	}
	if !answer.Resumed {
		k.received, k.anew = 0, false
	}
	l.received.Store(k.received)
	l.acked.Store(k.received)
	l.since = time.Now()
	k.cfg.Log.Info("linked to the vault", "resumed", answer.Resumed, "signed_in", answer.SignedIn, "version", answer.Version)
	if replay == 0 {
		return nil
	}
	return l.conn.WriteBinary(wire.Encode(wire.KindReplay, wire.Replay{Frames: replay}))
}

// carry reads from l until it ends.
func (k *Keeper) carry(ctx context.Context, l *Link) error {
	stop := context.AfterFunc(ctx, l.Close)
	defer stop()
	var beside sync.WaitGroup
	beside.Go(func() { k.mind(l) })             // ends with l.over
	beside.Go(func() { k.cfg.Stream.Carry(l) }) // ends when all is sent or the link is closed
	err := k.read(ctx, l)
	l.Close()
	close(l.over)
	beside.Wait()
	k.received = l.received.Load()
	return err
}

// read takes frames until the link ends.
func (k *Keeper) read(ctx context.Context, l *Link) error {
	for {
		isText, frame, err := l.conn.Read()
		switch {
		case err != nil:
			return err
		case isText:
			l.count(len(frame))
			err = k.cfg.Stream.Text(frame)
			if l.draining.Load() && l.bye.Reason == wire.ByeDrain && k.cfg.Stream.Quiet() {
				l.Close()
			}
		default:
			err = k.control(ctx, l, frame)
		}
		if err != nil {
			return err
		}
	}
}

// control acts on a frame that is no message. Kinds that are not known come
// from a newer vault and are ignored.
func (k *Keeper) control(ctx context.Context, l *Link, frame []byte) error {
	kind, body, err := wire.KindOf(frame)
	if err != nil {
		return err
	}
	switch kind {
	case wire.KindAck, wire.KindLoginRequired, wire.KindLoginDone,
		wire.KindFileOpen, wire.KindFileRead, wire.KindFileWrite, wire.KindFileClose:
		return k.cfg.Stream.Frame(ctx, kind, body)
	case wire.KindNonce:
		var nonce wire.Nonce
		if err := wire.Decode(body, &nonce); err != nil {
			return err
		}
		select {
		case l.ask <- nonce:
		default: // one is being answered
		}
	case wire.KindBye:
		l.bye = new(wire.Bye)
		if err := wire.Decode(body, l.bye); err != nil {
			return err
		}
		k.goodbye(l)
	case wire.KindHello, wire.KindResume, wire.KindReplay, wire.KindProof, wire.KindFileAnswer, wire.KindFileData:
		return ErrNonsense // said already, or not the vault's to say
	}
	return nil
}
