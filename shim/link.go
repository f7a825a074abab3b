package shim

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

const (
	pingEvery = 15 * time.Second // while calls are under way
	sleepGap  = 20 * time.Second // more than the clocks differ unless the computer slept
	drainTime = 30 * time.Second // for a vault that drains to close the link
	byeTime   = 2 * time.Second  // for a vault that said another goodbye
)

// What ends a link besides the network.
var (
	errCounts = errors.New("the vault counts other frames than were exchanged")
	errFrame  = errors.New("the vault sent a frame that makes no sense")
)

// link is one connection that carries the stream for a while.
type link struct {
	conn  *wsconn.Conn
	key   *device.DeviceKey
	over  chan struct{}   // closed when it no longer carries the stream
	soon  chan struct{}   // an acknowledgement is owed
	now   chan struct{}   // … and urgent
	ask   chan wire.Nonce // the vault wants a new proof
	cut   atomic.Bool     // somebody closes conn
	bye   *wire.Bye       // why the vault ends it; for the reading goroutine
	since time.Time       // when it began to carry the stream

	// Guarded by the stream's mu.
	broken   bool   // a write failed
	draining bool   // takes no more calls
	frames   uint64 // received and not acknowledged
	bytes    int
	heard    bool // it brought a message
}

// end closes the connection, unless somebody is at it already.
func (l *link) end(code int) {
	if l.cut.CompareAndSwap(false, true) {
		_ = l.conn.Close(code, "")
	}
}

// stay keeps a link to the vault until ctx ends.
func (s *stream) stay(ctx context.Context) {
	select {
	case <-s.began:
	case <-ctx.Done():
		return
	}
	var pace pace
	for s.dialer != nil && ctx.Err() == nil && s.alive() {
		l, err := s.connect(ctx)
		if err == nil {
			err = s.carry(ctx, l)
		}
		if ctx.Err() != nil {
			return
		}
		rest := pace.after(s.note(l, err))
		s.cfg.Log.Info("no link to the vault", "err", err, "again_in", rest.wait)
		s.rest(ctx, rest)
	}
}

// alive reports whether a link would be of any use.
func (s *stream) alive() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dead == nil
}

// connect dials, says hello and prepares the stream for what the vault answers.
func (s *stream) connect(ctx context.Context) (*link, error) {
	conn, key, err := s.dialer.Dial(ctx)
	if err != nil {
		return nil, err
	}
	l := &link{
		conn: conn, key: key, over: make(chan struct{}),
		soon: make(chan struct{}, 1), now: make(chan struct{}, 1), ask: make(chan wire.Nonce, 1),
	}
	stop := context.AfterFunc(ctx, func() { l.end(wsconn.CodeNormal) })
	defer stop()
	late := time.AfterFunc(wire.HandshakeTimeout, func() { l.end(wsconn.CodePolicy) })
	defer late.Stop()
	if err := s.hello(l); err != nil {
		l.end(wsconn.CodeProtocol)
		return l, err
	}
	return l, nil
}

func (s *stream) hello(l *link) error {
	s.mu.Lock()
	hello := wire.Hello{Stream: s.name, Received: s.helloLocked(), Version: s.cfg.Version, OS: s.cfg.OS, Host: s.cfg.Host, User: s.cfg.User, KeyClass: l.key.Class}
	s.mu.Unlock()
	if err := l.conn.WriteBinary(wire.Encode(wire.KindHello, hello)); err != nil {
		return err
	}
	isText, frame, err := l.conn.Read()
	if err != nil {
		return err
	}
	kind, body, err := wire.KindOf(frame)
	if isText || err != nil {
		return errFrame
	}
	switch kind {
	case wire.KindResume:
		var answer wire.Resume
		if err := wire.Decode(body, &answer); err != nil {
			return err
		}
		return s.attach(l, answer)
	case wire.KindBye:
		l.bye = new(wire.Bye)
		if err := wire.Decode(body, l.bye); err != nil {
			return err
		}
		return fmt.Errorf("the vault said goodbye: %s", l.bye.Reason)
	}
	return errFrame
}

// attach makes l the link of the stream.
func (s *stream) attach(l *link, answer wire.Resume) error {
	s.mu.Lock()
	replay := 0
	switch {
	case !answer.Resumed:
		replay = s.restartLocked()
	case s.anew || !s.resumeLocked(answer.Received):
		s.anew = true
		s.mu.Unlock()
		return errCounts
	}
	s.mu.Unlock()
	if replay > 0 {
		if err := l.conn.WriteBinary(wire.Encode(wire.KindReplay, wire.Replay{Frames: replay})); err != nil {
			return err
		}
	}
	s.mu.Lock()
	if s.version != "" && s.version != answer.Version {
		s.announceLocked() // another vault may have other tools
	}
	s.version = answer.Version
	s.link, l.since = l, time.Now()
	s.mu.Unlock()
	s.cfg.Log.Info("linked to the vault", "resumed", answer.Resumed, "signed_in", answer.SignedIn, "version", answer.Version)
	return nil
}

