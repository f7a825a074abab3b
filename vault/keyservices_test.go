package vault_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/kek"
)

// plug leads the vault of cfg into a net, by the settings for its way out.
func plug(t *testing.T, cfg *vault.Config, net *keysim.Net) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, net.Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Settings.Network.Egress.URL = secret.New(net.Proxy(t))
	cfg.Settings.Network.Egress.CAFile = file
}

// openIn opens a key of any kind.
func (r *keyRig) openIn(net *keysim.Net, url string) seal.KEK {
	r.t.Helper()
	key, err := kek.Open(r.t.Context(), url, kek.Options{Dir: r.cfg.Settings.Dir, Create: true, Transport: net.Transport()})
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

// cloud is a key of each vendor.
func cloud(t *testing.T, net *keysim.Net) map[string]keysim.Key {
	return map[string]keysim.Key{"azure": net.Azure(t), "azure-hsm": net.AzureHSM(t), "aws": net.AWS(t), "gcp": net.GCP(t)}
}

// TestRotationThroughKeysOfAllKinds moves everything from one kind of key to
// the next while people work, until it is under a file again.
func TestRotationThroughKeysOfAllKinds(t *testing.T) {
	const people = 20
	onEachStore(t, people, func(r *keyRig) {
		t := r.t
		net := keysim.NewNet(t)
		plug(t, &r.cfg, net)
		services := cloud(t, net)
		urls := []string{"file:kek", keysim.Transit(t).URL(), services["azure"].URL(), services["aws"].URL(), services["gcp"].URL(), services["azure-hsm"].URL(), "file:kek2"}
		for i, url := range urls[1:] {
			old, current := r.openIn(net, urls[i]), r.openIn(net, url)
			r.cfg.Settings.Keys.KEK, r.cfg.Settings.Keys.Former = url, []string{urls[i]}
			r.rotateWhilePeopleWork(people, seal.NewRing(current, old))
			if diff := cmp.Diff(map[string]int{current.Names()[0]: people + 2}, r.uses()); diff != "" {
				t.Errorf("from %s to %s (-want +got):\n%s", urls[i], url, diff)
			}
			alone := r.keeper(current)
			for p := range people {
				if _, err := alone.Token(t.Context(), person(p), "acme"); err != nil {
					t.Fatalf("person %d with %s alone: %v", p, url, err)
				}
			}
		}
	})
}

func (r *keyRig) rotateWhilePeopleWork(people int, ring seal.KEK) {
	t := r.t
	t.Helper()
	k := r.keeper(ring)
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		for i := 0; ctx.Err() == nil; i = (i + 7) % people {
			if _, err := k.Token(ctx, person(i), "acme"); err != nil && ctx.Err() == nil {
				t.Errorf("person %d: %v", i, err)
				return
			}
		}
	})
	done, err := r.admin().RotateKeys(t.Context())
	stop()
	group.Wait()
	if err != nil || done.VaultKeys != 2 || done.Grants != people || done.Damaged != 0 || done.Key != ring.ID() {
		t.Errorf("RotateKeys = %+v, %v", done, err)
	}
}

