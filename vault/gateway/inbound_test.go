package gateway_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
)

// TestGarbageIsAnswered sends what no client should; the stream lives on.
func TestGarbageIsAnswered(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, test := range []struct {
		send string
		id   string
		code int
	}{
		{``, `null`, -32700},
		{`hello`, `null`, -32700},
		{`{`, `null`, -32700},
		{`{"jsonrpc":"2.0","id":1`, `null`, -32700},
		{`null`, `null`, -32700},
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, `null`, -32600},
		{`{"jsonrpc":"2.0","id":1,"method":"ping"} {}`, `1`, -32700},
		{`{"jsonrpc":"1.0","id":4,"method":"ping"}`, `4`, -32600},
		{`{"id":5,"method":"ping"}`, `5`, -32600},
		{`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, `1`, -32600},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"x"}`, `1`, -32600},
		{`{"jsonrpc":"2.0","id":null,"method":"ping"}`, `null`, -32600},
		{`{"jsonrpc":"2.0","id":true,"method":"ping"}`, `true`, -32600},
		{`{"jsonrpc":"2.0","id":1.5,"method":"ping"}`, `1.5`, -32600},
		{`{"jsonrpc":"2.0","id":{},"method":"ping"}`, `{}`, -32600},
		{`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, `9007199254740993`, -32600},
		{`{"jsonrpc":"2.0","id":"` + strings.Repeat("x", 600) + `","method":"ping"}`, `null`, -32600},
		{`{"jsonrpc":"2.0","id":6,"method":"ping","params":` + deep(64) + `}`, `6`, -32700},
		{`{"jsonrpc":"2.0","id":7,"method":7}`, `7`, -32600},
		{`{"jsonrpc":"2.0","id":8,"method":"no/such"}`, `8`, -32601},
		{`{"jsonrpc":"2.0"}`, `null`, -32600},
		{toolCall("9", "panic", `{"text":""}`), `9`, -32603},
	} {
		s.send(test.send)
		a := s.next()
		if string(a.ID) != test.id || a.Error == nil || a.Error.Code != test.code {
			t.Errorf("answer to %.80s = id %s, %+v; want id %s, code %d", test.send, a.ID, a.Error, test.id, test.code)
		} else if strings.Contains(a.Error.Message, "secret") {
			t.Errorf("the answer to %.80s tells too much: %s", test.send, a.Error.Message)
		}
	}
	for _, silent := range []string{
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"x"}}`,
		`{"jsonrpc":"2.0","id":99,"result":{}}`,
		`{"jsonrpc":"2.0","method":"notifications/whatever"}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":[]}}`,
	} {
		s.send(silent)
	}
	s.send(`{"jsonrpc":"2.0","id":10,"method":"ping","params":` + strings.Repeat(`{"a":`, 62) + `1` + strings.Repeat(`}`, 62) + `}`)
	if a := s.next(); string(a.ID) != "10" || a.Error != nil {
		t.Errorf("after the garbage: %+v", a)
	}
}

func TestBadFramesEndTheLinkOnly(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	for _, frame := range [][]byte{
		{},
		{byte(wire.KindAck)},
		wire.EncodeAck(1 << 40),
		{byte(wire.KindReplay), '{'},
		wire.Encode(wire.KindReplay, wire.Replay{Frames: -1}),
		wire.Encode(wire.KindReplay, wire.Replay{Frames: 1 << 30}),
		wire.Encode(wire.KindBye, wire.Bye{}),
		wire.Encode(wire.KindHello, wire.Hello{Stream: "x"}),
		append([]byte{byte(wire.KindProof)}, make([]byte, wire.MaxControl)...),
	} {
		_ = s.conn.WriteBinary(frame)
		select {
		case <-s.gone:
		case <-time.After(5 * time.Second):
			t.Fatalf("the link survived %.40q", frame)
		}
		if got := s.connect(); !got.Resumed {
			t.Fatalf("the stream did not survive %.40q", frame)
		}
	}
	_ = s.conn.WriteBinary([]byte{0x7f, 'x'}) // from the future
	s.send(`{"jsonrpc":"2.0","id":10,"method":"ping"}`)
	if a := s.next(); a.Error != nil {
		t.Errorf("ping = %+v", a)
	}
}

