package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

const replicas = 3

// newReplicas is a world with three vaults on one PostgreSQL, which a plain
// balancer takes in turn, connection by connection.
func newReplicas(t *testing.T, server *testenv.Server, opt stage.Options) *world {
	t.Helper()
	if opt.Vaults = replicas; opt.Store == "" {
		opt.Store = server.Database(t)
	}
	w := newWorld(t, opt)
	for _, v := range w.Vaults[1:] {
		if err := v.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func newPostgres(t *testing.T, settings ...string) *testenv.Server {
	t.Helper()
	server := testenv.NewPostgres(t, 0, settings...)
	t.Cleanup(func() { _ = server.Remove() })
	return server
}

// TestThreeVaults signs people in through whatever vault comes next, lets
// Atlassian's tokens expire under calls at all vaults, and takes access away.
func TestThreeVaults(t *testing.T) {
	t.Parallel()
	const life, clients = 4 * time.Second, 6
	w := newReplicas(t, newPostgres(t), stage.Options{Sim: atlassiansim.Options{AccessTokenLife: life}})
	ada, ben := w.laptop("ada"), w.laptop("ben")
	first := w.connect(ada, nil)
	w.signIn(first, "ada")
	bens := w.connect(ben, nil)
	w.signIn(bens, "ben")

	// Several programs of one laptop are at different vaults.
	all := []*mcp.ClientSession{first}
	for range clients - 1 {
		all = append(all, w.connect(ada, nil))
	}
	before := len(w.Sim.TokenRequests())
	began := time.Now()
	var calls sync.WaitGroup
	for _, session := range all {
		calls.Go(func() {
			for time.Since(began) < 5*life/2 {
				if text, err := call(t.Context(), session, "confluence_list_spaces", nil); err != nil || !strings.Contains(text, "ENG") {
					t.Errorf("%q, %v", text, err)
					return
				}
				time.Sleep(50 * time.Millisecond)
			}
		})
	}
	calls.Wait()
	if opened, _ := w.Opened(); len(opened) != 2 {
		t.Errorf("%d tabs were opened, want 2", len(opened))
	}
	// At most one refresh for each time that a token expired or was about to.
	if spent := len(w.Sim.TokenRequests()) - before; spent < 1 || spent > 5 {
		t.Errorf("%d refreshes in %v of tokens that live %v", spent, time.Since(began).Round(time.Second), life)
	}
	if list := w.vault("grants", "list"); strings.Count(list, " live") != 2 {
		t.Errorf("grants: %s", list)
	}
	if out := w.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		t.Errorf("audit: %s", out)
	}

	// One command ends all streams of the laptop, at whatever vault.
	w.revokeSessionOf("Ada")
	time.Sleep(time.Second)
	for i, session := range all {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		text, err := call(ctx, session, "confluence_list_spaces", nil)
		cancel()
		if err == nil {
			t.Errorf("client %d is answered after the revocation: %q", i, text)
		}
	}
	if text, err := call(t.Context(), bens, "confluence_list_spaces", nil); err != nil {
		t.Errorf("ben is answered %q, %v", text, err)
	}
	if out := w.vault("revoke", "--everything", "--yes"); !strings.Contains(out, "1 session and 2 grants") {
		t.Errorf("revoking everything: %s", out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if text, err := call(ctx, bens, "confluence_list_spaces", nil); err == nil {
		t.Errorf("ben is answered after everything was revoked: %q", text)
	}
}

// TestALoginOverThreeVaults begins a login at one vault, lets the browser come
// back to another, and finishes it at the third.
func TestALoginOverThreeVaults(t *testing.T) {
	t.Parallel()
	w := newReplicas(t, newPostgres(t), stage.Options{})
	w.Link.Prefer(0)
	c := startRaw(t, w.laptop("ada").Shim(context.WithoutCancel(t.Context())))
	c.initialize("2025-11-25")
	answer := make(chan string, 1)
	go func() {
		text, failed, err := c.tool("1", "confluence_list_spaces", nil)
		answer <- fmt.Sprint(text, failed, err)
	}()
	address, err := w.WaitOpened(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	w.Link.Prefer(2)
	w.Link.Cut()
	w.Link.Heal()
	b := browser.New()
	b.Transport = &http.Transport{DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
		if to == w.Address {
			to = w.Vaults[1].Address()
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}}
	if _, err := b.Consent(t.Context(), address, browser.Choose{Person: "ada", Allow: true}); err != nil {
		t.Fatal(err)
	}
	if text := within(t, answer, time.Minute); !strings.Contains(text, "ENG") {
		t.Errorf("the call that waited was answered %q", text)
	}
	for i, words := range []string{"a login began", "a browser came back", "a person signed in"} {
		if w.Vaults[i].Said(words) != 1 {
			t.Errorf("vault %d did not say %q", i, words)
		}
	}
	c.once()
}

// revokeSessionOf ends the session of a person, by the first name.
func (w *world) revokeSessionOf(name string) {
	w.t.Helper()
	for line := range strings.Lines(w.vault("sessions", "list")) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == name {
			w.vault("sessions", "revoke", fields[0])
			return
		}
	}
	w.t.Fatalf("%s has no session", name)
}

// TestReplicasThatDieSoak kills vaults and stops the database during reads,
// creations and updates. Every call is answered once, and no page is written
// twice.
func TestReplicasThatDieSoak(t *testing.T) {
	t.Parallel()
	calls := 200
	if soak() {
		calls = 800
	}
	server := newPostgres(t)
	w := newReplicas(t, server, stage.Options{Sim: atlassiansim.Options{Latency: 60 * time.Millisecond}})
	c := w.chaos(calls, w.killReplicas)
	if out := w.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		t.Errorf("audit: %s", out)
	}
	w.stopDatabase(c, server)
}

// killReplicas kills a vault or drains it, and starts it again, until stop.
func (w *world) killReplicas(stop <-chan struct{}) {
	for turns := 0; ; turns++ {
		select {
		case <-stop:
			if turns < 2 {
				w.t.Error("too little trouble: the calls were over too soon")
			}
			return
		case <-time.After(time.Duration(100+rand.IntN(400)) * time.Millisecond):
		}
		v, end := w.Vaults[rand.IntN(replicas)], (*stage.Vault).Kill
		if turns%3 == 2 {
			end = (*stage.Vault).Stop
		}
		if err := end(v); err != nil {
			w.t.Error(err)
		}
		if err := v.Start(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// stopDatabase takes the database away for a while: calls fail clearly, and go
// on without a restart of anything.
func (w *world) stopDatabase(c *rawClient, server *testenv.Server) {
	w.t.Helper()
	away := 3 * time.Second
	if soak() {
		away = 20 * time.Second
	}
	server.Stop()
	began := time.Now()
	for n := 0; time.Since(began) < away; n++ {
		text, failed, err := c.tool(fmt.Sprintf(`"away%d"`, n), "confluence_list_spaces", nil)
		if err == nil && !failed {
			w.t.Errorf("a call was answered without the database: %q", text)
		}
		time.Sleep(200 * time.Millisecond)
	}
	server.Start(w.t)
	for end := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		text, failed, err := c.tool(fmt.Sprintf(`"back%d"`, time.Now().UnixNano()), "confluence_list_spaces", nil)
		if err == nil && !failed {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("with the database back: %q, %v", text, err)
		}
	}
}
