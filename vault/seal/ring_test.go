package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

func TestARingOpensWhatItsKeysWrapped(t *testing.T) {
	_, host, dir := newEngine(t)
	old, service, stranger := newKEK(t), openTransit(t, host, dir), newKEK(t)
	ring := seal.NewRing(service, old)
	if got, want := ring.ID(), service.ID(); got != want {
		t.Errorf("ID = %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{service.Names()[0], old.Names()[0]}, ring.Names()); diff != "" {
		t.Errorf("Names (-want +got):\n%s", diff)
	}
	wrap := func(kek seal.KEK) []byte {
		wrapped, err := kek.Wrap(t.Context(), []byte("key"), place)
		if err != nil {
			t.Fatal(err)
		}
		return wrapped
	}
	for name, kek := range map[string]seal.KEK{"current": service, "former": old, "ring": ring} {
		if plain, err := ring.Unwrap(t.Context(), wrap(kek), place); err != nil || string(plain) != "key" {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
	if got := seal.WrappedBy(wrap(ring)); got != service.Names()[0] {
		t.Errorf("the ring wraps under %q", got)
	}
	if _, err := ring.Unwrap(t.Context(), wrap(stranger), place); !errors.Is(err, seal.ErrNoKey) || !strings.Contains(err.Error(), stranger.Names()[0]) {
		t.Errorf("a stranger's: %v; want ErrNoKey and its name", err)
	}
	for _, junk := range [][]byte{nil, {}, {1}, {2}, {2, 9, 'x'}, []byte("CA")} {
		if _, err := ring.Unwrap(t.Context(), junk, place); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("%q: %v; want ErrOpen", junk, err)
		}
	}
}

func TestRewrapKeepsTheKeyAndThePlace(t *testing.T) {
	_, host, dir := newEngine(t)
	old, service := newKEK(t), openTransit(t, host, dir)
	for name, path := range map[string][2]seal.KEK{"to a service": {old, service}, "to a file": {service, old}, "to another file": {old, newKEK(t)}} {
		t.Run(name, func(t *testing.T) {
			from, to := path[0], path[1]
			box, wrapped, err := seal.NewKey(t.Context(), from, place)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := box.Seal([]byte("plain"), place)
			if err != nil {
				t.Fatal(err)
			}
			ring := seal.NewRing(to, from)
			again, err := seal.Rewrap(t.Context(), ring, wrapped, place)
			if err != nil || seal.WrappedBy(again) != to.Names()[0] {
				t.Fatalf("Rewrap under %q, %v", seal.WrappedBy(again), err)
			}
			opened, err := seal.OpenKey(t.Context(), to, again, place)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := opened.Open(sealed, place); err != nil || string(plain) != "plain" {
				t.Errorf("Open = %q, %v", plain, err)
			}
			for where, other := range elsewhere() {
				if _, err := seal.Rewrap(t.Context(), ring, wrapped, other); !errors.Is(err, seal.ErrOpen) {
					t.Errorf("%s: Rewrap = %v; want ErrOpen", where, err)
				}
			}
			if _, err := seal.Rewrap(t.Context(), to, wrapped, place); err == nil {
				t.Error("re-wrapped without the key that wrapped it")
			}
		})
	}
}

func TestRewrapVaultKey(t *testing.T) {
	old, current, store := newKEK(t), newKEK(t), &shelf{}
	if _, err := seal.Vault(t.Context(), old, store, "journal"); err != nil {
		t.Fatal(err)
	}
	secret, err := seal.VaultSecret(t.Context(), old, store, "nonce")
	if err != nil {
		t.Fatal(err)
	}
	ring := seal.NewRing(current, old)
	for purpose, k := range store.keys {
		fresh, err := seal.RewrapVaultKey(t.Context(), ring, k)
		if err != nil || fresh.KEK != current.ID() || fresh.Purpose != purpose || bytes.Equal(fresh.Wrapped, k.Wrapped) {
			t.Fatalf("RewrapVaultKey(%s) = %v, %v", purpose, fresh, err)
		}
		store.keys[purpose] = fresh
	}
	if _, err := seal.Vault(t.Context(), current, store, "journal"); err != nil {
		t.Error(err)
	}
	if got, err := seal.VaultSecret(t.Context(), current, store, "nonce"); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("another secret, %v", err)
	}
	moved := store.keys["journal"]
	moved.Purpose = "cursor"
	if _, err := seal.RewrapVaultKey(t.Context(), ring, moved); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a key of another purpose: %v; want ErrOpen", err)
	}
}

// TestAKeyFileHasOneNameForEver moves the file: what it wrapped is still its.
func TestAKeyFileHasOneNameForEver(t *testing.T) {
	dir := t.TempDir()
	before, err := seal.OpenKEK(t.Context(), "file:kek", dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "kek"), filepath.Join(dir, "kek.old")); err != nil {
		t.Fatal(err)
	}
	after, err := seal.OpenKEK(t.Context(), "file:kek.old", dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before.Names(), after.Names()) || before.ID() == after.ID() {
		t.Errorf("names %q and %q, ids %q and %q", before.Names(), after.Names(), before.ID(), after.ID())
	}
}

func FuzzWrappedBy(f *testing.F) {
	f.Add([]byte{1, 1, 0, 0, 0, 1, 9})
	f.Add([]byte("\x02\x03abcd"))
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		name := seal.WrappedBy(wrapped)
		if len(name) > 255 || name != "" && len(wrapped) < 4 {
			t.Errorf("WrappedBy(%q) = %q", wrapped, name)
		}
	})
}
