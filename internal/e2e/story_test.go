package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestStory is the main job: the first call waits for the sign-in, the next
// ones are silent, a token that expired is refreshed silently, and a revoked
// session asks again.
func TestStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Sim: shortTokens(4 * time.Second)})
	l := w.laptop("ada")
	s := w.connect(l, nil)
	w.signIn(s, "ada")

	text, err := call(t.Context(), s, "confluence_search", map[string]any{"query": "deployment"})
	if err != nil || text == "" {
		t.Fatalf("search = %q, %v", text, err)
	}
	if opened, _ := w.Opened(); len(opened) != 1 {
		t.Fatalf("%d tabs were opened, want 1", len(opened))
	}

	before := len(w.Sim.TokenRequests())
	time.Sleep(5 * time.Second) // the token's life, in the vault's process
	if _, err := call(t.Context(), s, "confluence_list_spaces", nil); err != nil {
		t.Fatalf("the call after the token expired: %v", err)
	}
	if got := len(w.Sim.TokenRequests()) - before; got != 1 {
		t.Errorf("%d token requests after the token expired, want 1", got)
	}

	w.revokeTheSession()
	ask := func() <-chan string {
		done := make(chan string, 1)
		go func() {
			text, err := call(t.Context(), s, "confluence_list_spaces", nil)
			if err == nil {
				text = "ANSWERED " + text
			}
			done <- text
		}()
		return done
	}
	// The call right after the revocation is refused; where the stream was cut
	// before the call came, it asks for a sign-in instead.
	answer := ask()
	select {
	case text := <-answer:
		if !strings.Contains(text, "taken away") {
			t.Errorf("the call right after the revocation said %q", text)
		}
		time.Sleep(time.Second) // by then the stream is cut
		answer = ask()
	case <-time.After(3 * time.Second):
	}
	w.consent(2, "ada", false)
	if text := within(t, answer, 30*time.Second); strings.HasPrefix(text, "ANSWERED") || !strings.Contains(text, "declined") {
		t.Errorf("the call after the revocation said %q", text)
	}
}

// revokeTheSession revokes the only session, as an administrator does.
func (w *world) revokeTheSession() {
	w.t.Helper()
	id := ""
	for _, word := range strings.Fields(w.vault("sessions", "list")) {
		if id == "" && strings.HasPrefix(word, "s_") {
			id = word
		}
	}
	if id == "" {
		w.t.Fatal("there is no session")
	}
	w.vault("sessions", "revoke", id)
}

// TestRevokedMeansNow revokes a session while nothing is asked: its open
// stream is cut within a second, and the next call asks for a sign-in.
func TestRevokedMeansNow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Link: true})
	s := w.connect(w.laptop("ada"), nil)
	w.signIn(s, "ada")
	carried := w.Link.Carried()
	w.revokeTheSession()
	revoked := time.Now()
	for w.Link.Carried() == carried { // the shim whose stream is cut comes back, as a guest
		if time.Since(revoked) > 3*time.Second { // a second, and some for a busy machine
			t.Fatal("the stream is still open")
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Logf("cut after %v", time.Since(revoked))
	answer := make(chan string, 1)
	go func() {
		text, err := call(t.Context(), s, "confluence_list_spaces", nil)
		answer <- fmt.Sprint(text, err)
	}()
	w.consent(2, "ada", true)
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "ENG") {
		t.Errorf("the call after the next sign-in said %q", text)
	}
	if got := strings.Count(w.vault("audit", "list"), "session.revoked"); got != 1 {
		t.Errorf("%d revocations are on record, want 1", got)
	}
}

// TestWhatIsOnTheLaptop looks at every file that the shim left behind.
func TestWhatIsOnTheLaptop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	l := w.laptop("ada")
	s := w.connect(l, nil)
	w.signIn(s, "ada")
	_ = s.Close()

	files, err := l.Files()
	if err != nil {
		t.Fatal(err)
	}
	keys := 0
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(l.Home, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			keys++
			if info, _ := os.Stat(filepath.Join(l.Home, name)); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", name, info.Mode())
			}
		}
	}
	if keys != 1 {
		t.Errorf("%d private keys among %v, want 1", keys, files)
	}
}

func TestDeniedSpaceStaysHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	s := w.connect(w.laptop("ada"), nil)
	w.signIn(s, "ada")
	spaces, err := call(t.Context(), s, "confluence_list_spaces", nil)
	if err != nil || strings.Contains(spaces, "LEGAL") || !strings.Contains(spaces, "ENG") {
		t.Errorf("spaces = %q, %v", spaces, err)
	}
	found, err := call(t.Context(), s, "confluence_search", map[string]any{"cql": `space = "LEGAL" OR type = page`})
	if err != nil || strings.Contains(found, "LEGAL") {
		t.Errorf("search = %q, %v", found, err)
	}
}
