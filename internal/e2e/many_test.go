package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

const eight = 8

// startEight starts eight shims at once on a fresh home and lets each call.
func startEight(t *testing.T, w *world, l *stage.Laptop) ([]*rawClient, chan string) {
	t.Helper()
	clients := make([]*rawClient, eight)
	for i := range clients {
		clients[i] = startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
	}
	answers := make(chan string, eight)
	for i, c := range clients {
		c.initialize("2025-06-18")
		go func() {
			text, failed, err := c.tool(`"wait"`, "confluence_list_spaces", nil)
			if err != nil || failed {
				text = fmt.Sprintf("shim %d: %s %v", i, text, err)
			} else {
				text = ""
			}
			answers <- text
		}()
	}
	return clients, answers
}

// worlds are a vault on SQLite, and several on PostgreSQL, which a laptop's
// shims come to in turn.
var worlds = map[string]func(*testing.T) *world{
	"one vault":    func(t *testing.T) *world { return newWorld(t, stage.Options{}) },
	"three vaults": func(t *testing.T) *world { return newReplicas(t, newPostgres(t), stage.Options{}) },
}

func inEachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for name, build := range worlds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, build(t))
		})
	}
}

func TestEightShimsShareOneKeyOneTabOneLogin(t *testing.T) { inEachWorld(t, eightShims) }

func eightShims(t *testing.T, w *world) {
	l := w.laptop("ada")
	clients, answers := startEight(t, w, l)
	w.consent(1, "ada", true)
	for range clients {
		if text := within(t, answers, 30*time.Second); text != "" {
			t.Error(text)
		}
	}
	w.checkOneOfEach(l)
	var calls sync.WaitGroup
	for i, c := range clients {
		calls.Go(func() {
			if text, failed, err := c.tool(`"again"`, "confluence_list_spaces", nil); err != nil || failed {
				t.Errorf("shim %d afterwards: %s %v", i, text, err)
			}
		})
	}
	calls.Wait()
}

func TestTheShimThatOpenedTheTabDies(t *testing.T) {
	inEachWorld(t, func(t *testing.T, w *world) { theOpenerDies(t, w, func() {}) })
}

// TestTheShimThatOpenedTheTabDiesElsewhere: the browser is with a vault that no
// shim of the laptop is connected to.
func TestTheShimThatOpenedTheTabDiesElsewhere(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, newPostgres(t), stage.Options{})
	w.Link.Prefer(0)
	theOpenerDies(t, w, func() { w.Link.Prefer(1) })
}

// TestTheShimsThatWaitDieElsewhere: all but the one that opened the tab. The
// browser is with a vault that no shim was ever connected to.
func TestTheShimsThatWaitDieElsewhere(t *testing.T) {
	t.Parallel()
	server := newPostgres(t)
	store := server.Database(t)
	w := newReplicas(t, server, stage.Options{Store: store})
	w.Link.Prefer(0)
	l := w.laptop("ada")
	clients, answers := startEight(t, w, l)
	address, err := w.WaitOpened(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	awaitStarts(t, store, eight)
	pid, err := w.OpenerPID(1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		if c.cmd.Process.Pid == pid {
			continue
		}
		if err := c.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-c.done
	}
	awaitStarts(t, store, 1)
	w.Link.Prefer(1)
	if _, err := browser.New().Consent(t.Context(), address, browser.Choose{Person: "ada", Allow: true}); err != nil {
		t.Fatalf("consenting after all others died: %v", err)
	}
	if n := good(t, answers); n != 1 {
		t.Errorf("%d calls were answered, want that of the only living shim", n)
	}
	w.checkOneOfEach(l)
}

// awaitStarts waits until the vaults know of so many processes that wait for a
// sign-in.
func awaitStarts(t *testing.T, store string, want int) {
	t.Helper()
	n := -1
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if query(t, store, "SELECT count(*) FROM starts WHERE seen > 0", &n); n == want {
			return
		}
	}
	t.Fatalf("the vaults know of %d processes that wait, want %d", n, want)
}

func theOpenerDies(t *testing.T, w *world, died func()) {
	l := w.laptop("ada")
	clients, answers := startEight(t, w, l)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	address, err := w.WaitOpened(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // the others register their starts, in processes of their own
	opener := w.killOpener(clients)
	died()
	if _, err := browser.New().Consent(ctx, address, browser.Choose{Person: "ada", Allow: true}); err != nil {
		t.Fatalf("consenting after shim %d died: %v", opener, err)
	}
	if n := good(t, answers); n != eight-1 {
		t.Errorf("%d of the %d living shims were answered", n, eight-1)
	}
	w.checkOneOfEach(l)
}

// good waits for the answers of all eight and counts those that are as they
// should be.
func good(t *testing.T, answers <-chan string) (n int) {
	t.Helper()
	for range eight {
		if within(t, answers, 30*time.Second) == "" {
			n++
		}
	}
	return n
}

func within(t *testing.T, answers <-chan string, patience time.Duration) string {
	t.Helper()
	select {
	case text := <-answers:
		return text
	case <-time.After(patience):
		t.Fatal("a call was not answered in time")
		return ""
	}
}

// killOpener kills the shim that asked for the tab. The stage's browser writes
// down its parent's process id beside each address.
func (w *world) killOpener(clients []*rawClient) int {
	w.t.Helper()
	pid, err := w.OpenerPID(1)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, c := range clients {
		if c.cmd.Process.Pid == pid {
			if err := c.cmd.Process.Kill(); err != nil {
				w.t.Fatal(err)
			}
			<-c.done
			return i
		}
	}
	w.t.Fatalf("no shim has the process id %d", pid)
	return -1
}

func (w *world) checkOneOfEach(l *stage.Laptop) {
	w.t.Helper()
	if opened, _ := w.Opened(); len(opened) != 1 {
		w.t.Errorf("%d tabs were opened, want 1", len(opened))
	}
	if logins := strings.Count(w.vault("audit", "list"), "login.done"); logins != 1 {
		w.t.Errorf("%d logins are on record, want 1", logins)
	}
	if sessions := strings.Count(w.vault("sessions", "list"), " live "); sessions != 1 {
		w.t.Errorf("%d sessions, want 1", sessions)
	}
	files, err := l.Files()
	if err != nil {
		w.t.Fatal(err)
	}
	keys := 0
	for _, name := range files {
		if text, _ := os.ReadFile(filepath.Join(l.Home, name)); strings.Contains(string(text), "PRIVATE KEY") {
			keys++
		}
	}
	if keys != 1 {
		w.t.Errorf("%d keys among %v, want 1", keys, files)
	}
}
