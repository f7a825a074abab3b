package seal_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// shelf is a KeyStore in memory.
type shelf struct {
	mu      sync.Mutex
	keys    map[string]seal.VaultKey
	created int
	broken  error
}

func (s *shelf) VaultKey(_ context.Context, purpose string) (seal.VaultKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[purpose]
	if !ok {
		return k, errors.Join(seal.ErrNoVaultKey, s.broken)
	}
	return k, s.broken
}

func (s *shelf) VaultKeyCreate(_ context.Context, k seal.VaultKey) (seal.VaultKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys = map[string]seal.VaultKey{}
	}
	if _, ok := s.keys[k.Purpose]; !ok {
		s.keys[k.Purpose] = k
		s.created++
	}
	return s.keys[k.Purpose], s.broken
}

func TestReplicasThatRaceGetOneVaultKey(t *testing.T) {
	kek, store := newKEK(t), &shelf{}
	boxes := make([]*seal.Box, 16)
	secrets := make([][]byte, len(boxes))
	var group sync.WaitGroup
	for i := range boxes {
		group.Go(func() {
			var err, err2 error
			boxes[i], err = seal.Vault(t.Context(), kek, store, "journal")
			secrets[i], err2 = seal.VaultSecret(t.Context(), kek, store, "nonce")
			if err := errors.Join(err, err2); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	if store.created != 2 {
		t.Errorf("%d keys stored; want 2", store.created)
	}
	sealed, err := boxes[0].Seal([]byte("x"), place)
	if err != nil {
		t.Fatal(err)
	}
	for i := range boxes {
		if _, err := boxes[i].Open(sealed, place); err != nil {
			t.Errorf("box %d: %v", i, err)
		}
		if len(secrets[i]) != 32 || !bytes.Equal(secrets[i], secrets[0]) {
			t.Errorf("secret %d differs or is short", i)
		}
	}
	if got := store.keys["nonce"]; got.KEK != kek.ID() || got.Created.IsZero() || bytes.Contains(got.Wrapped, secrets[0]) {
		t.Errorf("stored %+v; want the KEK's id, a time and no secret", got)
	}
}

func TestVaultKeysAreNotInterchangeable(t *testing.T) {
	kek, store := newKEK(t), &shelf{}
	for _, purpose := range []string{"journal", "cursor"} {
		if _, err := seal.Vault(t.Context(), kek, store, purpose); err != nil {
			t.Fatal(err)
		}
	}
	store.keys["cursor"] = store.keys["journal"]
	if _, err := seal.Vault(t.Context(), kek, store, "cursor"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a key moved to another purpose: %v; want ErrOpen", err)
	}
	if _, err := seal.VaultSecret(t.Context(), kek, store, "journal"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("a data key used as a secret: %v; want ErrOpen", err)
	}
	if _, err := seal.Vault(t.Context(), newKEK(t), store, "journal"); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another KEK: %v; want ErrOpen", err)
	}
	if len(store.keys) != 2 || store.created != 2 {
		t.Error("a key that does not open was replaced")
	}
}

func TestABrokenStoreMakesNoKey(t *testing.T) {
	store := &shelf{broken: errors.New("disk gone")}
	if _, err := seal.VaultSecret(t.Context(), newKEK(t), store, "nonce"); !errors.Is(err, store.broken) {
		t.Errorf("VaultSecret = %v; want the store's error", err)
	}
}
