package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// What a list of tools may cost. A token is counted as four bytes.
const (
	mostTools    = 16    // by default
	mostTokens   = 6_000 // by default, the whole answer to tools/list
	mostOfAll    = 32    // with all toolsets
	bytesOfToken = 4
)

// toolList is the answer to tools/list as it is on the wire, and the tools in it.
func toolList(t *testing.T, settings string) (answer json.RawMessage, tools []json.RawMessage) {
	t.Helper()
	w := newWorld(t, stage.Options{Settings: settings})
	c := startRaw(t, w.laptop("ada").Shim(t.Context()))
	c.initialize("2025-11-25")
	m := c.must("1", "tools/list", "{}")
	for n := 2; n < 50 && !strings.Contains(string(m.Result), "confluence_search"); n++ { // the vault is not reached yet
		time.Sleep(100 * time.Millisecond)
		m = c.must(fmt.Sprint(n), "tools/list", "{}")
	}
	var list struct{ Tools []json.RawMessage }
	if err := json.Unmarshal(m.Result, &list); err != nil {
		t.Fatal(err)
	}
	return m.Result, list.Tools
}

// must sends a request that is answered with a result.
func (c *rawClient) must(id, method, params string) message {
	c.t.Helper()
	m, err := c.ask(id, method, params, 20*time.Second)
	if err != nil || m.Error != nil {
		c.t.Fatalf("%s: %v %+v", method, err, m.Error)
	}
	return m
}

// TestToolsAreFewAndShort keeps what every conversation pays for small.
func TestToolsAreFewAndShort(t *testing.T) {
	t.Parallel()
	answer, tools := toolList(t, "")
	t.Logf("default: %d tools, %d bytes, %d tokens", len(tools), len(answer), len(answer)/bytesOfToken)
	if len(tools) > mostTools {
		t.Errorf("%d tools are offered by default, at most %d may be", len(tools), mostTools)
	}
	if tokens := len(answer) / bytesOfToken; tokens > mostTokens {
		t.Errorf("the list of the default tools has %d tokens, at most %d may be:\n%s", tokens, mostTokens, fattest(tools))
	}
	answer, tools = toolList(t, "features:\n  toolsets: [all]\n")
	t.Logf("all: %d tools, %d bytes, %d tokens", len(tools), len(answer), len(answer)/bytesOfToken)
	if len(tools) > mostOfAll {
		t.Errorf("%d tools are offered with all toolsets, at most %d may be", len(tools), mostOfAll)
	}
}

// fattest lists tools by what they cost.
func fattest(tools []json.RawMessage) string {
	slices.SortFunc(tools, func(a, b json.RawMessage) int { return len(b) - len(a) })
	var all strings.Builder
	for _, tool := range tools {
		var named struct{ Name string }
		_ = json.Unmarshal(tool, &named) // else it has no name
		fmt.Fprintf(&all, "%5d tokens %s\n", len(tool)/bytesOfToken, named.Name)
	}
	return all.String()
}

