package gateway_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// early is a shim that has upgraded and not said hello.
type early struct {
	*shim
	conn *wsconn.Conn
}

func (r *rig) early(t *testing.T, s *shim) early {
	t.Helper()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(wsconn.CodeNormal, "") })
	return early{s, conn}
}

// rush says hello and everything up to a call in one breath.
func (e early) rush() {
	_ = e.conn.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{Stream: e.stream}))
	_ = e.conn.WriteTexts([][]byte{
		[]byte(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`),
		[]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`),
		[]byte(toolCall("1", "live", `{"text":""}`)),
	})
}

// answer is what the call of rush gets; an error if the link ends first.
func (e early) answer() (string, error) {
	for {
		text, data, err := e.conn.Read()
		if err != nil {
			return "", err
		}
		if text && strings.Contains(string(data), `"id":1,`) {
			return string(data), nil
		}
	}
}

// TestRevokedBetweenUpgradeAndHello upgrades while the device has a session,
// and says hello and calls when it was revoked: at once, before the watch has
// seen it, and long after, while the store is slow.
func TestRevokedBetweenUpgradeAndHello(t *testing.T) {
	for _, test := range []struct {
		name        string
		after, slow time.Duration
	}{{"at once", 0, 0}, {"seen by the watch", 500 * time.Millisecond, 0}, {"slow store", 500 * time.Millisecond, 20 * time.Millisecond}} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, nil)
			var all []early
			for range 20 {
				s := r.shim(t)
				r.sessions.signIn(s.device, "p_ada")
				all = append(all, r.early(t, s))
			}
			for _, e := range all {
				r.sessions.revoke(e.device)
			}
			time.Sleep(test.after)
			r.sessions.onAsked(func() { time.Sleep(test.slow) })
			for _, e := range all {
				e.rush()
			}
			for _, e := range all {
				if got, err := e.answer(); err == nil && !strings.Contains(got, "not signed in") {
					t.Errorf("answer = %s", got)
				}
			}
			if n := r.passed.Load(); n != 0 {
				t.Errorf("%d of %d calls passed after the revocation", n, len(all))
			}
		})
	}
}

// TestRevokedWhileTheStoreAnswers holds the answer about a new session back
// until the watch has passed by the stream, which is a guest's then: what was
// read before the revocation does not count.
func TestRevokedWhileTheStoreAnswers(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	r.sessions.signIn(s.device, "p_ada")
	read, hold := make(chan struct{}, 64), make(chan struct{})
	r.sessions.onAsked(func() {
		read <- struct{}{}
		<-hold
	})
	s.send(toolCall("1", "private", `{"text":""}`))
	<-read
	r.sessions.onAsked(nil)
	r.sessions.revoke(s.device)
	time.Sleep(700 * time.Millisecond)
	close(hold)
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	s.send(toolCall("2", "live", `{"text":""}`))
	if a := s.next(); string(a.ID) != "2" || !a.Result.IsError || !strings.Contains(a.text(), "not signed in") {
		t.Errorf("answer = %+v", a)
	}
}

// TestHelloToADeafStore ends a link whose session cannot be read again.
func TestHelloToADeafStore(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	e := r.early(t, s)
	r.sessions.fail(errors.New("gone"))
	e.rush()
	if got, err := e.answer(); err == nil {
		t.Errorf("answer = %s", got)
	}
	if n := r.Streams(); n != 0 {
		t.Errorf("%d streams, want none", n)
	}
}
