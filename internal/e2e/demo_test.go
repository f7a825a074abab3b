package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// demoCommand prepares a run of the demo with folders of its own, to see what
// it leaves behind.
func demoCommand(t *testing.T, args ...string) (cmd *exec.Cmd, home, temp string) {
	t.Helper()
	home, temp = t.TempDir(), t.TempDir()
	cmd = exec.CommandContext(t.Context(), filepath.Join(bin, "coatcheck-vault"), append([]string{"demo"}, args...)...)
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "TMPDIR=" + temp, "PATH=/usr/bin:/bin", "CI=true"}
	return cmd, home, temp
}

func empty(t *testing.T, dir string) {
	t.Helper()
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("the demo left %v behind, %v", files, err)
	}
}

// TestDemo tells the story and cleans up.
func TestDemo(t *testing.T) {
	t.Parallel()
	cmd, home, temp := demoCommand(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the demo: %v\n%s", err, out)
	}
	rest := string(out)
	for _, words := range []string{"initialize is answered", "waits while one browser tab opens", "no display", "answers by itself", "No tab, no question",
		"refreshed it once, silently", "sessions revoke", "refused", "declines", "one device key", "none is there", "every step went as told"} {
		_, after, ok := strings.Cut(rest, words)
		if !ok {
			t.Errorf("%q is missing, or told too early, in\n%s", words, out)
			continue
		}
		rest = after
	}
	empty(t, home)
	empty(t, temp)
}

// TestDemoKeeps uses what the demo prints for an MCP client, and ends it.
func TestDemoKeeps(t *testing.T) {
	t.Parallel()
	cmd, home, temp := demoCommand(t, "--keep")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint strings.Builder // read once the demo has ended
	cmd.Stderr = &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said, pasted, inside := "", "", false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said += lines.Text() + "\n"
		inside = inside || lines.Text() == "{"
		if inside {
			pasted += lines.Text() + "\n"
		}
		if lines.Text() == "}" {
			break
		}
	}
	var config struct {
		Servers map[string]struct {
			Command string            `json:"command"`
			Args    []string          `json:"args"`
			Env     map[string]string `json:"env"`
		} `json:"mcpServers"`
	}
	if err := json.Unmarshal([]byte(pasted), &config); err != nil || config.Servers["coatcheck"].Command == "" {
		_ = cmd.Process.Kill()
		ended := cmd.Wait()
		t.Fatalf("what to paste: %v in\n%s\n%v: %s", err, said, ended, &complaint)
	}
	server := config.Servers["coatcheck"]
	shim := exec.CommandContext(t.Context(), server.Command, server.Args...)
	for name, value := range server.Env {
		shim.Env = append(shim.Env, name+"="+value)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: shim}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if tools, err := session.ListTools(t.Context(), nil); err != nil || len(tools.Tools) < 6 {
		t.Errorf("ListTools = %v, %v", tools, err)
	}
	_ = session.Close()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the demo that was kept: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the demo does not end")
	}
	empty(t, home)
	empty(t, temp)
}
