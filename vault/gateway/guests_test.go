package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
)

// until waits for what comes about by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("in half a minute it did not come about that %s", what)
}

// member is the shim of somebody who is signed in.
func (r *rig) member(t *testing.T) *shim {
	t.Helper()
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	return s
}

// TestGuestsHaveARoomOfTheirOwn lets guests that acknowledge nothing fill what
// they may: they are dropped, and somebody who is signed in is served.
func TestGuestsHaveARoomOfTheirOwn(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.GuestBytes = 512 << 10; c.MaxBuffered = 512 << 10 })
	s := r.member(t)
	s.connect()
	s.initialize()
	for range 3 {
		e := r.early(t, r.shim(t))
		e.rush()
		if _, err := e.answer(); err != nil {
			t.Fatal(err)
		}
		for i := range 4 { // of which two fit
			_ = e.conn.WriteText([]byte(toolCall(fmt.Sprint(i+10), "echo", fmt.Sprintf(`{"text":"","size":%d}`, 200<<10))))
		}
		for i := range 4 {
			s.send(toolCall(fmt.Sprint(i), "echo", fmt.Sprintf(`{"text":"","size":%d}`, 50<<10)))
			if a := s.next(); len(a.text()) != 50<<10 {
				t.Fatalf("answer = %+v", a)
			}
		}
		until(t, "the guest is dropped", func() bool { return r.Streams() == 1 })
	}
	if n := r.GuestsHold(); n != 0 {
		t.Errorf("guests that are gone hold %d bytes", n)
	}
}

// TestAGuestsCallsCount lets calls with much in them wait for a sign-in; what
// they hold is given back when the person is known.
func TestAGuestsCallsCount(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	much := `{"text":"` + strings.Repeat("x", 700<<10) + `"}`
	s.send(toolCall("1", "private", much))
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	if n := r.GuestsHold(); n < 700<<10 {
		t.Errorf("a call of 700 KiB counts as %d bytes", n)
	}
	s.send(toolCall("2", "private", much))
	if a := s.next(); string(a.ID) != "2" || a.Error == nil || !strings.Contains(a.Error.Message, "not signed in") {
		t.Errorf("the second = %+v", a)
	}
	r.sessions.signIn(s.device, "p_ada")
	r.LoginDone(s.device, wire.LoginDone{OK: true})
	if a := s.next(); string(a.ID) != "1" || a.text() != "hello p_ada" {
		t.Errorf("the first = %+v", a)
	}
	if n := r.GuestsHold(); n != 0 {
		t.Errorf("the guest that was holds %d bytes", n)
	}
	s.send(toolCall("3", "private", much))
	if a := s.next(); a.text() != "hello p_ada" {
		t.Errorf("signed in = %+v", a)
	}
	s.cut()
	if got := s.connect(); !got.Resumed {
		t.Error("not resumed")
	}
	until(t, "all is acknowledged", func() bool { return r.Buffered() == 0 })
}

// TestAGuestIsForgotten gives back what a guest had who leaves in mid-call.
func TestAGuestIsForgotten(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.Linger = time.Millisecond })
	s := r.shim(t)
	s.connect()
	s.initialize()
	s.send(toolCall("1", "private", `{"text":"`+strings.Repeat("x", 1000)+`"}`))
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	s.cut()
	until(t, "the stream ends", func() bool { return r.Streams() == 0 })
	if n := r.GuestsHold(); n != 0 {
		t.Errorf("it still holds %d bytes", n)
	}
}
