package stream

import (
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// count counts a text frame from l and sees to it that it is acknowledged. ok
// is false for a frame from a link that the stream has left: it is not
// counted, so the shim sends it again.
func (s *Stream) count(l *Link, size int) (replayed, ok bool) {
	s.mu.Lock()
	if s.link != l {
		s.mu.Unlock()
		return false, false
	}
	if replayed = s.replay > 0; replayed {
		s.replay--
	}
	s.received++
	s.unacked += size
	now := !s.acking && (s.received-s.acked >= wire.AckFrames || s.unacked >= wire.AckBytes)
	soon := !now && !s.acking && !s.owing
	s.acking = s.acking || now
	s.owing = s.owing || soon
	s.mu.Unlock()
	switch {
	case now:
		s.cfg.Host.Spawn(s.acknowledge)
	case soon:
		s.cfg.Host.Owe(s)
	}
	return replayed, true
}

// acknowledge tells the shim what has arrived. One runs at a time for a
// stream (acking), so that the numbers never go back.
func (s *Stream) acknowledge() {
	for {
		s.mu.Lock()
		if s.link == nil || s.received == s.acked {
			s.acking = false
			s.mu.Unlock()
			return
		}
		l, n := s.link, s.received
		s.acked, s.unacked = n, 0
		s.mu.Unlock()
		if err := l.conn.WriteBinary(wire.EncodeAck(n)); err != nil {
			s.lose(l, err)
		}
		s.mu.Lock()
		if s.received-s.acked < wire.AckFrames && s.unacked < wire.AckBytes {
			s.acking = false
			soon := s.received != s.acked && !s.owing
			s.owing = s.owing || soon
			s.mu.Unlock()
			if soon {
				s.cfg.Host.Owe(s)
			}
			return
		}
		s.mu.Unlock()
	}
}

// acknowledged forgets frames that the shim has. It returns false for a count
// that cannot be.
func (s *Stream) acknowledged(l *Link, n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return true
	}
	if n > l.sent {
		return false
	}
	if n > s.sent-uint64(len(s.tail)) {
		s.trimLocked(n)
	}
	return true
}

// Pay sends the acknowledgement that the stream owes its shim.
func (s *Stream) Pay() {
	s.mu.Lock()
	s.owing = false
	pay := !s.acking && s.link != nil && s.received != s.acked
	s.acking = s.acking || pay
	s.mu.Unlock()
	if pay {
		s.cfg.Host.Spawn(s.acknowledge)
	}
}
