package e2e_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestGarbageFromTheClient sends what no client should, and wants an error
// where the protocol has one, no noise, and a shim that goes on as if nothing
// had been.
func TestGarbageFromTheClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	c := startRaw(t, signedInLaptop(t, w).Shim(context.WithoutCancel(t.Context())))
	c.initialize("2025-06-18")
	call := func(id, more string) string {
		return `{"jsonrpc":"2.0","id":` + id + `,"method":"tools/call","params":{"name":"confluence_list_spaces","arguments":{` + more + `}}}`
	}
	for i, test := range []struct{ name, line, id, want string }{
		{"garbage", "GET / HTTP/1.1", "null", "-32700"},
		{"half a line", `{"jsonrpc":"2.0","id":100,"method":"tools/call","par`, "100", "-32700"},
		{"10 MiB on one line", call("101", `"space":"`+strings.Repeat("x", 10<<20)+`"`), "101", "8 MiB"},
		{"a batch", "[" + call("102", "") + "]", "null", "-32600"},
		{"deep nesting", call("103", `"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)), "103", "-32"},
		{"two methods", `{"jsonrpc":"2.0","id":104,"method":"ping","method":"tools/list"}`, "", "-32600"},
		{"not an object", `7`, "null", "-32"},
		{"a method that does not exist", `{"jsonrpc":"2.0","id":105,"method":"no/such"}`, "105", "-32601"},
		{"arguments that do not exist", call("106", `"colour":"blue"`), "106", "colour"},
		{"an argument twice", call("107", `"limit":1,"limit":2`), "107", ""},
		{"a NUL", call("108", "\"site\":\"\x00\""), "", "-32700"},
	} {
		before := c.count()
		c.send(test.line)
		line := c.next(before)
		if test.id != "" && !strings.Contains(line, `"id":`+test.id) || !strings.Contains(line, test.want) {
			t.Errorf("%s: answered %.300s", test.name, line)
		}
		good := fmt.Sprintf(`"good %d"`, i)
		if text, failed, err := c.tool(good, "confluence_list_spaces", nil); err != nil || failed || !strings.Contains(text, "ENG") {
			t.Fatalf("the call after %s: %q, %v", test.name, text, err)
		}
	}
	for _, silent := range []string{"", " ", `{"jsonrpc":"2.0","id":777,"result":{}}`, `{"jsonrpc":"2.0","method":"notifications/unheard"}`} {
		before := c.count()
		c.send(silent)
		time.Sleep(50 * time.Millisecond)
		if got := c.count(); got != before {
			t.Errorf("%q was answered", silent)
		}
	}
	if len(c.stray) > 0 {
		t.Errorf("not a message on stdout: %q", c.stray)
	}
}

// revisions are those that start with initialize.
var revisions = []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}

// TestEveryRevision speaks each revision of the protocol through both programs.
func TestEveryRevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	l := signedInLaptop(t, w)
	for _, revision := range append([]string{"2026-07-28"}, revisions...) {
		t.Run(revision, func(t *testing.T) {
			c := startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
			tag := ""
			if revision == "2026-07-28" {
				tag = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"raw","version":"1"}}`
				m, err := c.ask("0", "server/discover", "{"+tag+"}", 10*time.Second)
				if err != nil || !strings.Contains(string(m.Result), revision) {
					t.Fatalf("server/discover = %s, %v", m.Result, err)
				}
			} else if m := c.initialize(revision); !strings.Contains(string(m.Result), `"protocolVersion":"`+revision+`"`) {
				t.Fatalf("initialize = %s %+v", m.Result, m.Error)
			}
			m, err := c.ask("1", "tools/list", "{"+tag+"}", 20*time.Second)
			if err != nil || strings.Count(string(m.Result), `"inputSchema"`) < 6 {
				t.Errorf("tools/list = %s %+v, %v", m.Result, m.Error, err)
			}
			params := `{"name":"confluence_list_spaces","arguments":{}`
			if tag != "" {
				params += "," + tag
			}
			m, err = c.ask("2", "tools/call", params+"}", 20*time.Second)
			if text, failed := m.toolText(); err != nil || failed || !strings.Contains(text, "ENG") {
				t.Errorf("tools/call = %q, %v", text, err)
			}
			c.once()
		})
	}
}
