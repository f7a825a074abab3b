package stream

import (
	"fmt"
	"log/slog"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// CheckControl acts on a binary frame as one from a shim.
func CheckControl(data []byte) error {
	s := New(&Config{Log: slog.New(slog.DiscardHandler), Room: &Room{Limit: 3, Share: 3}, Guests: &Room{Limit: 3, Share: 3}}, "d", "s")
	s.takeLocked(3)
	s.tail, s.sent, s.queued = [][]byte{[]byte("abc")}, 5, 3
	l := &Link{}
	s.link = l
	kind, body, err := wire.KindOf(data)
	if err != nil {
		return nil
	}
	_ = s.act(l, kind, body)
	if s.replay < 0 || s.replay > maxReplay || len(s.tail) > 1 || s.queued != 3*len(s.tail) || s.cfg.Guests.Used() != int64(s.queued) {
		return fmt.Errorf("after %q: replay %d, tail %d, queued %d", data, s.replay, len(s.tail), s.queued)
	}
	return nil
}
