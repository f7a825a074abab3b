package stream_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
)

// The conversations of streams are tested where shims arrive, at the door of
// the gateway.

func TestDue(t *testing.T) {
	if err := stream.CheckDue(); err != nil {
		t.Error(err)
	}
}

func FuzzControl(f *testing.F) {
	f.Add(wire.EncodeAck(3))
	f.Add(wire.EncodeAck(5))
	f.Add(wire.Encode(wire.KindReplay, wire.Replay{Frames: 2}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := stream.CheckControl(data); err != nil {
			t.Error(err)
		}
	})
}
