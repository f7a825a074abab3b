package stream

import "sync/atomic"

// Room bounds the bytes that streams keep. Those who are signed in have one
// together, which counts what waits for their shims; guests have another,
// which counts what arrives from them and their requests under way as well:
// nobody knows them, and they may send messages that never end, and let calls
// wait for a sign-in that never comes.
type Room struct {
	Limit   int64 // of all
	Share   int   // of one stream
	Message int   // of one message that arrives; 0 for the limit of the wire
	used    atomic.Int64
}

// Used is how many bytes are kept.
func (r *Room) Used() int64 { return r.used.Load() }

// take counts n bytes more of a stream that has had so many, unless that is
// too much.
func (r *Room) take(had, n int) bool {
	if had+n > r.Share {
		return false
	}
	if r.used.Add(int64(n)) > r.Limit {
		r.give(n)
		return false
	}
	return true
}

func (r *Room) give(n int) { r.used.Add(-int64(n)) }

// guestLocked reports whether s counts among the guests.
func (s *Stream) guestLocked() bool { return s.room == s.cfg.Guests }

// takeLocked counts n bytes more in the room of s.
func (s *Stream) takeLocked(n int) bool {
	if !s.room.take(s.held, n) {
		return false
	}
	s.held += n
	return true
}

// giveLocked gives n bytes back; a stream that has ended has done so already.
func (s *Stream) giveLocked(n int) {
	if s.closed {
		return
	}
	s.room.give(n)
	s.held -= n
}

// moveLocked takes s from the room of the guests into the other, which always
// has room for what little a guest may have.
func (s *Stream) moveLocked() {
	if !s.guestLocked() || s.closed {
		return
	}
	s.room.give(s.held)
	s.arriving = 0
	s.known.Store(s.cfg.Room.Message == 0)
	s.room, s.held = s.cfg.Room, s.queued
	s.room.used.Add(int64(s.held))
	s.cfg.Host.SignedIn(s)
}

// meter is the [wsconn.Conn.Meter] of the links of s.
func (s *Stream) meter(bytes int) int {
	if s.known.Load() {
		return bytes // without the lock, since it is asked for each message
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.room.Message
	if most == 0 {
		return bytes
	}
	bytes = min(bytes, most)
	if more := bytes - s.arriving; more > 0 && !s.takeLocked(more) {
		return s.arriving
	} else if more < 0 {
		s.giveLocked(-more)
	}
	s.arriving = bytes
	return bytes
}