// TestARotationToAKeyServiceGoesOn after the service failed in its midst, from
// each vendor's to the next.
func TestARotationToAKeyServiceGoesOn(t *testing.T) {
	onEachStore(t, 120, func(r *keyRig) {
		t := r.t
		net := keysim.NewNet(t)
		plug(t, &r.cfg, net)
		services, former := cloud(t, net), "file:kek"
		a := r.admin()
		for _, kind := range []string{"azure", "aws", "gcp"} {
			service := services[kind]
			r.cfg.Settings.Keys.KEK, r.cfg.Settings.Keys.Former = service.URL(), []string{former}
			old, current := r.openIn(net, former), r.openIn(net, service.URL())
			var asked atomic.Int64
			service.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
				if asked.Add(1) <= 110 {
					return false
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
			done, err := a.RotateKeys(t.Context())
			if usererr.CodeOf(err) != usererr.Unavailable || done.Grants != 100 || done.VaultKeys != 2 {
				t.Errorf("%s: RotateKeys = %+v, %v", kind, done, err)
			}
			keys, err := a.Keys(t.Context())
			want := []vault.KeyUse{{Key: current.ID(), Part: "current", VaultKeys: 2, Grants: 100}, {Key: old.ID(), Part: "former", Grants: 20}}
			if diff := cmp.Diff(want, keys); err != nil || diff != "" {
				t.Errorf("%s: Keys: %v (-want +got):\n%s", kind, err, diff)
			}
			service.Answer(nil)
			if done, err := a.RotateKeys(t.Context()); err != nil || done.Grants != 20 || done.VaultKeys != 0 {
				t.Errorf("%s: the rest: %+v, %v", kind, done, err)
			}
			if uses := r.uses(); len(uses) != 1 || uses[current.Names()[0]] != 122 {
				t.Errorf("%s: left: %v", kind, uses)
			}
			former = service.URL()
		}
	})
}

// TestWhileAKeyServiceIsDown those go on whose data keys are open, everybody
// else is told, and access can be taken away.
func TestWhileAKeyServiceIsDown(t *testing.T) {
	onEachStore(t, 0, func(r *keyRig) {
		net := keysim.NewNet(r.t)
		first := 0
		for kind, service := range cloud(r.t, net) {
			r.outage(net, r.openIn(net, service.URL()), kind, first)
			first += 10
		}
	})
}

// outage takes the key away from two vaults that know ten people from first on.
func (r *keyRig) outage(net *keysim.Net, key seal.KEK, kind string, first int) {
	t := r.t
	here, there := r.keeper(key), r.keeper(key)
	for i := range 3 {
		r.consent(there, first+i)
	}
	token := func(k *grant.Keeper, i int) error {
		_, err := k.Token(t.Context(), person(first+i), "acme")
		return err
	}
	if err := token(here, 0); err != nil {
		t.Fatal(kind, err)
	}
	net.Unplug(true)
	before := r.tokens.Load()
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if err := token(here, 0); err != nil {
			t.Fatalf("%s, with an open data key: %v", kind, err)
		}
	}
	if r.tokens.Load() == before {
		t.Errorf("%s: no token was refreshed meanwhile", kind)
	}
	err := token(here, 1)
	if _, ok := seal.TroubleOf(err); !ok || usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "cannot open your sign-in") {
		t.Errorf("%s, without: %v", kind, err)
	}
	tokens, _ := r.Refresh(t.Context(), "", secret.String{})
	if _, err := here.Put(t.Context(), grant.Grant{Person: person(first + 9), Tenant: "acme", Account: "a"}, tokens); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("%s, a new sign-in: %v", kind, err)
	}
	g, err := there.Describe(t.Context(), person(first+2), "acme")
	if err == nil {
		err = there.Revoke(t.Context(), g.ID)
	}
	if err != nil {
		t.Errorf("%s, revoking: %v", kind, err)
	}
	net.Unplug(false)
	for i, want := range []usererr.Code{"", "", usererr.SignIn} {
		if err := token(here, i); usererr.CodeOf(err) != want {
			t.Errorf("%s, up again, person %d: %v", kind, i, err)
		}
	}
}

// counted counts what a key service would be asked to open.
type counted struct {
	seal.KEK
	opened atomic.Int64
}

// Unwrap implements seal.KEK.
func (c *counted) Unwrap(ctx context.Context, wrapped []byte, aad seal.AAD) ([]byte, error) {
	c.opened.Add(1)
	return c.KEK.Unwrap(ctx, wrapped, aad)
}

