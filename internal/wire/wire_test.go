package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

func TestFramesCarryTheirBody(t *testing.T) {
	sent := wire.Hello{Stream: "st", Received: 1 << 60, Version: "v1", OS: "linux", Host: "h", User: "u", KeyClass: "file"}
	kind, body, err := wire.KindOf(wire.Encode(wire.KindHello, sent))
	if err != nil || kind != wire.KindHello {
		t.Fatalf("KindOf = %v, %v", kind, err)
	}
	var got wire.Hello
	if err := wire.Decode(body, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewerHalvesMayAddMembers(t *testing.T) {
	var got wire.Resume
	if err := wire.Decode([]byte(`{"resumed":true,"received":3,"signed_in":false,"colour":"green"}`), &got); err != nil || !got.Resumed || got.Received != 3 {
		t.Errorf("Decode = %+v, %v", got, err)
	}
}

func TestNewest(t *testing.T) {
	for want, names := range map[int][]string{
		wire.Version: {wire.Subprotocol},
		3:            {"coatcheck.v2", "mcp", "coatcheck.v3", "coatcheck.v1"},
		0:            {"", "mcp", "coatcheck.v", "coatcheck.v-1", "coatcheck.v99999999999", "Coatcheck.v1", "coatcheck.v1x"},
	} {
		if got := wire.Newest(names); got != want {
			t.Errorf("Newest(%q) = %d, want %d", names, got, want)
		}
	}
}

func TestAck(t *testing.T) {
	for _, n := range []uint64{0, 1, 127, 128, 1<<64 - 1} {
		kind, body, err := wire.KindOf(wire.EncodeAck(n))
		if err != nil || kind != wire.KindAck {
			t.Fatal(kind, err)
		}
		if got, err := wire.DecodeAck(body); err != nil || got != n {
			t.Errorf("DecodeAck = %d, %v, want %d", got, err, n)
		}
	}
	for _, bad := range []string{"", "\x80", "\x01\x01", strings.Repeat("\xff", 11)} {
		if _, err := wire.DecodeAck([]byte(bad)); !errors.Is(err, wire.ErrFrame) {
			t.Errorf("DecodeAck(%q) = %v, want ErrFrame", bad, err)
		}
	}
}

func TestErrorsNeverShowTheBody(t *testing.T) {
	var p wire.Proof
	err := wire.Decode([]byte(`{"proof":"CANARY`), &p)
	if !errors.Is(err, wire.ErrFrame) || strings.Contains(err.Error(), "CANARY") {
		t.Errorf("Decode = %v", err)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(wire.EncodeAck(300))
	f.Add(wire.Encode(wire.KindBye, wire.Bye{Reason: wire.ByeDrain, RetryAfterMillis: 5}))
	f.Add([]byte{byte(wire.KindHello), '{', '"'})
	f.Fuzz(func(t *testing.T, frame []byte) {
		kind, body, err := wire.KindOf(frame)
		if err != nil {
			if len(frame) > 0 && len(frame) <= wire.MaxControl {
				t.Errorf("KindOf refused %d bytes", len(frame))
			}
			return
		}
		if kind == wire.KindAck {
			if n, err := wire.DecodeAck(body); err == nil {
				if again, err := wire.DecodeAck(wire.EncodeAck(n)[1:]); err != nil || again != n {
					t.Errorf("ack %d came back as %d, %v", n, again, err)
				}
			}
			return
		}
		var hello wire.Hello
		var bye wire.Bye
		for _, into := range []any{&hello, &bye} {
			if err := wire.Decode(body, into); err != nil && !errors.Is(err, wire.ErrFrame) {
				t.Errorf("Decode = %v", err)
			}
		}
	})
}

func TestNamed(t *testing.T) {
	for name, want := range map[string]bool{
		"Az09-_": true, strings.Repeat("x", 64): true,
		"": false, strings.Repeat("x", 65): false, "a b": false, "a/b": false, "a\n": false, "ä": false, "a.b": false,
	} {
		if got := (wire.Hello{Stream: name}).Named(); got != want {
			t.Errorf("%q is a name: %t, want %t", name, got, want)
		}
	}
}
