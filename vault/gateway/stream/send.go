package stream

import (
	"io"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// sendText sends one MCP message, now or when there is a link again; call is
// the call that it answers, or "". When somebody sends already, the message
// goes with theirs: many answers at once take few system calls. Its error is
// io.ErrClosedPipe once the stream has ended.
func (s *Stream) sendText(data []byte, call string) error {
	if !s.reserve(len(data)) {
		s.cfg.Log.Warn("stream over its limit of unacknowledged bytes", "device", s.device, "stream", s.id)
		s.Drop(wsconn.CodePolicy, &wire.Bye{Reason: wire.ByeLimit, Message: "too many answers were not fetched"})
		return io.ErrClosedPipe
	}
	s.mu.Lock()
	s.leaveLocked(call)
	if s.closed {
		s.mu.Unlock()
		return io.ErrClosedPipe
	}
	s.sent++
	s.tail = append(s.tail, data)
	s.mu.Unlock()
	s.flush()
	return nil
}

// flush sends what is in the tail and was not sent over the link yet, unless
// somebody does so already. What comes meanwhile is sent by a task of its own,
// so that nobody sends for others for ever.
func (s *Stream) flush() {
	l, due := s.due(false)
	if l == nil {
		return
	}
	s.deliver(l, due)
	if l, due = s.due(true); l == nil {
		return
	}
	s.cfg.Host.Spawn(func() { // ends when nothing is due, or with the link
		for l != nil {
			s.deliver(l, due)
			l, due = s.due(true)
		}
	})
}

// due returns what is to be sent, and over which link, to the one who sends;
// mine says that this is the caller already. Without a link there is nothing
// to do, and nobody who sends.
func (s *Stream) due(mine bool) (l *Link, frames [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sending && !mine {
		return nil, nil
	}
	l = s.link
	s.sending = l != nil && l.sent < s.sent
	if !s.sending {
		return nil, nil
	}
	// What went over another link, and was acknowledged there, is no longer there.
	n := min(s.sent-l.sent, uint64(len(s.tail)))
	frames = slices.Clone(s.tail[uint64(len(s.tail))-n:])
	l.sent = s.sent
	return l, frames
}

func (s *Stream) deliver(l *Link, frames [][]byte) {
	if err := l.conn.WriteTexts(frames); err != nil {
		s.lose(l, err)
	}
}

// reserve counts bytes that wait for the shim, before they queue for the link.
func (s *Stream) reserve(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true // sendText says so
	}
	if !s.takeLocked(n) {
		return false
	}
	s.queued += n
	return true
}

// trimLocked forgets frames that the shim has.
func (s *Stream) trimLocked(received uint64) {
	n := len(s.tail) - int(s.sent-received) //nolint:gosec // checked by the callers: within tail
	freed := 0
	for _, data := range s.tail[:n] {
		freed += len(data)
	}
	s.queued -= freed
	s.giveLocked(freed)
	clear(s.tail[:n])
	if s.tail = s.tail[n:]; len(s.tail) == 0 {
		s.tail = nil
	}
}

// Send sends a frame of ours if there is a link; such frames are never sent
// again. It may wait for a slow peer.
func (s *Stream) Send(frame []byte) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.conn.WriteBinary(frame); err != nil {
		s.lose(l, err)
	}
}
