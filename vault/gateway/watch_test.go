package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// many answers for many devices at once.
type many struct {
	*sessions
	questions atomic.Int32
}

func (m *many) CurrentAll(_ context.Context, devices []identity.DeviceID) (map[identity.DeviceID]session.Session, error) {
	m.questions.Add(1)
	all := map[identity.DeviceID]session.Session{}
	for _, device := range devices {
		if now, err, _ := m.current(device); err == nil {
			all[device] = now
		}
	}
	return all, nil
}

// TestARevocationIsOneQuestion cuts whom it is about, and asks the store once
// about all who are signed in.
func TestARevocationIsOneQuestion(t *testing.T) {
	var m *many
	r := newRig(t, func(c *gateway.Config) {
		m = &many{sessions: c.Sessions.(*sessions)}
		c.Sessions = m
	})
	shims := make([]*shim, 10)
	for i := range shims {
		shims[i] = r.member(t)
		shims[i].connect()
	}
	r.shim(t).connect() // a guest
	before := m.questions.Load()
	r.sessions.revoke(shims[3].device)
	var bye wire.Bye
	shims[3].frame(wire.KindBye, &bye)
	if bye.Reason != wire.ByeRevoked {
		t.Errorf("bye = %+v", bye)
	}
	until(t, "the stream is gone", func() bool { return r.Streams() == len(shims) })
	if n := m.questions.Load() - before; n != 1 {
		t.Errorf("%d questions, want one", n)
	}
	for i, s := range shims {
		if got := r.Alive(s.device, identity.StreamID(s.stream)); got != (i != 3) {
			t.Errorf("stream %d lives = %v", i, got)
		}
	}
}
