package stream

import (
	"errors"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// Gone is what calls hear whose session has ended.
func Gone() error {
	return usererr.New(usererr.Revoked, "Access from this device was taken away or has ended", "Ask again to sign in")
}

// SameParty reports whether now is a session of the person and tenant of had.
func SameParty(now, had session.Session) bool {
	return now.ID != "" && now.Person == had.Person && now.Tenant == had.Tenant
}

// Standing is the session of a device as the store told it, the zero value for
// a guest.
type Standing struct {
	session.Session
	// Epoch is one that was known before the store was asked: whatever was
	// revoked up to it is not in Session.
	Epoch int64
}

// callerLocked is who speaks on s now.
func (s *Stream) callerLocked() identity.Caller {
	who := identity.Caller{Device: s.device, Stream: s.id}
	if s.session.ID != "" {
		who.Person, who.Tenant, who.Session = s.session.Person, s.session.Tenant, s.session.ID
	}
	return who
}

// Now is the maker of a call as the stream knows it at this moment.
func (s *Stream) Now(was identity.Caller) identity.Caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := s.callerLocked()
	who.Address, who.Call, who.Replayed = was.Address, was.Call, was.Replayed
	return who
}

// Standing is what the stream knows of its session; closed says that the
// stream has ended.
func (s *Stream) Standing() (now Standing, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Standing{s.session, s.epoch}, s.closed
}

// Used returns the session if it was used and was not touched for every, or is
// past its time at now; otherwise due is false.
func (s *Stream) Used(now time.Time, every time.Duration) (had session.Session, touch, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	had = s.session
	if had.ID == "" {
		return had, false, false
	}
	if touch = s.used && now.Sub(s.touched) >= every; touch {
		s.used, s.touched = false, now
	}
	over := now.After(had.Until) || now.After(had.IdleUntil)
	return had, touch && !over, touch || over
}

// adoptLocked makes who the session of s and returns the calls that waited for
// it, for the caller to wake once mu is free. Nobody becomes a guest again: a
// stream whose session is gone ends.
func (s *Stream) adoptLocked(who Standing) *Wait {
	if who.ID == "" && s.session.ID != "" {
		return nil
	}
	changed := who.ID != s.session.ID
	s.session, s.epoch = who.Session, who.Epoch
	if who.ID != "" {
		s.moveLocked()
	}
	if !changed {
		return nil
	}
	s.touched = time.Now()
	if who.ID == "" {
		return nil
	}
	waits := s.login
	s.login = nil
	return waits
}

func (s *Stream) adopt(now Standing) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	waits := s.adoptLocked(now)
	s.mu.Unlock()
	waits.end(nil)
}

// Check compares the stream with what the store says of its device's session,
// and ends it if its own is gone. It returns err unless that is
// [session.ErrNone].
func (s *Stream) Check(now Standing, err error) error {
	if err != nil && !errors.Is(err, session.ErrNone) {
		return err
	}
	switch had, closed := s.Standing(); {
	case closed, had.ID == "" && now.ID == "":
	case had.ID == "" || SameParty(now.Session, had.Session):
		s.adopt(now)
	default:
		s.cut(had.Session)
	}
	return nil
}

// cut ends a stream whose session is gone: its calls are cancelled and their
// answers withheld.
func (s *Stream) cut(had session.Session) {
	now := time.Now()
	bye := &wire.Bye{Reason: wire.ByeRevoked, Message: "access from this device was taken away"}
	if now.After(had.Until) || now.After(had.IdleUntil) {
		bye = &wire.Bye{Reason: wire.ByeExpired, Message: "the session ended after its time"}
	}
	s.cfg.Log.Info("stream closed", "reason", bye.Reason, "device", s.device, "stream", s.id, "session", had.ID, "person", had.Person)
	s.Drop(wsconn.CodePolicy, bye)
}

// Wait is one or more calls of a stream that wait for the same sign-in. A nil
// Wait has no calls and is ready to end.
type Wait struct {
	calls int // guarded by the stream's mu
	once  sync.Once
	done  chan struct{} // closed by end
	err   error         // set before done is closed
}

// Done is closed when the sign-in has ended; Err says how.
func (w *Wait) Done() <-chan struct{} { return w.done }

// Err is nil after a good sign-in. It may be asked once Done is closed.
func (w *Wait) Err() error { return w.err }

// end wakes the calls.
func (w *Wait) end(err error) {
	if w == nil {
		return
	}
	w.once.Do(func() {
		w.err = err
		close(w.done)
	})
}

// Join adds a call to those that wait on s, and says whether it is the first.
// ok is false if who is not the caller any more: then there is nothing to wait
// for. Every Wait is given back with [Stream.Quit].
func (s *Stream) Join(who identity.Caller) (wait *Wait, first, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session.ID != "" && s.session.ID != who.Session {
		return nil, false, false
	}
	if s.closed {
		wait = &Wait{done: make(chan struct{})}
		wait.end(Gone())
		return wait, false, true
	}
	if first = s.login == nil; first {
		s.login = &Wait{done: make(chan struct{})}
	}
	s.login.calls++
	s.parkLocked(who.Call, true)
	return s.login, first, true
}

// Quit takes a call out again. When it was the last, the next one asks anew.
func (s *Stream) Quit(wait *Wait, who identity.Caller) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parkLocked(who.Call, false)
	if wait.calls--; wait.calls <= 0 && s.login == wait {
		s.login = nil
	}
}

func (s *Stream) parkLocked(key string, parked bool) {
	if c, ok := s.calls[key]; ok {
		c.parked = parked
		s.calls[key] = c
	}
}

// Settle ends the waiting on s. Without an outcome that is wrong, now is the
// new session; a stream of somebody else who had signed in on the device ends.
func (s *Stream) Settle(now Standing, outcome error) {
	s.mu.Lock()
	had := s.session
	switch {
	case s.closed:
		s.mu.Unlock()
		return
	case outcome == nil && had.ID != "" && !SameParty(now.Session, had):
		s.mu.Unlock()
		s.cut(had)
		return
	}
	waits := s.login
	s.login = nil
	if outcome == nil {
		s.adoptLocked(now)
	}
	s.mu.Unlock()
	waits.end(outcome)
}
