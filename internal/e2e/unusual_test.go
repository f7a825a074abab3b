package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// TestSomethingUnusual replays a proof of one of a person's devices at one
// vault: what the person has open at another is cut, and nobody signs in in
// that name until an administrator says so.
func TestSomethingUnusual(t *testing.T) {
	t.Parallel()
	opt := stage.Options{Vaults: 2, Store: newPostgres(t).Database(t)}
	w := newWorld(t, opt)
	if err := w.Vaults[0].Stop(); err != nil {
		t.Fatal(err)
	}
	for _, v := range w.Vaults {
		if err := v.Start(t.Context(), "COATCHECK_ANOMALIES_FAILURES_ACTION=suspend", "COATCHECK_ANOMALIES_FAILURES_COUNT=3"); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), opt.Store, w.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	sessions := session.New(session.Config{Store: db})
	idle := &idlers{url: w.VaultURL, sessions: sessions, open: make([]atomic.Int64, 2), last: make([]atomic.Int64, 2)}
	defer idle.leave()
	for _, person := range []int{0, 0, 0, 0, 1} {
		if err := idle.arrive(t.Context(), person); err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	device, err := dpop.Thumbprint(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sessions.Start(t.Context(), session.Who{Device: identity.DeviceID(device), Person: identity.PersonID(name(0)), Tenant: stage.Tenant}); err != nil {
		t.Fatal(err)
	}
	// The nonce that idle got last is good at each vault.
	proof, err := dpop.Prove(key, dpop.Claims{Method: http.MethodGet, URL: w.VaultURL + wire.ConnectPath, Nonce: *idle.nonce.Load()})
	if err != nil {
		t.Fatal(err)
	}
	took := idle.revoked(t, []int{0}, func() {
		for range 4 { // of which the first is good
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.Vaults[0].Address()+wire.ConnectPath, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Dpop", proof)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	})
	t.Logf("from the first replay to the last closed socket: %v", took)
	if n := idle.open[1].Load(); n != 1 {
		t.Errorf("%d streams of somebody else are open", n)
	}
	again := func() error {
		_, err := sessions.Start(t.Context(), session.Who{Device: "d", Person: identity.PersonID(name(0)), Tenant: stage.Tenant})
		return err
	}
	if err := again(); err == nil {
		t.Error("the person signs in again at once")
	}
	said := w.vault("audit", "list", "--tenant", stage.Tenant, "--person", name(0))
	for _, want := range []string{"anomaly", "person.suspended", "session.revoked"} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not on record:\n%s", want, said)
		}
	}
	w.vault("people", "restore", name(0))
	if err := again(); err != nil {
		t.Errorf("after people restore: %v", err)
	}
}
