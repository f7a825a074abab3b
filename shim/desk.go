package shim

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

const (
	rootsTime = 5 * time.Second // for a client to say which folders it works in
	maxAsked  = 32              // of such questions at once
)

// roots are questions to the client that it has not answered. The shim asks
// itself, and does not let the vault tell it: a vault that does not mean well
// would allow itself the whole disk.
type roots struct {
	mu    sync.Mutex
	asked map[string]chan []string // guarded by mu; by id
}

// answer takes the client's answer to a question of the shim.
func (r *roots) answer(id string, message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if waits := r.asked[id]; waits != nil {
		delete(r.asked, id)
		waits <- words.RootsOf(message) // has room for one
	}
}

// askRoots asks the client for the folders that it works in; none if it has
// none to tell. In the stateless revision nobody may ask.
func (s *stream) askRoots(ctx context.Context) []string {
	s.mu.Lock()
	can := s.setup.promised && s.setup.roots
	s.mu.Unlock()
	if !can {
		return nil
	}
	question, id := words.AskRoots(rand.Text())
	waits := make(chan []string, 1)
	s.roots.mu.Lock()
	if s.roots.asked == nil {
		s.roots.asked = map[string]chan []string{}
	}
	full := len(s.roots.asked) >= maxAsked
	if !full {
		s.roots.asked[id] = waits
	}
	s.roots.mu.Unlock()
	if full {
		return nil
	}
	defer func() {
		s.roots.mu.Lock()
		defer s.roots.mu.Unlock()
		delete(s.roots.asked, id)
	}()
	s.out.Post(question)
	ctx, cancel := context.WithTimeout(ctx, rootsTime)
	defer cancel()
	select {
	case uris := <-waits:
		return uris
	case <-ctx.Done():
		return nil
	}
}

// running is the message of a call that the client still waits for.
func (s *stream) running(id string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.open[id]
	if c == nil || c.kind != kindTool || !s.waitedForLocked(c) {
		return nil, false
	}
	return c.message.Data, true
}

// sendFrame sends a frame over the link that there is, if there is one.
func (s *stream) sendFrame(frame []byte) {
	s.mu.Lock()
	l := s.link
	s.mu.Unlock()
	if l != nil {
		l.SendFrame(frame)
	}
}
