package gateway

import (
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// count counts a text frame from l and sees to it that it is acknowledged. ok
// is false for a frame from a link that the stream has left: it is not
// counted, so the shim sends it again.
func (s *stream) count(l *link, size int) (replayed, ok bool) {
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
		s.g.spawn(s.acknowledge)
	case soon:
		s.g.owe(s)
	}
	return replayed, true
}

// acknowledge tells the shim what has arrived. One runs at a time for a
// stream (acking), so that the numbers never go back.
func (s *stream) acknowledge() {
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
				s.g.owe(s)
			}
			return
		}
		s.mu.Unlock()
	}
}

// owe puts s on the list of those that get an acknowledgement soon.
func (g *Gateway) owe(s *stream) {
	g.dueMu.Lock()
	defer g.dueMu.Unlock()
	g.due = append(g.due, s)
}

// payAcknowledgements sends what the streams on the list are owed.
func (g *Gateway) payAcknowledgements() {
	g.dueMu.Lock()
	due := g.due
	g.due = nil
	g.dueMu.Unlock()
	for _, s := range due {
		s.mu.Lock()
		s.owing = false
		pay := !s.acking && s.link != nil && s.received != s.acked
		s.acking = s.acking || pay
		s.mu.Unlock()
		if pay {
			g.spawn(s.acknowledge)
		}
	}
}

// acknowledged forgets frames that the shim has. It returns false for a count
// that cannot be.
func (s *stream) acknowledged(l *link, n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.link != l {
		return true
	}
	if n > s.sent {
		return false
	}
	if n > s.sent-uint64(len(s.tail)) {
		s.trimLocked(n)
	}
	return true
}
