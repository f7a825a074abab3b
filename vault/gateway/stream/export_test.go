package stream

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// CheckControl acts on a binary frame as one from a shim, to whom the last of
// five text frames was sent, or is about to be.
func CheckControl(data []byte) error {
	return errors.Join(checkControl(data, 5), checkControl(data, 4))
}

func checkControl(data []byte, sent uint64) error {
	s := New(&Config{Log: slog.New(slog.DiscardHandler), Room: &Room{Limit: 3, Share: 3}, Guests: &Room{Limit: 3, Share: 3}}, "d", "s")
	s.takeLocked(3)
	s.tail, s.sent, s.queued = [][]byte{[]byte("abc")}, 5, 3
	l := &Link{sent: sent}
	s.link = l
	kind, body, err := wire.KindOf(data)
	if err != nil {
		return nil
	}
	_ = s.act(l, kind, body)
	if s.replay < 0 || s.replay > maxReplay || len(s.tail) > 1 || s.queued != 3*len(s.tail) || s.cfg.Guests.Used() != int64(s.queued) || sent < 5 && len(s.tail) == 0 {
		return fmt.Errorf("after %q with %d sent: replay %d, tail %d, queued %d", data, sent, s.replay, len(s.tail), s.queued)
	}
	return nil
}

// CheckDue has a link over which less went than the shim has meanwhile, and
// one over which a frame is on its way.
func CheckDue() error {
	s := New(&Config{Log: slog.New(slog.DiscardHandler), Room: &Room{}, Guests: &Room{}}, "d", "s")
	s.tail, s.sent, s.link = [][]byte{[]byte("abc")}, 30, &Link{sent: 7}
	l, frames := s.due(false)
	if l != s.link || len(frames) != 1 || l.sent != 30 {
		return fmt.Errorf("due: %q over %v", frames, l)
	}
	if calls, unheard := s.Busy(); calls == 0 || !unheard {
		return fmt.Errorf("while somebody sends, %d calls are busy, %v", calls, unheard)
	}
	if l, _ := s.due(false); l != nil {
		return errors.New("two send at once")
	}
	if l, _ := s.due(true); l != nil {
		return errors.New("something is due twice")
	}
	if calls, _ := s.Busy(); calls != 0 {
		return fmt.Errorf("%d calls are busy when nobody sends", calls)
	}
	return nil
}
