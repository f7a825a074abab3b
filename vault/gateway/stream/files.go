package stream

import (
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/transfer"
)

// Files is the desk for the files of the shim's computer. It returns a user
// error for a shim that moves none.
func (s *Stream) Files() (*transfer.Desk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, Gone()
	case s.link != nil && !slices.Contains(s.link.Can, wire.CanFiles):
		return nil, usererr.New(usererr.Version, "The Coatcheck on this computer is too old to move files",
			"Update Coatcheck on this computer, then restart the client")
	case s.files == nil:
		s.files = transfer.New(s.Send)
	}
	return s.files, nil
}

// fileFrame gives a frame to who asked for it.
func (s *Stream) fileFrame(kind wire.Kind, body []byte) error {
	s.mu.Lock()
	desk := s.files
	s.mu.Unlock()
	if desk == nil {
		return wire.ErrFrame // nobody has asked for anything
	}
	return desk.Frame(kind, body)
}

// askAgain asks again over a new link what has no answer.
func (s *Stream) askAgain() {
	s.mu.Lock()
	desk := s.files
	s.mu.Unlock()
	if desk != nil {
		s.cfg.Host.Spawn(desk.Again) // ends when all is sent, or the link lost
	}
}
