package shim_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim"
)

const (
	discoverLine = `{"jsonrpc":"2.0","id":"d","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	statelessTag = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
	listLine     = `{"jsonrpc":"2.0","id":"l","method":"tools/list"}`
	changed      = "notifications/tools/list_changed"
)

// bubble runs a test whose time is not real, with a vault in memory.
func bubble(t *testing.T, test func(t *testing.T, v *vault)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newVault(t, true)) })
}

func TestFirstAnswersDoNotWait(t *testing.T) {
	states := map[string]func(v *vault, c *shim.Config, k *key){
		"vault up":   func(*vault, *shim.Config, *key) {},
		"vault down": func(v *vault, _ *shim.Config, _ *key) { v.with(func() { v.down = true }) },
		"vault hangs": func(v *vault, _ *shim.Config, _ *key) {
			v.with(func() { v.mute = true })
		},
		"keychain hangs": func(_ *vault, _ *shim.Config, k *key) { k.wait = make(chan struct{}) },
		"no vault":       func(_ *vault, c *shim.Config, _ *key) { c.VaultURL, c.Network, c.Prover = nil, nil, nil },
		"bad settings": func(_ *vault, c *shim.Config, _ *key) {
			c.Problem = usererr.New(usererr.Settings, "Line 3 is wrong", "")
		},
	}
	for name, set := range states {
		for _, revision := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"} {
			t.Run(name+" "+revision, func(t *testing.T) {
				bubble(t, func(t *testing.T, v *vault) {
					c := start(t, v, func(cfg *shim.Config) { set(v, cfg, cfg.Prover.(*key)) })
					synctest.Wait()
					if n := c.key.times(); n != 0 {
						t.Errorf("the key was asked for %d times before the first message", n)
					}
					c.late = 100 * time.Millisecond
					if revision == "2026-07-28" {
						c.send("%s", discoverLine)
						contains(t, string(c.answer(`"d"`).Result), `"supportedVersions":["2026-07-28"`)
						return
					}
					contains(t, string(c.initialize(revision).Result), `"protocolVersion":"`+revision+`"`)
				})
			})
		}
	}
}

func TestDiscoverOfARevisionThatNobodyKnows(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, nil)
		c.send("%s", strings.Replace(discoverLine, "2026-07-28", "2027-01-01", 1))
		m := c.answer(`"d"`)
		if m.Error == nil || m.Error.Code != -32022 {
			t.Fatalf("answer = %s", m.line)
		}
		contains(t, string(m.Error.Data), `"requested":"2027-01-01"`)
		for params, want := range map[string]int{
			`{}`: -32602,
			`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`: -32602,
			`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25"}}`: -32601,
		} {
			c.send(`{"jsonrpc":"2.0","id":2,"method":"server/discover","params":%s}`, params)
			if m := c.answer("2"); m.Error == nil || m.Error.Code != want {
				t.Errorf("%s: answer = %s", params, m.line)
			}
		}
		for _, method := range []string{"initialize", "ping", "logging/setLevel", "resources/subscribe"} {
			c.send(`{"jsonrpc":"2.0","id":2,"method":%q,"params":{%s}}`, method, statelessTag)
			if m := c.answer("2"); m.Error == nil || m.Error.Code != -32601 {
				t.Errorf("%s: answer = %s", method, m.line)
			}
		}
		contains(t, string(c.initialize("2025-11-25").Result), `"2025-11-25"`) // clients fall back
		c.echo("3", "x")
	})
}

func TestTheVaultsAnswerIsSwallowedAndRemembered(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, func(cfg *shim.Config) { cfg.CacheDir = dir })
		contains(t, string(c.initialize("2025-06-18").Result), `"coatcheck"`)
		c.send(listLine)
		contains(t, string(c.answer(`"l"`).Result), `"echo"`)
		c.quiet(time.Minute)
	})
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, func(cfg *shim.Config) { cfg.CacheDir = dir })
		contains(t, string(c.initialize("2025-06-18").Result), `"real"`)
		c.late = 100 * time.Millisecond
		c.send(listLine)
		contains(t, string(c.answer(`"l"`).Result), `"echo"`)
		v.with(func() { v.down = false })
		c.quiet(2 * time.Minute) // the list is still the same
		if v.saw("tools/list") != 1 {
			t.Error("the vault was not asked for the list")
		}
		v.with(func() { v.down, v.tools = true, json.RawMessage(`[{"name":"new","inputSchema":{}}]`) })
		v.kill()
		c.late = time.Second
		c.send(`{"jsonrpc":"2.0","id":"m","method":"tools/list"}`)
		contains(t, string(c.answer(`"m"`).Result), `"echo"`)
		v.with(func() { v.down = false })
		c.late = time.Minute
		if m := c.next(); m.Method != changed {
			t.Errorf("%s instead of the announcement", m.line)
		}
		c.send(`{"jsonrpc":"2.0","id":"n","method":"tools/list"}`)
		contains(t, string(c.answer(`"n"`).Result), `"new"`)
	})
}

