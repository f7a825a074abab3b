package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// bin is the folder with the two programs; set once, before any test.
var bin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "coatcheck-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	bin = dir
	args, cgo := []string{"build", "-trimpath", "-o", dir + string(filepath.Separator)}, "CGO_ENABLED=0"
	if racing() {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.Command("go", append(args, "./cmd/coatcheck", "./cmd/coatcheck-vault")...)
	build.Dir = testenv.Root()
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the programs: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// soak reports whether the long runs are wanted at full size.
func soak() bool { return os.Getenv("COATCHECK_SOAK") == "1" }

// racing reports whether the programs themselves are to look for data races,
// which makes them several times slower.
func racing() bool { return os.Getenv("COATCHECK_RACE_PROGRAMS") == "1" }

// world is a stage with a running vault.
type world struct {
	*stage.Stage
	t *testing.T
}

func newWorld(t *testing.T, opt stage.Options) *world {
	t.Helper()
	opt.Dir = t.TempDir()
	if opt.Bin == "" {
		opt.Bin = bin
	}
	s, err := stage.New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{s, t}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the stage: %v", err)
		}
		if said, _ := os.ReadFile(w.VaultLog()); bytes.Contains(said, []byte("DATA RACE")) || bytes.Contains(said, []byte("panic: ")) {
			t.Error("the vault raced or panicked")
		}
		if t.Failed() {
			w.showLogs()
		}
	})
	w.startVault()
	return w
}

func (w *world) showLogs() {
	said, _ := os.ReadFile(w.VaultLog())
	if len(said) > 8000 {
		said = said[len(said)-8000:]
	}
	w.t.Logf("the vault's log ends:\n%s", said)
	logs, _ := filepath.Glob(filepath.Join(w.Dir, "laptop-*", ".local", "state", "coatcheck", "*.log"))
	for _, name := range logs {
		said, _ := os.ReadFile(name)
		if len(said) > 4000 {
			said = said[len(said)-4000:]
		}
		w.t.Logf("%s ends:\n%s", filepath.Base(name), said)
	}
}

func (w *world) startVault() {
	w.t.Helper()
	if err := w.StartVault(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) laptop(name string) *stage.Laptop {
	w.t.Helper()
	l, err := w.Laptop(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

// connect starts a shim as an MCP client would.
func (w *world) connect(l *stage.Laptop, opt *mcp.ClientOptions) *mcp.ClientSession {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, opt)
	cmd := l.Shim(context.WithoutCancel(ctx))
	session, err := client.Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
	if err != nil {
		w.t.Fatalf("connecting: %v", err)
	}
	w.t.Cleanup(func() { _ = session.Close() })
	return session
}

// consent goes through the sign-in pages of the n-th page that was opened, as
// person would.
func (w *world) consent(n int, person string, allow bool) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	address, err := w.WaitOpened(ctx, n)
	if err != nil {
		w.t.Fatal(err)
	}
	b := browser.New()
	b.Transport = w.Transport()
	page, err := b.Consent(ctx, address, browser.Choose{Person: person, Allow: allow})
	if err != nil {
		w.t.Fatalf("consenting: %v", err)
	}
	return page
}

// signIn makes a first call, consents as person and returns when the call has
// answered.
func (w *world) signIn(s *mcp.ClientSession, person string) {
	w.t.Helper()
	opened, err := w.Opened()
	if err != nil {
		w.t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() {
		_, err := call(w.t.Context(), s, "confluence_list_spaces", nil)
		answer <- err
	}()
	w.consent(len(opened)+1, person, true)
	select {
	case err := <-answer:
		if err != nil {
			w.t.Fatalf("the call that waited for the sign-in: %v", err)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatal("the call that waited for the sign-in did not answer within 20 s")
	}
}

// call calls a tool and returns its text; an answer with isError is an error.
func call(ctx context.Context, s *mcp.ClientSession, tool string, args map[string]any) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 55*time.Second)
	defer cancel()
	result, err := s.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return "", err
	}
	text := ""
	for _, c := range result.Content {
		if c, ok := c.(*mcp.TextContent); ok {
			text += c.Text
		}
	}
	if result.IsError {
		return text, fmt.Errorf("%s: %s", tool, text)
	}
	return text, nil
}

// vault runs a command of the vault's program.
func (w *world) vault(args ...string) string {
	w.t.Helper()
	out, err := w.VaultCommand(w.t.Context(), args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("coatcheck-vault %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func shortTokens(life time.Duration) atlassiansim.Options {
	return atlassiansim.Options{AccessTokenLife: life}
}
