package gateway_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestALostShimIsTold: of those for whom a browser may be on its way, and of
// nobody else.
func TestALostShimIsTold(t *testing.T) {
	lost := make(chan identity.StreamID, 4)
	r := newRig(t, func(c *gateway.Config) {
		c.Lost = func(ctx context.Context, _ identity.DeviceID, id identity.StreamID, since time.Time) error {
			if _, bounded := ctx.Deadline(); !bounded {
				t.Error("nothing bounds what is done about it")
			}
			if ago := time.Since(since); ago < 0 || ago > 10*time.Second {
				t.Errorf("it was lost %v ago", ago)
			}
			lost <- id
			return errors.New("nobody could be told")
		}
	})
	member, guest := r.member(t), r.shim(t)
	member.connect()
	guest.connect()
	member.cut()
	until(t, "the member has no link", func() bool { return !r.Alive(member.device, identity.StreamID(member.stream)) })
	guest.cut()
	select {
	case id := <-lost:
		if string(id) != guest.stream || r.Alive(guest.device, id) {
			t.Errorf("%s is lost, want %s", id, guest.stream)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was told")
	}
	if len(lost) != 0 {
		t.Error("a shim is lost that waits for no sign-in")
	}
}

// stuck is a store that does not answer.
type stuck struct{}

func (stuck) Remember(ctx context.Context, _ string, _ time.Time) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAStoreThatDoesNotAnswer: who arrives is told so while it still listens.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel() // it waits
	r := newRig(t, func(c *gateway.Config) {
		c.Verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: c.Nonces, Replay: stuck{}})
	})
	began := time.Now()
	_, err := r.shim(t).dial()
	if err == nil || !strings.Contains(err.Error(), "status 503") {
		t.Errorf("dialing: %v, want a 503", err)
	}
	if took := time.Since(began); took > wire.HandshakeTimeout {
		t.Errorf("it took %v", took)
	}
}
