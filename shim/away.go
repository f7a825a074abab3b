package shim

import (
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/link"
)

// Begin implements [link.Stream]. To a vault that does not know the stream,
// what set the conversation up is sent again, then the calls without an answer.
func (s *stream) Begin(answer wire.Resume) (replay int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !answer.Resumed {
		again := s.replayLocked()
		s.box.Restart(again)
		replay = len(again)
		s.files.Reset()
	} else if !s.box.Resume(answer.Received) {
		return 0, link.ErrNonsense
	}
	if s.version != "" && s.version != answer.Version {
		s.announceLocked(greeting.Lists{Tools: true, Prompts: true}) // another vault may have others
	}
	s.announceLocked(s.missed)
	s.missed, s.version = greeting.Lists{}, answer.Version
	s.signin.Linked()
	return replay, nil
}

// Carry implements [link.Stream].
func (s *stream) Carry(l *link.Link) {
	s.mu.Lock()
	s.link = l
	s.mu.Unlock()
	s.flush()
}

// Away implements [link.Stream]: calls without an answer wait for the next
// link.
func (s *stream) Away(end link.Ending) (waiting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.link, s.why = nil, end.Why
	// A link that comes and goes does not make anybody wait for ever.
	if end.Held >= link.Steady {
		s.downSince = time.Now()
	}
	if end.Bye == wire.ByeRevoked {
		s.failOpenLocked(end.Why, true)
	}
	if waiting = s.anyWaitedForLocked(); waiting {
		s.wantLinkLocked()
	}
	return waiting
}

// Quiet implements [link.Stream].
func (s *stream) Quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.open {
		if c.message.Sent && s.waitedForLocked(c) && c.kind != kindListen {
			return false
		}
	}
	return true
}
