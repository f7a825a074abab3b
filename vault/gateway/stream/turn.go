package stream

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// proofTime is for a shim to answer a nonce.
const proofTime = 30 * time.Second

// Turn does what is due: a ping, a new proof, the end of a stream whose shim
// has been away for too long. It never waits for the peer.
func (s *Stream) Turn(now time.Time) {
	s.mu.Lock()
	l := s.link
	if l == nil {
		over := !s.closed && now.Sub(s.lost) > s.cfg.Linger
		s.mu.Unlock()
		if over {
			s.Drop(wsconn.CodeNormal, nil)
		}
		return
	}
	ping := now.Sub(l.pinged) >= wire.PingEvery
	if ping {
		l.pinged = now
	}
	ask := l.asked.IsZero() && now.Sub(l.proved) >= wire.ReproofEvery-2*proofTime
	if ask {
		l.asked = now
	}
	expired := !ask && !l.asked.IsZero() && !l.proving && now.Sub(l.asked) > proofTime
	s.mu.Unlock()
	switch {
	case expired:
		s.cfg.Host.Spawn(func() { s.expire(l) })
	case ask:
		s.cfg.Host.Spawn(func() { s.Send(wire.Encode(wire.KindNonce, wire.Nonce{Nonce: s.cfg.Nonces.Issue()})) })
	case ping:
		s.cfg.Host.Spawn(func() {
			if err := l.conn.Ping(); err != nil {
				s.lose(l, err)
			}
		})
	}
}
