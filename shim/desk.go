package shim

import (
	"context"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim/outbox"
	"github.com/coatcheck-mcp/coatcheck/shim/roots"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

// askRoots asks the client for the folders that it works in; none if it has
// none to tell. In the stateless revision that is asked in the answer to the
// call, which the client makes again with what it has to say.
func (s *stream) askRoots(ctx context.Context, call string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[call]
	switch {
	case s.setup.promised && s.setup.roots:
		s.mu.Unlock()
		defer s.mu.Lock()
		return s.roots.Ask(ctx, s.out.Post)
	case s.setup.promised || c == nil:
		return nil
	}
	if uris, told := roots.Told(c.message.Data); told || !roots.Tells(c.message.Data) || !s.waitedForLocked(c) {
		return uris
	}
	s.putBackLocked(c, roots.AskInAnswer(c.id))
	return nil
}

// putBackLocked answers a call with a question. It comes again, under another
// id, when that is answered.
func (s *stream) putBackLocked(c *call, question []byte) {
	s.replyLocked(c, question)
	c.cancelled = true
	s.files.End(c.id)
	s.box.Put(&outbox.Message{Data: words.NotWanted(c.id)})
	time.AfterFunc(0, s.flush) // which may wait for the link, for as long as a write may take
}

// running is the message of a call that the client still waits for.
func (s *stream) running(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.open[id]; c != nil && c.kind == kindTool && s.waitedForLocked(c) {
		return c.message.Data, true
	}
	return nil, false
}

// sendFrame sends a frame over the link that there is, if there is one.
func (s *stream) sendFrame(frame []byte) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	l.SendFrame(frame)
}