// TestOpenDataKeysArePurged when access was taken away elsewhere: what was
// open here opens nothing more, and the key is gone from the store.
func TestOpenDataKeysArePurged(t *testing.T) {
	onEachStore(t, 3, func(r *keyRig) {
		t := r.t
		key := &counted{KEK: r.open("file:kek", false)}
		here, there := r.keeper(key), r.keeper(key)
		var grants []identity.GrantID
		for i := range 3 {
			for range 3 {
				if _, err := here.Token(t.Context(), person(i), "acme"); err != nil {
					t.Fatal(err)
				}
			}
			g, err := there.Describe(t.Context(), person(i), "acme")
			if err != nil {
				t.Fatal(err)
			}
			grants = append(grants, g.ID)
		}
		if n := key.opened.Load(); n != 3 {
			t.Errorf("3 data keys were opened %d times", n)
		}
		if err := there.Revoke(t.Context(), grants[0]); err != nil {
			t.Fatal(err)
		}
		here.Purge() // what a moved epoch does
		if _, err := here.Token(t.Context(), person(0), "acme"); usererr.CodeOf(err) != usererr.SignIn {
			t.Errorf("after the revocation: %v", err)
		}
		if row, err := r.db.GrantGet(t.Context(), grants[0]); err != nil || row.Key != nil || row.Access != nil || row.Refresh != nil {
			t.Errorf("the store has a key of %d bytes, %v", len(row.Key), err)
		}
		if _, err := here.Token(t.Context(), person(1), "acme"); err != nil {
			t.Error(err)
		}
		if n := key.opened.Load(); n != 4 { // person 1 again, person 0 never
			t.Errorf("data keys were opened %d times", n)
		}
	})
}

// TestStartsWithAKeyServiceThatRefuses says why and makes nothing.
func TestStartsWithAKeyServiceThatRefuses(t *testing.T) {
	for _, kind := range []string{"azure", "aws", "gcp"} {
		t.Run(kind, func(t *testing.T) {
			net := keysim.NewNet(t)
			key := cloud(t, net)[kind]
			cfg := config(t, "127.0.0.1:0", "")
			plug(t, &cfg, net)
			cfg.Settings.Keys.KEK = key.URL()
			try := func(want string) {
				t.Helper()
				err := vault.Run(t.Context(), cfg)
				if text := usererr.Text(err, ""); usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(text, want) || !strings.Contains(text, "key service") || strings.Contains(fmt.Sprint(text, err), "CANARY") {
					t.Errorf("Run = %v; want %q", err, want)
				}
			}
			for state, want := range map[keysim.State]string{keysim.Deleted: "does not have this key", keysim.Forbidden: "may not use this key", keysim.Disabled: "is disabled", keysim.Unfit: "kind that can wrap"} {
				key.Set(state)
				try(want)
			}
			net.Unplug(true)
			try("does not answer")
			net.Unplug(false)
			key.Set(keysim.Enabled)
			if kind != "azure" {
				return // whose it is makes no difference any more
			}
			cfg.Settings.Network.Listen, cfg.Settings.Network.PublicURL = free(t), ""
			cfg.Settings.Network.PublicURL = "http://" + cfg.Settings.Network.Listen
			readyAndNot(t, cfg, net)
		})
	}
}

// readyAndNot runs a vault and takes the key service away from it.
func readyAndNot(t *testing.T, cfg vault.Config, net *keysim.Net) {
	url, stop := run(t, cfg)
	wait := func(status int) (text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			var got int
			if got, _, text = get(t, url+"/readyz"); got == status {
				return text
			}
		}
		t.Fatalf("never %d: %s", status, text)
		return text
	}
	wait(http.StatusOK)
	net.Unplug(true)
	text := wait(http.StatusServiceUnavailable)
	if !strings.Contains(text, `"keys":"The key service does not answer. The log of the vault knows more."`) || !strings.Contains(text, `"store":"ok"`) {
		t.Errorf("readyz = %s", text)
	}
	net.Unplug(false)
	wait(http.StatusOK)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(cfg.Settings.Dir); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "kek" }) {
		t.Errorf("a key file was made: %v", err)
	}
}
