package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// TestAVaultOfAnotherVersion pairs today's programs with those of tomorrow,
// which speak the next version of the wire and nothing else. Either way
// initialize is answered, and the first call says which of the two is behind
// and what to do.
func TestAVaultOfAnotherVersion(t *testing.T) {
	t.Parallel()
	next := nextVersion(t)
	for name, test := range map[string]struct {
		shim, vault string // folders
		want        []string
	}{
		"the vault is newer": {bin, next, []string{"do not fit together", fmt.Sprintf("it speaks version %d ", wire.Version+1),
			fmt.Sprintf("this program only version %d", wire.Version), "Update Coatcheck on this computer, then restart the client"}},
		"the shim is newer": {next, bin, []string{"do not fit together", fmt.Sprintf("it speaks version %d ", wire.Version),
			fmt.Sprintf("this program only version %d", wire.Version+1), "Ask the vault's administrator to update the vault"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.Options{Bin: pair(t, test.shim, test.vault)})
			l := w.laptop("ada")
			c := startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
			began := time.Now()
			c.initialize("2025-06-18")
			if took := time.Since(began); took > 3*time.Second { // mostly the start of a process on a busy machine
				t.Errorf("initialize took %v", took)
			}
			if m, err := c.ask("1", "tools/list", "{}", 10*time.Second); err != nil || !strings.Contains(string(m.Result), "coatcheck_status") {
				t.Errorf("tools/list = %s, %v", m.Result, err)
			}
			text, failed, err := c.tool("2", "coatcheck_status", nil)
			if err != nil || !failed {
				t.Errorf("the first call: %v, an error: %v", err, failed)
			}
			said, _ := l.Shim(context.WithoutCancel(t.Context()), "status").CombinedOutput()
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the first call says %q, want %q", text, want)
				}
				if !strings.Contains(strings.Join(strings.Fields(string(said)), " "), want) {
					t.Errorf("status says %q, want %q", said, want)
				}
			}
			if w.Vaults[0].Said("a shim of another version") == 0 {
				t.Error("the vault's log says nothing of it")
			}
			c.once()
		})
	}
}

// nextVersion builds both programs as they will be when the wire has changed.
func nextVersion(t *testing.T) string {
	t.Helper()
	return buildWith(t, change{"internal/wire/version.go", func(text string) string {
		text = strings.ReplaceAll(text, fmt.Sprintf("const Version = %d\n", wire.Version), fmt.Sprintf("const Version = %d\n", wire.Version+1))
		return strings.ReplaceAll(text, `"`+wire.Subprotocol+`"`, fmt.Sprintf(`"coatcheck.v%d"`, wire.Version+1))
	}})
}

// change is another text for a file of this tree.
type change struct {
	path string
	to   func(text string) string
}

// buildWith builds both programs with some files changed, into a folder of its
// own.
func buildWith(t *testing.T, changes ...change) string {
	t.Helper()
	dir := t.TempDir()
	overlay, replace := filepath.Join(dir, "overlay.json"), map[string]string{}
	write := func(name string, data []byte) {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range changes {
		file := filepath.Join(testenv.Root(), filepath.FromSlash(c.path))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if c.to(string(text)) == string(text) {
			t.Fatalf("%s has nothing to change", c.path)
		}
		replace[file] = filepath.Join(dir, fmt.Sprintf("changed%d.go", i))
		write(replace[file], []byte(c.to(string(text))))
	}
	data, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	write(overlay, data)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", dir+string(filepath.Separator), "./cmd/coatcheck", "./cmd/coatcheck-vault")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building with changes: %v\n%s", err, out)
	}
	return dir
}

// pair makes a folder of the shim and the vault of others.
func pair(t *testing.T, shim, vault string) string {
	t.Helper()
	dir, ext := t.TempDir(), ""
	if runtime.GOOS == "windows" {
		ext = ".exe"
	}
	for name, from := range map[string]string{"coatcheck": shim, "coatcheck-vault": vault} {
		if err := os.Link(filepath.Join(from, name+ext), filepath.Join(dir, name+ext)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