// TestTheFirstAnswerPromisesWhatTheVaultHas compares what the shim says of
// itself, before it has ever met the vault, with what that says.
func TestTheFirstAnswerPromisesWhatTheVaultHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	for _, tt := range []struct{ revision, method, params string }{
		{"2025-11-25", "initialize", `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"e2e","version":"1"}}`},
		{"2026-07-28", "server/discover", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`},
	} {
		t.Run(tt.revision, func(t *testing.T) {
			l := w.laptop("first-" + tt.revision)
			var said []map[string]any
			for range 2 {
				c := startRaw(t, l.Shim(t.Context()))
				m := c.must("1", tt.method, tt.params)
				var first map[string]any
				if err := json.Unmarshal(m.Result, &first); err != nil {
					t.Fatal(err)
				}
				said = append(said, first)
				c.waitRemembered(l, strings.Contains(tt.method, "discover"))
			}
			if diff := cmp.Diff(said[1]["capabilities"], said[0]["capabilities"]); diff != "" {
				t.Errorf("capabilities (-vault +shim at its first start):\n%s", diff)
			}
			if text := fmt.Sprint(said[1]); !strings.Contains(text, "data:image/png;base64,") {
				t.Errorf("the vault's answer was not remembered, or has no icon: %.600s", text)
			}
		})
	}
}

// waitRemembered waits until the shim has written down what the vault says.
func (c *rawClient) waitRemembered(l *stage.Laptop, discover bool) {
	c.t.Helper()
	want := "-initialize-"
	if discover {
		want = "-discover-"
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		files, err := l.Files()
		if err != nil {
			c.t.Fatal(err)
		}
		if slices.ContainsFunc(files, func(name string) bool { return strings.Contains(name, want) }) {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("nothing was remembered: %v", files)
		}
	}
}

// TestResourcesAndPrompts lets a person attach a page, find it by its title and
// start a job, over the two real programs and both generations of the protocol.
func TestResourcesAndPrompts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	for _, revision := range []string{"2025-11-25", "2026-07-28"} {
		t.Run(revision, func(t *testing.T) {
			l := w.laptop("ada-" + revision)
			var mu sync.Mutex
			changed := 0
			client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, &mcp.ClientOptions{
				ResourceListChangedHandler: func(context.Context, *mcp.ResourceListChangedRequest) { mu.Lock(); defer mu.Unlock(); changed++ },
			})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			s, err := client.Connect(ctx, &mcp.CommandTransport{Command: l.Shim(ctx)}, &mcp.ClientSessionOptions{ProtocolVersion: revision})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if list, err := s.ListResources(ctx, nil); err != nil || len(list.Resources) != 0 {
				t.Fatalf("a guest sees %v, %v", list, err)
			}
			w.signIn(s, "ada")
			list, err := s.ListResources(ctx, nil)
			if err != nil || len(list.Resources) == 0 {
				t.Fatalf("the list is %v, %v", list, err)
			}
			picked := list.Resources[0]
			read, err := s.ReadResource(ctx, &mcp.ReadResourceParams{URI: picked.URI})
			if err != nil || len(read.Contents) != 1 || !strings.Contains(read.Contents[0].Text, "# "+picked.Title) {
				t.Errorf("%s is %v, %v", picked.URI, read, err)
			}
			if _, err := s.ReadResource(ctx, &mcp.ReadResourceParams{URI: picked.URI + "999999"}); err == nil || !strings.Contains(err.Error(), "was not found") {
				t.Errorf("a page that is not there: %v", err)
			}
			templates, err := s.ListResourceTemplates(ctx, nil)
			if err != nil || len(templates.ResourceTemplates) < 2 {
				t.Errorf("the templates: %v, %v", templates, err)
			}
			finished, err := s.Complete(ctx, &mcp.CompleteParams{
				Ref: &mcp.CompleteReference{Type: "ref/prompt", Name: "review_page"}, Argument: mcp.CompleteParamsArgument{Name: "page", Value: picked.Title[:4]},
			})
			if err != nil || !slices.Contains(finished.Completion.Values, picked.Title) {
				t.Errorf("completing %q: %+v, %v", picked.Title[:4], finished, err)
			}
			prompt, err := s.GetPrompt(ctx, &mcp.GetPromptParams{Name: "review_page", Arguments: map[string]string{"page": picked.Title}})
			if err != nil || len(prompt.Messages) != 1 {
				t.Errorf("the prompt is %v, %v", prompt, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if revision < "2026" && changed == 0 {
				t.Error("the sign-in did not announce other resources")
			}
		})
	}
	if records := w.vault("audit", "list", "--json"); strings.Count(records, `"tool":"resources/read"`) != 4 || !strings.Contains(records, `"tool":"resources/list"`) || !strings.Contains(records, `"tool":"completion/complete"`) {
		t.Errorf("on record: %.3000s", records)
	}
}