func TestAListWithoutVaultHasOneTool(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-11-25")
		begun := time.Now()
		c.send(listLine)
		m := c.answer(`"l"`)
		contains(t, string(m.Result), `"coatcheck_status"`)
		if d := time.Since(begun); d < 3*time.Second || d > 3500*time.Millisecond {
			t.Errorf("answered after %v", d)
		}
		c.call("1", "coatcheck_status", "")
		contains(t, c.answer("1").text(), "error: Nothing answers at the vault's address http://127.0.0.1:1")
		v.with(func() { v.down = false })
		c.late = time.Minute
		if m := c.next(); m.Method != changed {
			t.Errorf("%s instead of the announcement", m.line)
		}
		c.quiet(time.Minute)
	})
}

func TestAListWaitsForASlowVault(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-11-25")
		c.send(listLine)
		time.Sleep(500 * time.Millisecond)
		v.with(func() { v.down = false })
		contains(t, string(c.answer(`"l"`).Result), `"echo"`)
		c.quiet(time.Minute)
	})
}

func TestCallsWithoutVaultFailWithinTheirTime(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		begun := time.Now()
		c.call("1", "echo", "x")
		c.send(`{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		contains(t, c.answer(`"p"`).line, `"result":{}`)
		c.send(`{"jsonrpc":"2.0","id":"v","method":"logging/setLevel","params":{"level":"error"}}`)
		contains(t, c.answer(`"v"`).line, `"result":{}`)
		c.late = 30 * time.Second
		m := c.answer("1")
		contains(t, m.text(), "error: Nothing answers at the vault's address")
		if d := time.Since(begun); d < 20*time.Second || d > 25*time.Second {
			t.Errorf("answered after %v", d)
		}
		c.send(`{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"x:y"}}`)
		if m := c.answer("2"); m.Error == nil || m.Error.Code != -32013 {
			t.Errorf("answer = %s", m.line)
		}
		v.with(func() { v.down = false })
		c.echo("3", "back")
		if v.saw("tools/call") != 1 || v.saw("resources/read") != 0 || v.saw("logging/setLevel") != 1 {
			t.Errorf("the vault saw %v", v.seen)
		}
		c.quiet(time.Minute)
	})
}

func TestACallWaitsForTheVault(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "echo", "patient")
		time.Sleep(15 * time.Second)
		v.with(func() { v.down = false })
		begun := time.Now()
		if got := c.answer("1").text(); got != "patient" {
			t.Errorf("answer = %q", got)
		}
		if d := time.Since(begun); d > 6*time.Second {
			t.Errorf("the vault was found after %v, though a call waited", d)
		}
	})
}

func TestACancelledCallIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call(`"\u0061"`, "echo", "unwanted")
		c.call("2", "echo", "wanted")
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
		time.Sleep(time.Second)
		v.with(func() { v.down = false })
		contains(t, c.answer("2").text(), "wanted")
		c.quiet(time.Minute)
		if v.ran["unwanted"] != 0 || v.saw("notifications/cancelled") != 0 {
			t.Errorf("the vault saw %v and ran %v", v.seen, v.ran)
		}
	})
}

func TestWaitingInVainIsShort(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		c := start(t, v, func(cfg *shim.Config) {
			cfg.Prover.(*key).err = usererr.New(usererr.Unauthorized, "The keychain is locked", "Unlock it")
		})
		c.initialize("2025-06-18")
		c.late = 4 * time.Second
		c.call("1", "echo", "x")
		contains(t, c.answer("1").text(), "error: The keychain is locked. Unlock it.")
		time.Sleep(time.Hour)
		if n := c.key.times(); n > 200 {
			t.Errorf("the keychain was asked %d times in an hour", n)
		}
	})
}

func TestWithoutSettingsEveryCallSaysWhy(t *testing.T) {
	for name, change := range map[string]func(*shim.Config){
		"Line 3 is wrong": func(c *shim.Config) {
			c.Problem, c.Network = usererr.New(usererr.Settings, "Line 3 is wrong", "Mend it"), nil
		},
		"does not know the address": func(c *shim.Config) { c.VaultURL = nil },
		"is not a safe one":         func(c *shim.Config) { c.VaultURL.Host = "vault.example.com" },
		"cannot be used":            func(c *shim.Config) { c.Problem = errors.New("secret detail") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, v *vault) {
				c := start(t, v, change)
				c.late = 100 * time.Millisecond
				c.initialize("2025-06-18")
				c.send(listLine)
				contains(t, c.answer(`"l"`).line, "coatcheck_status")
				c.call("1", "coatcheck_status", "")
				m := c.answer("1")
				contains(t, m.text(), name)
				if strings.Contains(m.line, "secret") {
					t.Error(m.line)
				}
				if err := c.end(time.Second); err != nil || v.dials != 0 {
					t.Errorf("Run = %v after %d dials", err, v.dials)
				}
			})
		})
	}
}

func TestStatelessWithoutVault(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.send("%s", discoverLine)
		c.answer(`"d"`)
		c.send(`{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{%s,"notifications":{"toolsListChanged":true}}}`, statelessTag)
		c.send(`{"jsonrpc":"2.0","id":8,"method":"tools/list","params":{%s}}`, statelessTag)
		c.send(`{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"coatcheck_status",%s}}`, statelessTag)
		got := map[string]said{}
		for range 3 {
			m := c.next()
			got[string(m.ID)+m.Method] = m
		}
		contains(t, got["notifications/subscriptions/acknowledged"].line, `"io.modelcontextprotocol/subscriptionId":7`)
		contains(t, got["8"].line, `"resultType":"complete"`)
		contains(t, got["9"].line, `"resultType":"complete"`)
		contains(t, got["9"].text(), "error: Nothing answers")
		c.send(`{"jsonrpc":"2.0","id":10,"method":"ping"}`)
		if m := c.answer("10"); m.Error == nil {
			t.Errorf("ping in the stateless revision: %s", m.line)
		}
		v.with(func() { v.down = false })
		c.late = time.Minute
		m := c.next() // the vault's confirmation is not passed on
		if m.Method != changed {
			t.Fatalf("%s instead of the announcement", m.line)
		}
		contains(t, m.line, `"io.modelcontextprotocol/subscriptionId":7`)
		v.kill()
		c.quiet(time.Minute) // the subscription is replayed in silence
		if v.saw("subscriptions/listen") != 2 {
			t.Errorf("the vault saw %v", v.seen)
		}
	})
}

func TestAConversationThatNoLongerFits(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.revision = "2025-03-26" })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		c.call("1", "slow", "x")
		contains(t, c.answer("1").text(), "another revision of MCP")
		c.late = 100 * time.Millisecond
		c.call("2", "echo", "x")
		contains(t, c.answer("2").text(), "Restart the client")
		time.Sleep(time.Hour)
		if n := v.dials; n > 4 {
			t.Errorf("%d dials for a conversation that is over", n)
		}
	})
}

func TestTooManyCalls(t *testing.T) {
	bubble(t, func(t *testing.T, v *vault) {
		v.with(func() { v.down = true })
		c := start(t, v, nil)
		c.initialize("2025-06-18")
		refused, failed := 0, 0
		for i := range 200 {
			c.call(fmt.Sprint(i), "echo", "x")
		}
		c.late = 30 * time.Second
		for range 200 {
			if m := c.next(); m.Error != nil && m.Error.Code == -32010 {
				refused++
			} else if strings.HasPrefix(m.text(), "error: Nothing answers") {
				failed++
			}
		}
		if refused != 73 || failed != 127 { // initialize is the 128th
			t.Errorf("%d refused, %d failed", refused, failed)
		}
	})
}
