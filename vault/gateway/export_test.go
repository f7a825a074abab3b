package gateway

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// CheckScan compares what scan says with what encoding/json and the decoder
// say.
func CheckScan(data []byte) error {
	found, bad := scan(data)
	if bad != nil {
		_ = encodeFault(found.id, bad)
		return nil
	}
	if !json.Valid(data) {
		// The decoder comes next and must find it, or the glance was right
		// about what counts: there is one id.
		if _, err := jsonrpc.DecodeMessage(data); err == nil {
			return fmt.Errorf("%q passes as a message", data)
		}
		return nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return fmt.Errorf("scan accepts %q, but %w", data, err)
	}
	if string(members["id"]) != string(found.id) {
		return fmt.Errorf("id of %q: got %q, want %q", data, found.id, members["id"])
	}
	if _, ok := members["method"]; ok != found.method {
		return fmt.Errorf("method of %q: got %v, want %v", data, found.method, ok)
	}
	return nil
}

// CheckControl acts on a binary frame as one from a shim.
func CheckControl(data []byte) error {
	g := New(Config{Log: slog.New(slog.DiscardHandler)})
	s := newStream(g, "d", "s")
	s.tail, s.sent, s.queued = [][]byte{[]byte("abc")}, 5, 3
	l := &link{}
	s.link = l
	kind, body, err := wire.KindOf(data)
	if err != nil {
		return nil
	}
	_ = s.act(l, kind, body)
	if s.replay < 0 || s.replay > maxReplay || len(s.tail) > 1 || s.queued != 3*len(s.tail) {
		return fmt.Errorf("after %q: replay %d, tail %d, queued %d", data, s.replay, len(s.tail), s.queued)
	}
	return nil
}

// Buffered is how many bytes wait for shims.
func (g *Gateway) Buffered() int64 { return g.buffered.Load() }
