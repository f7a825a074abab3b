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
	const each, calls = 60 << 10, 20
	much := func(n int) string {
		return toolCall(fmt.Sprint(n), "private", `{"text":"`+strings.Repeat("x", each)+`"}`)
	}
	for n := range calls {
		s.send(much(n))
	}
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	refused := 0
	for ; calls-refused > (1<<20)/each; refused++ {
		if a := s.next(); a.Error == nil || !strings.Contains(a.Error.Message, "not signed in") {
			t.Errorf("one too many = %+v", a)
		}
	}
	if n := r.GuestsHold(); n < int64(calls-refused-2)*each || n > 1<<20 {
		t.Errorf("%d calls of %d bytes count as %d bytes", calls-refused, each, n)
	}
	r.sessions.signIn(s.device, "p_ada")
	r.LoginDone(s.device, wire.LoginDone{OK: true})
	for range calls - refused {
		if a := s.next(); a.text() != "hello p_ada" && (a.Error == nil || !strings.Contains(a.Error.Message, "not signed in")) {
			t.Errorf("one that waited = %+v", a)
		}
	}
	if n := r.GuestsHold(); n != 0 {
		t.Errorf("the guest that was holds %d bytes", n)
	}
	s.send(toolCall("100", "private", `{"text":"`+strings.Repeat("x", 2<<20)+`"}`))
	if a := s.next(); a.text() != "hello p_ada" {
		t.Errorf("signed in = %+v", a)
	}
	s.cut()
	if got := s.connect(); !got.Resumed {
		t.Error("not resumed")
	}
	until(t, "all is acknowledged", func() bool { return r.Buffered() == 0 })
}

// TestAGuestsLargeMessage answers what is too large for a guest by its id,
// wherever that is, without keeping it, and goes on.
func TestAGuestsLargeMessage(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	for _, size := range []int{64 << 10, 64<<10 + 500, 70_000, 8<<20 - 200} {
		params := `"params":{"name":"private","arguments":{"text":"` + strings.Repeat("x", size) + `","id":7}}`
		for id, message := range map[string]string{
			`1`:      `{"jsonrpc":"2.0","id":1,"method":"tools/call",` + params + `}`,
			`"b\"2"`: `{"method":"tools/call",` + params + `,"jsonrpc":"2.0","id":"b\"2"}`,
			`-3`:     `{"method":"tools/call", ` + params + ` , "id" : -3 , "jsonrpc":"2.0" } `,
		} {
			s.send(message)
			if a := s.next(); string(a.ID) != id || a.Error == nil || !strings.Contains(a.Error.Message, "not signed in") || !strings.Contains(a.Error.Message, "coatcheck_status") {
				t.Errorf("%d bytes, id %s: %s %+v", size, id, a.ID, a.Error)
			}
		}
	}
	s.send(`{"jsonrpc":"2.0","id":4,"method":"ping"}`)
	if a := s.next(); string(a.ID) != "4" || a.Error != nil {
		t.Errorf("ping = %+v", a)
	}
	if n := r.GuestsHold(); n > 4<<10 { // answers that are not acknowledged yet
		t.Errorf("a guest without a call holds %d bytes", n)
	}
}

// TestMessagesThatNeverEnd begins a message of 8 MiB on several links of guests
// and sends half of it: the vault keeps little of each, counts it, and forgets
// it with the link.
func TestMessagesThatNeverEnd(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.GuestBytes = 160 << 10 })
	begun := make([]byte, 14+4<<20) // a text frame of 8 MiB behind a mask of zeros
	copy(begun, []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0x80, 0, 0})
	copy(begun[14:], `{"jsonrpc":"2.0","id":1,"method":"ping","params":"`)
	shims := make([]*shim, 4)
	for i := range shims {
		shims[i] = r.shim(t)
		shims[i].connect()
		if _, err := shims[i].raw.Write(begun); err != nil {
			t.Fatal(err)
		}
	}
	// All of it was read before the peer's buffers took the rest.
	until(t, "something is counted", func() bool { return r.GuestsHold() > 0 })
	if n := r.GuestsHold(); n > 160<<10 {
		t.Errorf("%d bytes are kept", n)
	}
	for _, s := range shims {
		_ = s.raw.Close()
	}
	until(t, "it is forgotten", func() bool { return r.GuestsHold() == 0 })

	// Before the hello it is even less.
	e := r.early(t, r.shim(t))
	if err := e.conn.WriteBinary(append([]byte{byte(wire.KindHello)}, make([]byte, 1<<20)...)); err != nil {
		t.Fatal(err)
	}
	if _, frame, err := e.conn.Read(); err != nil || wire.Kind(frame[0]) != wire.KindBye {
		t.Errorf("a hello of a MiB: %q, %v", frame, err)
	}
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
