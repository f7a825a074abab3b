package shim_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim"
	"github.com/coatcheck-mcp/coatcheck/shim/files"
)

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *journal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *journal) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// In the stateless revision the client is asked for its folders in the answer to
// the call, whose files are closed then: it comes again with files of its own.
func TestACallThatIsPutBackHasNoFiles(t *testing.T) {
	work, log := t.TempDir(), &journal{}
	inside, outside := filepath.Join(work, "a.png"), filepath.Join(t.TempDir(), "b.png")
	if err := os.WriteFile(inside, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := newVault(t, false)
	v.files = make(chan []byte, 16)
	v.with(func() { v.mute = true })
	c := start(t, v, func(cfg *shim.Config) {
		cfg.Files, cfg.Log = files.Rules{Folders: []string{work}}, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	c.send("%s", discoverLine)
	c.next()
	c.send(`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"confluence_create_page","arguments":{"body":%q},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientCapabilities":{"roots":{}}}}}`, fmt.Sprintf("![](%s) ![](%s)", inside, outside))
	for deadline := time.Now().Add(10 * time.Second); v.saw("tools/call") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the vault has no call")
		}
	}
	answer := func() wire.FileAnswer {
		t.Helper()
		var a wire.FileAnswer
		select {
		case frame := <-v.files:
			_ = wire.Decode(frame[1:], &a) // bytes of a file: none
		case <-time.After(10 * time.Second):
			t.Fatal("no answer about a file")
		}
		return a
	}
	v.frame(wire.Encode(wire.KindFileOpen, wire.FileOpen{ID: 1, Handle: 1, Call: "5", Mode: wire.FileRead, Path: inside}))
	if a := answer(); a.ID != 1 || a.Code != "" {
		t.Fatalf("%+v", a)
	}
	v.frame(wire.Encode(wire.KindFileOpen, wire.FileOpen{ID: 2, Handle: 2, Call: "5", Mode: wire.FileRead, Path: outside}))
	contains(t, c.next().line, "input_required")
	if a := answer(); a.ID != 2 || a.Code != string(usererr.Denied) {
		t.Errorf("%+v", a)
	}
	v.frame(wire.Encode(wire.KindFileRead, wire.FileRange{ID: 3, Handle: 1, Length: 3}))
	if a := answer(); a.ID != 3 || a.Code != string(usererr.NotFound) {
		t.Errorf("the other file: %+v", a)
	}
	if text := log.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}
