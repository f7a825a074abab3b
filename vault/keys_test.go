package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

// keyRig is a store with the vault's own keys and some grants under file:kek,
// and settings that name it.
type keyRig struct {
	t      *testing.T
	cfg    vault.Config
	db     *store.DB
	tokens atomic.Int64
}

// onEachStore runs test on a store of each kind.
func onEachStore(t *testing.T, grants int, test func(*keyRig)) {
	for name, url := range map[string]func() string{
		"sqlite": func() string { return "sqlite:" + filepath.Join(t.TempDir(), "vault.db") }, "postgres": func() string { return testenv.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			r := &keyRig{t: t, cfg: config(t, "127.0.0.1:0", "")}
			r.cfg.Settings.Store.URL = url()
			var err error
			if r.db, err = store.Open(t.Context(), r.cfg.Settings.Store.URL, ""); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.db.Close() })
			old := r.open("file:kek", true)
			if _, err := seal.Vault(t.Context(), old, r.db, "journal"); err != nil {
				t.Fatal(err)
			}
			if _, err := seal.VaultSecret(t.Context(), old, r.db, "nonce"); err != nil {
				t.Fatal(err)
			}
			k := r.keeper(old)
			for i := range grants {
				r.consent(k, i)
			}
			test(r)
		})
	}
}

func (r *keyRig) open(url string, create bool) seal.KEK {
	r.t.Helper()
	kek, err := seal.OpenKEK(r.t.Context(), url, r.cfg.Settings.Dir, create)
	if err != nil {
		r.t.Fatal(err)
	}
	return kek
}

// Refresh implements grant.Refresher with tokens that soon expire.
func (r *keyRig) Refresh(context.Context, identity.TenantID, secret.String) (grant.Tokens, error) {
	n := r.tokens.Add(1)
	return grant.Tokens{
		Access: secret.New(fmt.Sprint("access-", n)), Refresh: secret.New(fmt.Sprint("refresh-", n)), Expires: time.Now().Add(200 * time.Millisecond),
	}, nil
}

