package gateway_test

import (
	"context"
	"errors"
	"testing"
	"time"

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
