package gateway_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
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

// TestAGuestMakesRoom fills a vault: guests get half of it at most, and go, the
// quietest first, when people who are signed in need the place.
func TestAGuestMakesRoom(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.MaxStreams = 6 })
	var guests [3]*shim
	for i := range guests {
		guests[i] = r.shim(t)
		guests[i].connect()
		guests[i].initialize()
	}
	if _, err := r.shim(t).tryConnect(); err == nil || !strings.Contains(err.Error(), "not signed in") {
		t.Errorf("a guest more than half: %v", err)
	}
	guests[0].send(toolCall("1", "slow", `{"text":""}`)) // under way
	until(t, "it is heard", func() bool { return r.GuestsHold() > 0 })
	guests[1].send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`) // the latest to be heard
	guests[1].next()
	for range 3 {
		r.member(t).connect()
	}
	for i, want := range [][3]bool{{true, true, false}, {true, false, false}, {false, false, false}} {
		r.member(t).connect()
		for j, s := range guests {
			if got := r.Alive(s.device, identity.StreamID(s.stream)); got != want[j] {
				t.Errorf("after %d too many: guest %d lives = %v", i+1, j, got)
			}
		}
		if n := r.Streams(); n != 6 {
			t.Errorf("%d streams", n)
		}
	}
	if _, err := r.member(t).tryConnect(); err == nil || !strings.Contains(err.Error(), "hold") {
		t.Errorf("one more than all: %v", err)
	}
}

// TestWhoSignsInIsNoGuestAnyMore frees the place among the guests.
func TestWhoSignsInIsNoGuestAnyMore(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.MaxStreams = 2 })
	s := r.shim(t)
	s.connect()
	if _, err := r.shim(t).tryConnect(); err == nil {
		t.Error("two guests of one")
	}
	r.sessions.signIn(s.device, "p_ada")
	r.LoginDone(s.device, wire.LoginDone{OK: true})
	other := r.shim(t)
	other.connect()
	other.cut()
	if got := other.connect(); got.Resumed {
		t.Errorf("resumed what has heard nothing: %+v", got)
	}
}

// TestLimitsOfANetwork lets one /64 wait for its hellos and open streams; what
// guests do there leaves those alone who are signed in.
func TestLimitsOfANetwork(t *testing.T) {
	from := netip.MustParseAddr("2001:db8::1")
	r := newRig(t, func(c *gateway.Config) {
		c.Address = func(*http.Request) netip.Addr {
			from = from.Next() // dials follow one another here
			return from
		}
	})
	r.LimitGuests(2)
	waiting := make([]early, 64)
	for i := range waiting {
		waiting[i] = r.early(t, r.shim(t))
	}
	if _, err := r.shim(t).dial(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("one more without hello: %v", err)
	}
	s := r.member(t)
	s.connect()
	s.initialize()
	s.send(toolCall("1", "echo", `{"text":"hi"}`))
	s.next()
	if who := <-r.callers; !strings.HasPrefix(who.Address, "2001:db8::") {
		t.Errorf("the call came from %q", who.Address)
	}
	for i, e := range waiting[:3] {
		e.rush()
		if _, err := e.answer(); (err == nil) != (i < 2) {
			t.Errorf("guest %d: %v", i, err)
		}
	}
	r.early(t, r.shim(t)) // there is room again
	from = netip.MustParseAddr("2001:db8:0:1::1")
	r.shim(t).connect() // elsewhere
}