func (r *keyRig) keeper(kek seal.KEK) *grant.Keeper {
	r.t.Helper()
	k, err := grant.New(grant.Config{
		Store: r.db, Refreshes: r.db, KEK: kek, Refresher: r, Log: slog.New(slog.DiscardHandler),
		Event: func(context.Context, grant.Event) error { return nil },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(k.Close)
	return k
}

func person(i int) identity.PersonID { return identity.PersonID(fmt.Sprint("atlassian/p", i)) }

func (r *keyRig) consent(k *grant.Keeper, i int) identity.GrantID {
	r.t.Helper()
	tokens, _ := r.Refresh(r.t.Context(), "", secret.String{})
	id, err := k.Put(r.t.Context(), grant.Grant{Person: person(i), Tenant: "acme", Account: "a"}, tokens)
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

func (r *keyRig) admin() *vault.Admin {
	r.t.Helper()
	a, err := vault.OpenAdmin(r.t.Context(), r.cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = a.Close() })
	return a
}

// uses are how many values are under each key.
func (r *keyRig) uses() map[string]int {
	r.t.Helper()
	all, err := r.db.KeyUses(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, u := range all {
		counts[u.Name] = u.VaultKeys + u.Grants
	}
	return counts
}

// keyEvents are the records of key events, oldest first.
func (r *keyRig) keyEvents(a *vault.Admin) []string {
	r.t.Helper()
	var all []string
	page, err := a.Records(r.t.Context(), a.Who, admin.RecordQuery{Event: "keys", Paging: admin.Paging{Limit: 100}})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, record := range slices.Backward(page.Items) {
		all = append(all, record.Entry.Event+" "+record.Entry.Outcome)
	}
	return all
}

// TestRotationWhilePeopleWork moves everything to a new key while grants are
// used, refreshed, revoked and given anew by two replicas.
func TestRotationWhilePeopleWork(t *testing.T) {
	const people = 240
	onEachStore(t, people, func(r *keyRig) {
		t := r.t
		r.cfg.Settings.Keys.KEK, r.cfg.Settings.Keys.Former = "file:kek2", []string{"file:kek"}
		current := r.open("file:kek2", true)
		ring := seal.NewRing(current, r.open("file:kek", false))
		one, two := r.keeper(ring), r.keeper(ring)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var group sync.WaitGroup
		var calls atomic.Int64
		work := func(act func(i int) error) {
			group.Go(func() {
				for i := 0; ctx.Err() == nil; i = (i + 7) % people {
					if err := act(i); err != nil && ctx.Err() == nil {
						t.Errorf("person %d: %v (%v)", i, err, errors.Unwrap(err))
						return
					}
					calls.Add(1)
				}
			})
		}
		use := func(k *grant.Keeper) func(int) error {
			return func(i int) error {
				_, err := k.Token(ctx, person(i), "acme")
				if usererr.CodeOf(err) == usererr.SignIn && i < 40 {
					return nil // revoked below
				}
				return err
			}
		}
		work(use(one))
		work(use(two))
		var revoked []identity.GrantID
		group.Go(func() {
			for i := 0; i < 40; i += 2 {
				g, err := one.Describe(ctx, person(i), "acme")
				if err == nil {
					err = one.Revoke(ctx, g.ID)
				}
				if err != nil {
					t.Errorf("revoking: %v", err)
					return
				}
				revoked = append(revoked, g.ID)
				r.consent(two, 1000+i)
			}
		})
		a := r.admin()
		done, err := a.RotateKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(20 * time.Second)
		for calls.Load() < 200 && time.Now().Before(deadline) {
			time.Sleep(time.Millisecond)
		}
		stop()
		group.Wait()
		if done.VaultKeys != 2 || done.Damaged != 0 || done.Grants < people-40 || done.Key != current.ID() {
			t.Errorf("RotateKeys = %+v", done)
		}
		if uses := r.uses(); len(uses) != 1 || uses[current.Names()[0]] == 0 {
			t.Errorf("left: %v", uses)
		}
		for _, id := range revoked {
			if row, err := r.db.GrantGet(t.Context(), id); err != nil || row.Key != nil || row.State != grant.Revoked {
				t.Errorf("the revoked grant %s is %s with a key of %d bytes, %v", id, row.State, len(row.Key), err)
			}
		}
		if len(revoked) != 20 {
			t.Errorf("%d revoked", len(revoked))
		}
		// The new key alone is enough for everybody.
		alone := r.keeper(current)
		for i := 40; i < people; i++ {
			if _, err := alone.Token(t.Context(), person(i), "acme"); err != nil {
				t.Fatalf("person %d: %v", i, err)
			}
		}
		if diff := cmp.Diff([]string{"keys.rotate ok", "keys.rotated ok"}, r.keyEvents(a)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// tired is a transit engine that gives up after some requests. What it has
// wrapped is a number; what that stands for it remembers.
type tired struct {
	mu   sync.Mutex
	kept []string // guarded by mu
	left int      // guarded by mu
}

func (s *tired) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in struct {
		Plaintext, Ciphertext string
		Place                 string `json:"associated_data"`
	}
	if err := json.NewDecoder(q.Body).Decode(&in); err != nil || s.left == 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	s.left--
	data := map[string]string{}
	if strings.HasSuffix(q.URL.Path, "/encrypt/key") {
		s.kept = append(s.kept, in.Place+" "+in.Plaintext)
		data["ciphertext"] = fmt.Sprintf("vault:v1:%d", len(s.kept)-1)
	} else {
		var i int
		_, _ = fmt.Sscanf(in.Ciphertext, "vault:v1:%d", &i)
		place, plain, _ := strings.Cut(s.kept[i], " ")
		if place != in.Place {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		data["plaintext"] = plain
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func (s *tired) rest(requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = requests
}

// TestARotationGoesOnWhereItWasCutOff loses its key service twice on the way.
func TestARotationGoesOnWhereItWasCutOff(t *testing.T) {
	onEachStore(t, 230, func(r *keyRig) {
		t := r.t
		service := &tired{left: 150}
		server := httptest.NewServer(service)
		t.Cleanup(server.Close)
		if err := os.WriteFile(filepath.Join(r.cfg.Settings.Dir, "token"), []byte("t"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.cfg.Settings.Keys.KEK = "vault-transit://" + strings.TrimPrefix(server.URL, "http://") + "/transit/key?token=file:token"
		r.cfg.Settings.Keys.Former = []string{"file:kek"}
		old, current := r.open("file:kek", false), r.open(r.cfg.Settings.Keys.KEK, false)
		a := r.admin()
		step := func(grants, left int, ok bool) {
			t.Helper()
			done, err := a.RotateKeys(t.Context())
			if (err == nil) != ok || done.Grants != grants {
				t.Errorf("RotateKeys = %+v, %v; want %d grants, ok %v", done, err, grants, ok)
			}
			if err != nil && usererr.CodeOf(err) != usererr.Unavailable {
				t.Errorf("code %s", usererr.CodeOf(err))
			}
			if got := r.uses()[old.Names()[0]]; got != left {
				t.Errorf("%d left, want %d", got, left)
			}
		}
		step(100, 130, false) // of two keys and two batches, the second was cut off
		service.rest(50)
		step(0, 130, false)
		keys, err := a.Keys(t.Context())
		want := []vault.KeyUse{{Key: current.ID(), Part: "current", VaultKeys: 2, Grants: 100}, {Key: old.ID(), Part: "former", Grants: 130}}
		if diff := cmp.Diff(want, keys); err != nil || diff != "" {
			t.Errorf("Keys: %v (-want +got):\n%s", err, diff)
		}
		service.rest(1 << 20)
		step(130, 0, true)
		step(0, 0, true)
		k := r.keeper(current)
		for i := range 230 {
			if _, err := k.Token(t.Context(), person(i), "acme"); err != nil {
				t.Fatalf("person %d: %v", i, err)
			}
		}
		events := r.keyEvents(a)
		wantEvents := []string{"keys.rotate ok", "keys.rotated error", "keys.rotate ok", "keys.rotated error", "keys.rotate ok", "keys.rotated ok"}
		if !slices.Equal(events, wantEvents) {
			t.Errorf("records %v", events)
		}
	})
}

// TestAnInterruptedRotationIsOnRecord ends its context while it works.
func TestAnInterruptedRotationIsOnRecord(t *testing.T) {
	onEachStore(t, 3, func(r *keyRig) {
		t := r.t
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
			_, _ = io.Copy(io.Discard, q.Body) // only then does the server see who hangs up
			cancel()                           // while the service is asked
			select {
			case <-q.Context().Done():
			case <-time.After(10 * time.Second):
			}
		}))
		t.Cleanup(server.Close)
		if err := os.WriteFile(filepath.Join(r.cfg.Settings.Dir, "token"), []byte("t"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.cfg.Settings.Keys.KEK = "vault-transit://" + strings.TrimPrefix(server.URL, "http://") + "/transit/key?token=file:token"
		r.cfg.Settings.Keys.Former = []string{"file:kek"}
		a := r.admin()
		if _, err := a.RotateKeys(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("RotateKeys = %v", err)
		}
		if diff := cmp.Diff([]string{"keys.rotate ok", "keys.rotated error"}, r.keyEvents(a)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	})
}

// TestRotationWithTheWrongKey changes nothing and says which key is needed.
func TestRotationWithTheWrongKey(t *testing.T) {
	onEachStore(t, 3, func(r *keyRig) {
		t := r.t
		old := r.open("file:kek", false)
		r.open("file:other", true)
		r.open("file:another", true)
		r.cfg.Settings.Keys.KEK, r.cfg.Settings.Keys.Former = "file:other", []string{"file:another"}
		before := r.uses()
		a := r.admin()
		_, err := a.RotateKeys(t.Context())
		want := "2 of the vault's own keys and 3 grants are under " + old.ID()
		if text := usererr.Text(err, ""); usererr.CodeOf(err) != usererr.Settings || !strings.Contains(text, want) {
			t.Errorf("RotateKeys = %q; want %q", text, want)
		}
		if err := vault.Run(t.Context(), r.cfg); usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), want) {
			t.Errorf("Run = %v; want %q", err, want)
		}
		if diff := cmp.Diff(before, r.uses()); diff != "" {
			t.Errorf("changed:\n%s", diff)
		}
		if events := r.keyEvents(a); len(events) != 0 {
			t.Errorf("on record: %v", events)
		}
	})
}
