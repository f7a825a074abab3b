// Package seal encrypts what must not be readable at rest. It knows keys and
// bytes and nothing of what they are for: callers bind each value to its place
// with an [AAD], so that a sealed value moved elsewhere does not open.
//
// Two layers: a key-encryption key ([KEK]) that lives outside the database
// wraps data keys; a data key, unwrapped into a [Box], seals values without
// further I/O.
package seal

import (
	"context"
	"errors"
)

// Errors that callers branch on.
var (
	// ErrOpen says that a sealed value does not open: it is damaged, was
	// sealed under another key, or belongs elsewhere.
	ErrOpen = errors.New("sealed value does not open")
	// ErrNoKey says that the key-encryption key is not there.
	ErrNoKey = errors.New("the key-encryption key is missing")
)

// AAD is the place that a sealed value belongs to.
type AAD struct {
	Purpose, Tenant, Person, Grant, Field string
	Version                               int64
}

// KEK wraps data keys. Implementations may be called concurrently.
type KEK interface {
	// ID names the key and its version, for display and for finding what is
	// still wrapped under an older one.
	ID() string
	Wrap(ctx context.Context, plain []byte, aad AAD) ([]byte, error)
	Unwrap(ctx context.Context, wrapped []byte, aad AAD) ([]byte, error)
}

// Box seals and opens values under one data key. It may be used from many
// goroutines.
type Box struct{}

// Seal encrypts plain for the place aad.
func (b *Box) Seal(plain []byte, aad AAD) ([]byte, error) { return nil, errors.New("not built yet") }

// Open decrypts what Seal made for the same place; else [ErrOpen].
func (b *Box) Open(sealed []byte, aad AAD) ([]byte, error) { return nil, errors.New("not built yet") }

// OpenKEK opens the key-encryption key that url names; "file:NAME" is a file,
// relative to dir. Only with create is a missing one made (0600); otherwise
// it is [ErrNoKey].
func OpenKEK(ctx context.Context, url, dir string, create bool) (KEK, error) {
	return nil, errors.New("not built yet")
}

// NewKey makes a data key for the place aad and returns it with its wrapped
// form.
func NewKey(ctx context.Context, kek KEK, aad AAD) (*Box, []byte, error) {
	return nil, nil, errors.New("not built yet")
}

// OpenKey unwraps a data key that [NewKey] made for the same place.
func OpenKey(ctx context.Context, kek KEK, wrapped []byte, aad AAD) (*Box, error) {
	return nil, errors.New("not built yet")
}
