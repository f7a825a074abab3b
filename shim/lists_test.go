package shim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// TestListsThatCouldNotBeHad: what a client asks for while it starts is refused
// soon when there is no vault, and announced when there is one again.
func TestListsThatCouldNotBeHad(t *testing.T) {
	for method, want := range map[string]string{
		"prompts/list": "notifications/prompts/list_changed", "resources/list": "notifications/resources/list_changed",
		"resources/templates/list": "notifications/resources/list_changed",
	} {
		t.Run(strings.ReplaceAll(method, "/", " "), func(t *testing.T) {
			bubble(t, func(t *testing.T, v *vault) {
				v.with(func() { v.down = true })
				c := start(t, v, nil)
				c.initialize("2025-11-25")
				begun := time.Now()
				c.send(`{"jsonrpc":"2.0","id":"p","method":%q}`, method)
				m := c.answer(`"p"`)
				if m.Error == nil || m.Error.Code != -32013 || !strings.Contains(m.Error.Message, "Nothing answers at the vault's address") {
					t.Errorf("answer = %s", m.line)
				}
				if d := time.Since(begun); d < 3*time.Second || d > 3500*time.Millisecond {
					t.Errorf("answered after %v", d)
				}
				v.with(func() { v.down = false })
				c.send(`{"jsonrpc":"2.0","method":"notifications/x"}`)
				c.late = time.Minute
				if m := c.next(); m.Method != want {
					t.Errorf("%s instead of the announcement", m.line)
				}
				c.quiet(time.Minute)
			})
		})
	}
}

// TestListsAreAnnouncedOnASubscription: in the stateless revision only where the
// client listens, and only what it listens for.
func TestListsAreAnnouncedOnASubscription(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.send("%s", discoverLine)
		c.answer(`"d"`)
		c.send(`{"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{"notifications":{"resourcesListChanged":true},%s}}`, statelessTag)
		if m := c.next(); m.Method != "notifications/subscriptions/acknowledged" || !strings.Contains(m.line, `"notifications":{"resourcesListChanged":true}`) {
			t.Errorf("not confirmed: %s", m.line)
		}
		for _, method := range []string{"prompts/list", "resources/list"} {
			c.send(`{"jsonrpc":"2.0","id":"p","method":%q,"params":{%s}}`, method, statelessTag)
			if m := c.answer(`"p"`); m.Error == nil {
				t.Errorf("answer = %s", m.line)
			}
		}
		v.with(func() { v.down = false })
		c.late = 2 * time.Minute
		if m := c.next(); m.Method != "notifications/resources/list_changed" || !strings.Contains(m.line, `"io.modelcontextprotocol/subscriptionId":"s"`) {
			t.Errorf("%s instead of the announcement", m.line)
		}
		c.quiet(time.Minute)
	})
}

// TestASignInChangesTheResources: a guest has none.
func TestASignInChangesTheResources(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.initialize("2025-11-25")
		c.echo("1", "x")
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{OK: true}))
		if m := c.next(); m.Method != "notifications/message" {
			t.Errorf("%s instead of the message", m.line)
		}
		c.send(`{"jsonrpc":"2.0","id":"r","method":"resources/list"}`)
		c.answer(`"r"`)
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{OK: true}))
		for _, want := range []string{"notifications/resources/list_changed", "notifications/message"} {
			if m := c.next(); m.Method != want {
				t.Errorf("%s instead of %s", m.line, want)
			}
		}
	})
}
