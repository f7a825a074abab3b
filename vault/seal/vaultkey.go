package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// secretSize is the length of what [VaultSecret] returns.
const secretSize = 32

// ErrNoVaultKey is what a [KeyStore] answers for a purpose without a key.
var ErrNoVaultKey = errors.New("no vault key for this purpose")

// VaultKey is a key of the whole vault as it is stored: wrapped, with the id
// of the KEK that wrapped it.
type VaultKey struct {
	Purpose string
	KEK     string
	Wrapped []byte
	Created time.Time
}

// KeyStore keeps the vault's own keys. Its methods are atomic and durable
// when they return.
type KeyStore interface {
	// VaultKey returns the key for purpose, or [ErrNoVaultKey].
	VaultKey(ctx context.Context, purpose string) (VaultKey, error)
	// VaultKeyCreate stores k unless its purpose has a key, and returns the
	// one that is stored now.
	VaultKeyCreate(ctx context.Context, k VaultKey) (VaultKey, error)
}

// Vault opens the data key that the whole vault uses for purpose, such as
// "journal" or "cursor". The first call ever makes it; replicas that race get
// the same one. [ErrOpen] means that the KEK is not the one that wrapped it.
func Vault(ctx context.Context, kek KEK, store KeyStore, purpose string) (*Box, error) {
	place := keyPlace(purpose)
	wrapped, err := stored(ctx, kek, store, purpose, func() ([]byte, error) {
		_, wrapped, err := NewKey(ctx, kek, place)
		return wrapped, err
	})
	if err != nil {
		return nil, err
	}
	box, err := OpenKey(ctx, kek, wrapped, place)
	if err != nil {
		return nil, fmt.Errorf("opening the vault key %q: %w", purpose, err)
	}
	return box, nil
}

// VaultSecret is [Vault] for those who need 32 random bytes rather than a
// box, such as the key of a MAC. Purposes of the two must differ.
func VaultSecret(ctx context.Context, kek KEK, store KeyStore, purpose string) ([]byte, error) {
	place := secretPlace(purpose)
	wrapped, err := stored(ctx, kek, store, purpose, func() ([]byte, error) {
		fresh := make([]byte, secretSize)
		_, _ = rand.Read(fresh) // crypto/rand.Read never fails
		defer clear(fresh)
		return kek.Wrap(ctx, fresh, place)
	})
	if err != nil {
		return nil, err
	}
	plain, err := kek.Unwrap(ctx, wrapped, place)
	if err != nil {
		return nil, fmt.Errorf("opening the vault secret %q: %w", purpose, err)
	}
	if len(plain) != secretSize {
		return nil, fmt.Errorf("opening the vault secret %q: %w", purpose, ErrOpen)
	}
	return plain, nil
}

func keyPlace(purpose string) AAD { return AAD{Purpose: "vault key", Field: purpose} }

func secretPlace(purpose string) AAD { return AAD{Purpose: "vault secret", Field: purpose} }

// RewrapVaultKey returns k under the key that kek wraps with now. Errors are
// those of [Rewrap].
func RewrapVaultKey(ctx context.Context, kek KEK, k VaultKey) (VaultKey, error) {
	wrapped, err := Rewrap(ctx, kek, k.Wrapped, keyPlace(k.Purpose))
	if errors.Is(err, ErrOpen) {
		wrapped, err = Rewrap(ctx, kek, k.Wrapped, secretPlace(k.Purpose))
	}
	if err != nil {
		return VaultKey{}, fmt.Errorf("the vault key %q: %w", k.Purpose, err)
	}
	k.KEK, k.Wrapped = kek.ID(), wrapped
	return k, nil
}

// stored returns the wrapped key for purpose, and makes it where there is
// none.
func stored(ctx context.Context, kek KEK, store KeyStore, purpose string, fresh func() ([]byte, error)) ([]byte, error) {
	k, err := store.VaultKey(ctx, purpose)
	if err == nil {
		return k.Wrapped, nil
	}
	if !errors.Is(err, ErrNoVaultKey) {
		return nil, fmt.Errorf("looking for the vault key %q: %w", purpose, err)
	}
	wrapped, err := fresh()
	if err != nil {
		return nil, fmt.Errorf("making the vault key %q: %w", purpose, err)
	}
	k, err = store.VaultKeyCreate(ctx, VaultKey{Purpose: purpose, KEK: kek.ID(), Wrapped: wrapped, Created: time.Now()})
	if err != nil {
		return nil, fmt.Errorf("storing the vault key %q: %w", purpose, err)
	}
	return k.Wrapped, nil
}
