package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

const canary = "CNRYk7Qx"

// TestNoSecretLeavesTheVault drives sign-in, calls, a refresh, failures and a
// revocation with tokens and codes that carry a canary, then looks for it in
// everything that anybody could read: files of laptop and vault (database
// included, since it is sealed there), logs, pages, answers and the arguments
// and environment of processes.
func TestNoSecretLeavesTheVault(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Link: true, Sim: atlassiansim.Options{Canary: canary, AccessTokenLife: 3 * time.Second}})
	l := w.laptop("ada")
	said := &bytes.Buffer{}
	cmd := l.Shim(context.WithoutCancel(t.Context()))
	cmd.Stderr = said
	c := startRaw(t, cmd)
	c.initialize("2025-11-25")
	answer := make(chan string, 1)
	go func() {
		text, _, err := c.tool("1", "confluence_search", map[string]any{"query": "release"})
		answer <- fmt.Sprint(text, err)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address, err := w.WaitOpened(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	b := browser.New()
	if _, err := b.Consent(ctx, address, browser.Choose{Person: "ada", Allow: true}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{"the first answer": <-answer, "the process table": w.processes(cmd.Process.Pid)}

	time.Sleep(3500 * time.Millisecond) // the token's life, in the vault's process
	for i, args := range []map[string]any{{"page": "1"}, {"page": "does not exist"}, {"nonsense": true}} {
		text, _, err := c.tool(fmt.Sprint(i+2), "confluence_get_page", args)
		seen[fmt.Sprintf("answer %d", i+2)] = fmt.Sprint(text, err)
	}
	w.Sim.FailNext(3, 500, "<html>"+canary+" upstream says</html>")
	text, _, err := c.tool("9", "confluence_list_spaces", nil)
	seen["the answer to an upstream failure"] = fmt.Sprint(text, err)
	text, _, err = c.tool("10", "coatcheck_status", nil)
	seen["the status"] = fmt.Sprint(text, err)
	for _, args := range [][]string{{"sessions", "list"}, {"grants", "list"}, {"audit", "list"}, {"check-config"}} {
		seen[strings.Join(args, " ")] = w.vault(args...)
	}
	_ = c.in.Close()
	if err := c.wait(); err != nil {
		t.Errorf("coatcheck: %v", err)
	}
	seen["the shim's stderr"] = said.String()
	for i, page := range b.Pages() {
		seen[fmt.Sprintf("page %d", i)] = page.URL + "\n" + page.Body
	}
	seen["the address that was opened"] = address
	seen["what the vault sent"] = w.Link.Heard() // every frame and every page
	w.KillVault()

	if len(w.Sim.Secrets()) == 0 {
		t.Fatal("the simulated Atlassian handed out no secret: this test would find nothing")
	}
	if heard := seen["what the vault sent"]; !strings.Contains(heard, `"structuredContent"`) || !strings.Contains(heard, "<html") {
		t.Error("frames or pages were not heard: this test would find nothing in them")
	}
	needles := append(w.Sim.Secrets(), canary, "stage-client-secret")
	w.searchFiles(seen)
	for where, text := range seen {
		for _, needle := range needles {
			if strings.Contains(text, needle) {
				t.Errorf("a secret is in %s", where)
				break
			}
		}
	}
}

// searchFiles reads every file of the stage into seen, except the settings
// that name the variable of the client secret.
func (w *world) searchFiles(seen map[string]string) {
	w.t.Helper()
	count := 0
	err := filepath.WalkDir(w.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		seen["the file "+strings.TrimPrefix(path, w.Dir)] = string(text)
		count++
		return err
	})
	if err != nil || count < 4 {
		w.t.Fatalf("reading the stage's %d files: %v", count, err)
	}
}

// processes is what others on the machine can see of the two programs.
func (w *world) processes(shim int) string {
	var all strings.Builder
	for _, name := range []string{fmt.Sprintf("/proc/%d/cmdline", w.VaultPID()), fmt.Sprintf("/proc/%d/cmdline", shim), fmt.Sprintf("/proc/%d/environ", shim)} {
		text, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			w.t.Error(err)
		}
		all.Write(text)
	}
	return all.String()
}
