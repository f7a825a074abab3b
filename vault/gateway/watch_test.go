package gateway_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

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

// counted counts how often the epoch is asked for.
type counted struct {
	*sessions
	asked atomic.Int32
}

func (c *counted) Epoch(ctx context.Context) (int64, error) {
	c.asked.Add(1)
	return c.sessions.Epoch(ctx)
}

// TestAHintIsFollowedAtOnce: a hundred looks from time to time alone would take
// half a minute.
func TestAHintIsFollowedAtOnce(t *testing.T) {
	var c *counted
	hints, ended := make(chan func(), 1), make(chan struct{})
	r := newRig(t, func(cfg *gateway.Config) {
		c = &counted{sessions: cfg.Sessions.(*sessions)}
		cfg.Sessions = c
		cfg.Moves = func(ctx context.Context, moved func()) {
			hints <- moved
			<-ctx.Done()
			close(ended)
		}
	})
	moved := <-hints
	deadline := time.Now().Add(15 * time.Second)
	for i := range 100 {
		before := c.asked.Load()
		moved()
		for c.asked.Load() == before {
			if time.Now().After(deadline) {
				t.Fatalf("only %d hints were followed", i)
			}
			time.Sleep(time.Millisecond)
		}
	}
	r.stop()
	<-ended
}
