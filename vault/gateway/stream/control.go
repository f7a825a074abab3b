package stream

import (
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
)

// maxReplay is more than a shim can have to say again.
const maxReplay = wire.MaxInFlight + 1024

// control acts on a binary frame. Frames that no shim of ours sends end the
// link; kinds that are not known come from a newer one and are ignored.
func (s *Stream) control(l *Link, frame []byte) {
	kind, body, err := wire.KindOf(frame)
	if err == nil {
		err = s.act(l, kind, body)
	}
	if err != nil {
		s.cfg.Log.Warn("bad frame", "device", s.device, "stream", s.id, "err", err)
		s.detach(l)
	}
}

func (s *Stream) act(l *Link, kind wire.Kind, body []byte) error {
	switch kind {
	case wire.KindAck:
		n, err := wire.DecodeAck(body)
		if err == nil && !s.acknowledged(l, n) {
			return wire.ErrFrame
		}
		return err
	case wire.KindReplay:
		var replay wire.Replay
		if err := wire.Decode(body, &replay); err != nil {
			return err
		}
		if replay.Frames < 0 || replay.Frames > maxReplay {
			return wire.ErrFrame
		}
		s.mu.Lock()
		if s.link == l {
			s.replay = replay.Frames
		}
		s.mu.Unlock()
	case wire.KindProof:
		var proof wire.Proof
		if err := wire.Decode(body, &proof); err != nil {
			return err
		}
		s.prove(l, proof.Proof)
	case wire.KindFileAnswer, wire.KindFileData:
		return s.fileFrame(kind, body)
	case wire.KindHello, wire.KindResume, wire.KindNonce, wire.KindLoginRequired, wire.KindLoginDone, wire.KindBye,
		wire.KindFileOpen, wire.KindFileRead, wire.KindFileWrite, wire.KindFileClose:
		return wire.ErrFrame // said already, or not the shim's to say
	}
	return nil
}

// prove checks the answer to a nonce, aside, since it takes the store.
func (s *Stream) prove(l *Link, proof string) {
	s.mu.Lock()
	asked := s.link == l && !l.asked.IsZero() && !l.proving
	l.proving = l.proving || asked
	s.mu.Unlock()
	if !asked {
		return
	}
	s.cfg.Host.Spawn(func() {
		ctx, cancel := s.cfg.Host.StoreContext()
		defer cancel()
		thumbprint, err := s.cfg.Verifier.Verify(ctx, proof, "GET", s.cfg.URL)
		s.mu.Lock()
		l.proving = false
		good := err == nil && thumbprint == string(s.device)
		if good {
			l.proved, l.asked = time.Now(), time.Time{}
		}
		s.mu.Unlock()
		if !good {
			s.cfg.Log.Warn("renewed proof refused", "device", s.device, "stream", s.id, "err", err)
			if s.cfg.Refused != nil && (err == nil || errors.Is(err, dpop.ErrInvalid) || errors.Is(err, dpop.ErrReplayed)) {
				s.cfg.Refused(s.device, l.address)
			}
			s.expire(l)
		}
	})
}

// expire ends a link whose shim did not prove again who it is. The stream
// waits for the shim to come back and do so.
func (s *Stream) expire(l *Link) {
	s.mu.Lock()
	here := s.link == l
	if here {
		s.link, s.lost = nil, time.Now()
	}
	s.mu.Unlock()
	if here {
		l.End(wsconn.CodePolicy, &wire.Bye{Reason: wire.ByeExpired, Message: "the proof of the device's key was not renewed"})
	}
}
