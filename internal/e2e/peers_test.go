package e2e_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// signedInLaptop returns a laptop whose session is open, so that a third-party
// client can call at once.
func signedInLaptop(t *testing.T, w *world) *stage.Laptop {
	t.Helper()
	l := w.laptop("ada")
	s := w.connect(l, nil)
	w.signIn(s, "ada")
	if err := s.Close(); err != nil {
		t.Logf("closing the first client: %v", err)
	}
	return l
}

// TestInspector runs the MCP Inspector's command-line mode against the two
// real programs.
func TestInspector(t *testing.T) {
	t.Parallel()
	npm := testenv.NPM(t)
	w := newWorld(t, stage.Options{})
	l := signedInLaptop(t, w)
	inspect := func(args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		shim := l.Shim(ctx)
		all := append([]string{filepath.Join(npm, "node_modules", ".bin", "mcp-inspector"), "--cli"}, shim.Args...)
		cmd := exec.CommandContext(ctx, "node", append(all, args...)...)
		cmd.Dir, cmd.Env = l.Home, append(l.Environment(), "PATH="+os.Getenv("PATH"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("inspector %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if tools := inspect("--method", "tools/list"); !strings.Contains(tools, "confluence_get_page") || !strings.Contains(tools, "coatcheck_status") {
		t.Errorf("tools/list = %s", tools)
	}
	page := inspect("--method", "tools/call", "--tool-name", "confluence_get_page", "--tool-arg", "space=ENG", "--tool-arg", "title="+w.Sim.AnyPage("ENG").Title)
	if !strings.Contains(page, w.Sim.AnyPage("ENG").ID) {
		t.Errorf("get_page = %s", page)
	}
}

// TestTypeScriptSDK runs the client of the TypeScript SDK, which most desktop
// clients are built on, against the two real programs.
func TestTypeScriptSDK(t *testing.T) {
	t.Parallel()
	npm := testenv.NPM(t)
	w := newWorld(t, stage.Options{})
	l := signedInLaptop(t, w)
	script, err := filepath.Abs(filepath.Join("testdata", "client.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	// The script must lie beside node_modules for its imports to be found.
	local := filepath.Join(npm, "client.mjs")
	if err := os.WriteFile(local, text, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	shim := l.Shim(ctx)
	wanted := w.Sim.AnyPage("ENG")
	input, err := json.Marshal(map[string]any{"command": shim.Args[0], "args": shim.Args[1:], "home": l.Home, "page": wanted.ID})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", local, string(input))
	cmd.Env = append(l.Environment(), "PATH="+os.Getenv("PATH"))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the client: %v\n%s", err, out)
	}
	var got struct {
		Tools []string `json:"tools"`
		Text  string   `json:"text"`
		Title string   `json:"title"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(got.Tools) < 6 || got.Title != wanted.Title || !strings.Contains(got.Text, wanted.Title) {
		t.Errorf("the client saw %+v, want the page %+v", got, wanted)
	}
}
