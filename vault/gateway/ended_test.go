package gateway_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestASignInThatFailedElsewhere: at another replica than the one that the
// stream is at. What ended before the call came is not taken for it.
func TestASignInThatFailedElsewhere(t *testing.T) {
	var last atomic.Value
	last.Store("l_before")
	r := newRig(t, func(c *gateway.Config) {
		c.LoginEnded = func(context.Context, identity.DeviceID) (identity.LoginID, wire.LoginDone, bool) {
			id, open := strings.CutSuffix(last.Load().(string), " is open")
			return identity.LoginID(id), wire.LoginDone{Message: "No second factor", Hint: "Use one"}, !open
		}
	})
	s := r.shim(t)
	s.connect()
	s.initialize()
	for _, test := range []struct{ call, at, then string }{
		{"1", "l_before", "l_1"},
		{"2", "l_2 is open", "l_2"}, // the call comes while a login is under way
	} {
		last.Store(test.at)
		s.send(toolCall(test.call, "private", `{"text":""}`))
		s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
		time.Sleep(50 * time.Millisecond) // the call has looked by then
		last.Store(test.then)
		if a := s.next(); !a.Result.IsError || !strings.Contains(a.text(), "No second factor. Use one") {
			t.Errorf("%s: %+v", test.then, a)
		}
		var done wire.LoginDone
		s.frame(wire.KindLoginDone, &done)
		if done.OK || done.Message != "No second factor" {
			t.Errorf("%s: the shim was told %+v", test.then, done)
		}
	}
}
