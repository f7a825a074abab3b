package shim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim"
)

func initializeWith(capabilities string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":%s}}`, capabilities)
}

// startSignIn starts a shim whose browser answers err, and lets the vault ask
// for a sign-in.
func startSignIn(t *testing.T, err error, first ...string) (*vault, *client, chan string) {
	t.Helper()
	v := newVault(t, false)
	opened := make(chan string, 10)
	c := start(t, v, func(cfg *shim.Config) {
		cfg.OpenBrowser = func(_ context.Context, page string) error { opened <- page; return err }
	})
	for _, line := range first {
		c.send("%s", line)
		if strings.Contains(line, `"id"`) {
			c.next()
		}
	}
	c.echo("0", "x")
	v.frame(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: "acme"}))
	return v, c, opened
}

func TestSignInOpensTheBrowser(t *testing.T) {
	v, c, opened := startSignIn(t, nil, initializeWith(`{}`))
	select {
	case page := <-opened:
		if page != v.url+"/login/abc" {
			t.Errorf("opened %q", page)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no browser")
	}
	v.frame(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Tenant: "acme"})) // another call
	v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{OK: true}))
	m := c.next()
	if m.Method != "notifications/message" || !strings.Contains(m.line, "Signed in") {
		t.Errorf("the client was told %s", m.line)
	}
	v.with(func() {
		if a := v.starts[0]; a.Tenant != "acme" || a.Stream != v.hellos[0].Stream || !strings.HasPrefix(a.Loopback, "http://127.0.0.1:") {
			t.Errorf("start = %+v", a)
		}
	})
	c.quiet(100 * time.Millisecond)
	if len(opened) != 0 {
		t.Error("a second tab")
	}
}

func TestWithoutBrowserTheClientShowsTheLink(t *testing.T) {
	noBrowser := errors.New("no browser")
	t.Run("as a URL elicitation", func(t *testing.T) {
		v, c, _ := startSignIn(t, noBrowser, initializeWith(`{"elicitation":{"form":{},"url":{}}}`))
		m := c.next()
		var asked struct{ Mode, URL, ElicitationID, Message string }
		if err := json.Unmarshal(m.Params, &asked); err != nil || m.Method != "elicitation/create" || asked.Mode != "url" || asked.URL != v.url+"/login/abc" || asked.Message == "" {
			t.Fatalf("the client was asked %s", m.line)
		}
		c.send(`{"jsonrpc":"2.0","id":%s,"result":{"action":"accept"}}`, m.ID)
		c.echo("1", "the answer stays here")
		if v.saw("") != 0 {
			t.Error("the vault got the answer to the shim's question")
		}
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{OK: true}))
		done := c.next()
		if done.Method != "notifications/elicitation/complete" || !strings.Contains(done.line, asked.ElicitationID) {
			t.Errorf("after the sign-in: %s", done.line)
		}
	})
	t.Run("as a log message", func(t *testing.T) {
		v, c, _ := startSignIn(t, noBrowser, initializeWith(`{"elicitation":{}}`))
		m := c.next()
		if m.Method != "notifications/message" {
			t.Fatalf("the client was told %s", m.line)
		}
		contains(t, m.line, v.url+"/login/abc")
		c.quiet(50 * time.Millisecond) // once is enough
	})
	t.Run("not to a client that wants errors only", func(t *testing.T) {
		_, c, opened := startSignIn(t, noBrowser, initializeWith(`{}`), `{"jsonrpc":"2.0","id":"lv","method":"logging/setLevel","params":{"level":"error"}}`)
		<-opened
		c.quiet(300 * time.Millisecond)
	})
	t.Run("in the stateless revision only where a call wants it", func(t *testing.T) {
		call := func(id, more string) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":"slow","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"%s}}}`, id, more)
		}
		v, c, opened := startSignIn(t, noBrowser, discoverLine)
		<-opened
		c.quiet(300 * time.Millisecond)
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{}))
		c.send("%s", call("5", `,"io.modelcontextprotocol/logLevel":"info"`))
		for v.saw("tools/call") < 2 {
			time.Sleep(time.Millisecond)
		}
		deadline := time.Now().Add(5 * time.Second)
		for len(opened) == 0 && time.Now().Before(deadline) { // the first sign-in ends meanwhile
			v.frame(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{}))
			time.Sleep(20 * time.Millisecond)
		}
		contains(t, c.next().line, v.url+"/login/abc")
	})
	t.Run("in the stateless revision as the answer to a call", func(t *testing.T) {
		call := func(id, tool string) string {
			return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":{"text":"x"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
				`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{},"url":{}}}}}}`, id, tool)
		}
		v, c, opened := startSignIn(t, noBrowser, discoverLine)
		<-opened
		c.quiet(300 * time.Millisecond) // until the shim knows that no browser opened
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{}))
		c.send("%s", call("4", "slow")) // which waits for something else
		c.send("%s", call("5", "slow"))
		for v.saw("tools/call") < 3 {
			time.Sleep(time.Millisecond)
		}
		for deadline := time.Now().Add(5 * time.Second); len(opened) == 0 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			v.frame(wire.Encode(wire.KindLoginRequired, wire.LoginRequired{Call: "5"}))
		}
		m := c.next()
		var result struct {
			ResultType    string
			InputRequests map[string]struct {
				Method string
				Params struct{ Mode, URL, Message string }
			}
		}
		if err := json.Unmarshal(m.Result, &result); err != nil {
			t.Fatalf("the call was answered %s: %v", m.line, err)
		}
		asked := result.InputRequests["sign-in"]
		if string(m.ID) != "5" || result.ResultType != "input_required" || asked.Method != "elicitation/create" || asked.Params.Mode != "url" ||
			asked.Params.URL != v.url+"/login/abc" || asked.Params.Message == "" {
			t.Errorf("the call was answered %s", m.line)
		}
		for deadline := time.Now().Add(5 * time.Second); v.saw("notifications/cancelled") == 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the vault was not told that nobody waits")
			}
		}
		v.frame(wire.Encode(wire.KindLoginDone, wire.LoginDone{OK: true}))
		c.send("%s", call("6", "echo"))
		if m := c.next(); string(m.ID) != "6" {
			t.Errorf("after the sign-in: %s", m.line)
		}
	})
}