func TestHelloIsExpected(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	for _, frame := range [][]byte{
		wire.Encode(wire.KindHello, wire.Hello{Stream: ""}),
		wire.Encode(wire.KindHello, wire.Hello{Stream: "../x"}),
		wire.Encode(wire.KindHello, wire.Hello{Stream: strings.Repeat("x", 65)}),
		wire.EncodeAck(1),
		{byte(wire.KindHello), '{'},
	} {
		conn, err := s.dial()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.WriteBinary(frame)
		_, said, err := conn.Read()
		if kind, body, bad := wire.KindOf(said); err != nil || bad != nil || kind != wire.KindBye {
			t.Errorf("%.40q was answered with %q, %v", frame, said, err)
		} else if bye := (wire.Bye{}); wire.Decode(body, &bye) != nil || bye.Reason != wire.ByeVersion {
			t.Errorf("%.40q was answered with %q", frame, said)
		}
		if _, _, err := conn.Read(); err == nil {
			t.Errorf("%.40q was taken for a hello", frame)
		}
		_ = conn.Close(1000, "")
	}
	if n := r.Streams(); n != 0 {
		t.Errorf("%d streams, want none", n)
	}
}

func TestTooManyCallsAtOnce(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	for i := range wire.MaxInFlight {
		s.send(toolCall(fmt.Sprint(i), "slow", `{"text":"ok"}`))
	}
	s.send(toolCall(`"extra"`, "slow", `{"text":"ok"}`))
	if a := s.next(); string(a.ID) != `"extra"` || a.Error == nil || !strings.Contains(a.Error.Message, "too many") {
		t.Errorf("one too many: %+v", a)
	}
	s.send(toolCall("5", "slow", `{"text":"ok"}`))
	if a := s.next(); string(a.ID) != "5" || a.Error == nil || !strings.Contains(a.Error.Message, "under way") {
		t.Errorf("an id used twice: %+v", a)
	}
	close(r.release)
	for range wire.MaxInFlight {
		if a := s.next(); a.text() != "ok" {
			t.Errorf("answer = %+v", a)
		}
	}
	s.send(toolCall("5", "slow", `{"text":"ok"}`))
	if a := s.next(); a.text() != "ok" {
		t.Errorf("an id used again: %+v", a)
	}
}

func TestAnAnswerOverTheLimit(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	s.send(toolCall("1", "echo", fmt.Sprintf(`{"text":"","size":%d}`, wire.MaxMessage)))
	if a := s.next(); a.Error == nil || !strings.Contains(a.Error.Message, "8 MiB") {
		t.Errorf("answer = %.200v", a)
	}
	s.send(toolCall("2", "echo", fmt.Sprintf(`{"text":"","size":%d}`, wire.MaxMessage-200)))
	if a := s.next(); len(a.text()) != wire.MaxMessage-200 {
		t.Errorf("answer of %d bytes", len(a.text()))
	}
}

// TestAReaderThatNeverReads must cost no more than the limit, and only itself.
func TestAReaderThatNeverReads(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.WriteBinary(wire.Encode(wire.KindHello, wire.Hello{Stream: s.stream}))
	for range 300 {
		if r.Streams() == 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = conn.WriteText([]byte(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`))
	for i := range 8 { // 32 MiB, more than the limit
		_ = conn.WriteText([]byte(toolCall(fmt.Sprint(i), "echo", fmt.Sprintf(`{"text":"","size":%d}`, 4<<20))))
	}
	for range 1500 {
		if r.Streams() == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r.Streams() != 0 {
		t.Error("the stream of a reader that never reads lives on")
	}
	if n := r.Buffered(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
	_ = conn.Close(1000, "")
}

func TestLimitsOfStreams(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.MaxPerDevice = 2; c.MaxStreams = 3 })
	s := r.member(t)
	open := func(s *shim, name string) *shim {
		x := &shim{t: t, rig: r, key: s.key, device: s.device, stream: name, open: map[string][]byte{}, texts: s.texts, frames: s.frames, gone: make(chan error, 8)}
		return x
	}
	a, b, c := open(s, "a"), open(s, "b"), open(s, "c")
	a.connect()
	b.connect()
	if _, err := c.tryConnect(); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("a third stream: %v", err)
	}
	a.cut() // its process has died
	for range 100 {
		if !r.Alive(a.device, "a") {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	c.connect()
	other := open(r.member(t), "x")
	other.connect()
	if _, err := open(r.member(t), "y").tryConnect(); err == nil || !strings.Contains(err.Error(), "hold") {
		t.Errorf("one stream too many: %v", err)
	}
}