// carry reads from l until it ends.
func (s *stream) carry(ctx context.Context, l *link) error {
	stop := context.AfterFunc(ctx, func() { l.end(wsconn.CodeNormal) })
	defer stop()
	var beside sync.WaitGroup
	beside.Go(func() { s.mind(ctx, l) }) // ends with l.over
	beside.Go(s.flush)                   // ends when all is sent or the link is lost; not here, or nobody would read
	err := s.readVault(ctx, l)
	l.end(wsconn.CodeNormal)
	s.detach(l)
	beside.Wait()
	return err
}

// detach takes l off; calls without an answer wait for the next link.
func (s *stream) detach(l *link) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(l.over)
	s.link = nil
	// A link that comes and goes does not make anybody wait for ever.
	if held := time.Since(l.since); held >= steady {
		s.downSince = time.Now()
	}
	if s.anyWaitedForLocked() {
		s.wantLinkLocked()
	}
}

// note keeps, for people, why there is no link, and says how the link ended.
func (s *stream) note(l *link, err error) ending {
	end := ending{err: err}
	if l != nil {
		end.bye = l.bye
		if !l.since.IsZero() {
			end.held = time.Since(l.since)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	end.heard = l != nil && l.heard
	origin := signin.Origin(s.cfg.VaultURL)
	refused, _ := errors.AsType[*dial.Refused](err)
	known, isUser := usererr.From(err)
	switch {
	case refused != nil:
		s.why, end.after = refused.Why, refused.After
	case isUser:
		s.why = known
	case end.bye != nil:
		s.why = explain(*end.bye, origin)
	case errors.Is(err, wsconn.ErrTooBig), errors.Is(err, wsconn.ErrText), errors.Is(err, errFrame), errors.Is(err, wire.ErrFrame), errors.Is(err, errCounts):
		s.anew = true // or it would send the same again
		s.why = usererr.New(usererr.Unavailable, "The vault at "+origin+" sent something that makes no sense", "It is tried again by itself; if it stays so, tell the vault's administrator")
	default:
		s.why = usererr.New(usererr.Unavailable, "The connection to the vault at "+origin+" was lost", "It is tried again by itself; check the network if it stays so")
	}
	end.code = s.why.Code
	if end.bye != nil && end.bye.Reason == wire.ByeRevoked {
		s.failOpenLocked(s.why, true)
	}
	return end
}

// explain says what a goodbye means.
func explain(bye wire.Bye, origin string) *usererr.Error {
	said := dial.Clean(bye.Message)
	if said != "" {
		said = ": " + said
	}
	switch bye.Reason {
	case wire.ByeRevoked:
		return usererr.New(usererr.Revoked, "The vault ended the session of this device"+said, "Ask again to sign in")
	case wire.ByeExpired:
		return usererr.New(usererr.Unavailable, "The session ended"+said, "Ask again")
	case wire.ByeLimit:
		return usererr.New(usererr.Unavailable, "The vault at "+origin+" does not take this connection now"+said, "It is tried again by itself")
	case wire.ByeVersion:
		return usererr.New(usererr.Version, "The vault at "+origin+" and this program do not fit together"+said, "Update Coatcheck on this computer, then restart the client")
	case wire.ByeDrain:
	}
	return usererr.New(usererr.Unavailable, "The vault at "+origin+" is restarting", "Ask again in a moment")
}

// mind does what is due on a link beside reading and writing messages.
func (s *stream) mind(ctx context.Context, l *link) {
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
		case <-l.soon:
			owed.Reset(wire.AckDelay)
		case <-l.now:
			err = s.acknowledge(l)
		case <-owed.C:
			err = s.acknowledge(l)
		case nonce := <-l.ask:
			err = s.prove(l, nonce)
		case now := <-tick.C:
			// The wall clock goes on while a computer sleeps.
			if slept := now.Round(0).Sub(last.Round(0)) - now.Sub(last); slept > sleepGap {
				err = fmt.Errorf("the computer slept for %v", slept)
			} else if s.waitedFor() {
				err = l.conn.Ping()
			}
			last = now
		}
		if err != nil {
			s.cfg.Log.InfoContext(ctx, "giving the link up", "err", err)
			l.end(wsconn.CodeNormal)
		}
	}
}

// acknowledge tells the vault what has arrived.
func (s *stream) acknowledge(l *link) error {
	s.mu.Lock()
	n, owed := s.received, l.frames > 0 && s.link == l
	l.frames, l.bytes = 0, 0
	s.mu.Unlock()
	if !owed {
		return nil
	}
	return l.conn.WriteBinary(wire.EncodeAck(n))
}

// prove answers a nonce with a proof that this is still the same device.
func (s *stream) prove(l *link, nonce wire.Nonce) error {
	proof, err := s.dialer.Prove(l.key, nonce.Nonce)
	if err != nil {
		return err
	}
	return l.conn.WriteBinary(wire.Encode(wire.KindProof, wire.Proof{Proof: proof}))
}
