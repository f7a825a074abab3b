package e2e_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestTwoPeopleSeeTheirOwnSpaces shares one vault between two laptops.
func TestTwoPeopleSeeTheirOwnSpaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	ada, chloe := w.connect(w.laptop("ada"), nil), w.connect(w.laptop("chloe"), nil)
	w.signIn(ada, "ada")
	w.signIn(chloe, "chloe")
	secret := w.Sim.AnyPage("FIN")
	for _, test := range []struct {
		tool string
		args map[string]any
	}{
		{"confluence_list_spaces", nil},
		{"confluence_search", map[string]any{"cql": "space = FIN"}},
		{"confluence_get_page", map[string]any{"page": secret.ID}},
	} {
		if text, err := call(t.Context(), chloe, test.tool, test.args); err != nil || !strings.Contains(text, "FIN") {
			t.Errorf("chloe's %s = %q, %v", test.tool, text, err)
		}
		text, _ := call(t.Context(), ada, test.tool, test.args)
		if strings.Contains(text, "Finance") || strings.Contains(text, secret.Title) {
			t.Errorf("ada's %s = %q", test.tool, text)
		}
	}
	// What one of them is refused was not cached for the other.
	if _, err := call(t.Context(), chloe, "confluence_get_page", map[string]any{"page": secret.ID}); err != nil {
		t.Error(err)
	}
	list := w.vault("sessions", "list")
	if strings.Count(list, " live ") != 2 || strings.Count(w.vault("grants", "list"), "live") != 2 {
		t.Errorf("sessions: %s", list)
	}
}

// TestTwoWriters lets two people change one page from the same version.
func TestTwoWriters(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	ada, ben := w.connect(w.laptop("ada"), nil), w.connect(w.laptop("ben"), nil)
	w.signIn(ada, "ada")
	w.signIn(ben, "ben")
	page := w.Sim.AnyPage("ENG")
	write := func(body string) map[string]any {
		return map[string]any{"page": page.ID, "expected_version": page.Version, "body": body, "allow_loss": true}
	}
	if text, err := call(t.Context(), ada, "confluence_update_page", write("The first text")); err != nil {
		t.Fatalf("the first: %q, %v", text, err)
	}
	text, err := call(t.Context(), ben, "confluence_update_page", write("The second text"))
	if err == nil || !strings.Contains(text, "nothing was written") || !strings.Contains(text, "The first text") {
		t.Errorf("the second says %q, %v", text, err)
	}
	if now, _ := w.Sim.PageByID(page.ID); now.Version != page.Version+1 || !strings.Contains(now.Body, "The first text") {
		t.Errorf("the page is %+v", now)
	}
}

var errUnreachable = errors.New("another machine's loopback")

// elsewhere is the browser of another machine: the loopback of the one that
// asked is not here. Requests to stopped addresses are kept and not sent.
type elsewhere struct {
	here    http.RoundTripper
	known   []string // host:port
	stop    string   // a path prefix
	stopped string   // the address that was not opened
}

func (e *elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	known := false
	for _, host := range e.known {
		known = known || r.URL.Host == host
	}
	if !known || e.stop != "" && strings.HasPrefix(r.URL.Path, e.stop) {
		e.stopped = r.URL.String()
		return nil, &net.OpError{Op: "dial", Err: errUnreachable}
	}
	return e.here.RoundTrip(r)
}

// TestALinkOpenedElsewhereSignsNobodyIn is the attack of the phished link: one
// asks on their own machine, and another person consents on theirs.
func TestALinkOpenedElsewhereSignsNobodyIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	mallory := startRaw(t, w.laptop("mallory").Shim(context.WithoutCancel(t.Context())))
	mallory.initialize("2025-11-25")
	mallory.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_list_spaces","arguments":{}}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address, err := w.WaitOpened(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	known := []string{strings.TrimPrefix(w.VaultURL, "http://"), strings.TrimPrefix(w.SimURL, "http://")}
	victim := &elsewhere{here: http.DefaultTransport, known: known}
	b := browser.New()
	b.Transport = victim
	if _, err := b.Consent(ctx, address, browser.Choose{Person: "chloe", Allow: true}); !errors.Is(err, errUnreachable) {
		t.Errorf("consenting elsewhere ended with %v", err)
	}
	if !strings.HasPrefix(victim.stopped, "http://127.0.0.1:") {
		t.Errorf("the browser ended at %q, not at the loopback of the machine that asked", victim.stopped)
	}
	// The same link again, by a browser that has no part in it.
	if p, err := browser.New().Open(ctx, address); err != nil || p.Status < 400 {
		t.Errorf("the link opened in another browser: %d, %v", p.Status, err)
	}
	w.nobodySignedIn(mallory)
}

// TestACallbackInAnotherBrowser carries the way back from Atlassian over to a
// browser that did not go there.
func TestACallbackInAnotherBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	ada := startRaw(t, w.laptop("ada").Shim(context.WithoutCancel(t.Context())))
	ada.initialize("2025-11-25")
	ada.send(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"confluence_list_spaces","arguments":{}}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	address, err := w.WaitOpened(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	way := &elsewhere{here: http.DefaultTransport, known: []string{strings.TrimPrefix(w.VaultURL, "http://"), strings.TrimPrefix(w.SimURL, "http://")}, stop: "/callback/"}
	b := browser.New()
	b.Transport = way
	if _, err := b.Consent(ctx, address, browser.Choose{Person: "ada", Allow: true}); !errors.Is(err, errUnreachable) || way.stopped == "" {
		t.Fatalf("the way to the callback ended with %v", err)
	}
	if p, err := browser.New().Open(ctx, way.stopped); err != nil || p.Status < 400 {
		t.Errorf("the callback in another browser: %d, %v", p.Status, err)
	}
	w.nobodySignedIn(ada)
}

// nobodySignedIn wants no code redeemed, nothing stored and no answer.
func (w *world) nobodySignedIn(c *rawClient) {
	w.t.Helper()
	if got := len(w.Sim.TokenRequests()); got != 0 {
		w.t.Errorf("%d token requests, want none", got)
	}
	if list := w.vault("sessions", "list"); strings.Contains(list, " live ") {
		w.t.Errorf("sessions: %s", list)
	}
	if list := w.vault("grants", "list"); strings.Contains(list, "g_") {
		w.t.Errorf("grants: %s", list)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := c.answers["1"]; len(got) != 0 {
		w.t.Errorf("the call was answered: %s", got[0].Result)
	}
}
