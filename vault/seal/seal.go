// Package seal encrypts what must not be readable at rest. It knows keys and
// bytes and nothing of what they are for: callers bind each value to its place
// with an [AAD], so that a sealed value moved elsewhere does not open.
//
// Two layers: a key-encryption key ([KEK]) that lives outside the database
// wraps data keys; a data key, unwrapped into a [Box], seals values without
// further I/O. Data keys are Tink keysets (AES-256-GCM), so that a key can be
// followed by another one and old values still open.
//
// Every sealed value and wrapped key begins with a format byte. What an
// earlier version sealed opens for ever: testdata/vectors.txtar only grows.
package seal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Errors that callers branch on.
var (
	// ErrOpen says that a sealed value does not open: it is damaged, was
	// sealed under another key, or belongs elsewhere.
	ErrOpen = errors.New("sealed value does not open")
	// ErrNoKey says that the key-encryption key is not there.
	ErrNoKey = errors.New("the key-encryption key is missing")
)

// The first byte of everything sealed or wrapped says how.
const (
	// format is a Tink ciphertext, whose prefix names the key of the keyset,
	// under [AAD.bytes].
	format = 1
	// formatNamed is a data key that a key service wrapped: the length of the
	// service's name, the name, and what the service answered.
	formatNamed = 2
)

// AAD is the place that a sealed value belongs to.
type AAD struct {
	Purpose, Tenant, Person, Grant, Field string
	Version                               int64
}

// bytes encodes the place so that different places never look alike: each
// text is preceded by its length.
func (a AAD) bytes() []byte {
	b := []byte("coatcheck seal 1")
	for _, text := range []string{a.Purpose, a.Tenant, a.Person, a.Grant, a.Field} {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	return binary.BigEndian.AppendUint64(b, uint64(a.Version))
}

// KEK wraps data keys. Implementations may be called concurrently.
type KEK interface {
	// ID names the key for display.
	ID() string
	// Names are the names, as [WrappedBy] tells them, of what Unwrap opens.
	// The first is that of what Wrap makes.
	Names() []string
	Wrap(ctx context.Context, plain []byte, aad AAD) ([]byte, error)
	// Unwrap returns what Wrap was given for the same place; [ErrOpen] when
	// it cannot ever, another error when the key service did not answer.
	Unwrap(ctx context.Context, wrapped []byte, aad AAD) ([]byte, error)
}

// Box seals and opens values under one data key. It may be used from many
// goroutines. The zero Box seals and opens nothing.
type Box struct{ aead tink.AEAD }

// Seal encrypts plain for the place aad.
func (b *Box) Seal(plain []byte, aad AAD) ([]byte, error) {
	if b.aead == nil {
		return nil, errors.New("sealing without a key")
	}
	sealed, err := b.aead.Encrypt(plain, aad.bytes())
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return append([]byte{format}, sealed...), nil
}

// Open decrypts what Seal made for the same place; else [ErrOpen], which says
// no more on purpose.
func (b *Box) Open(sealed []byte, aad AAD) ([]byte, error) {
	if b.aead == nil || len(sealed) == 0 || sealed[0] != format {
		return nil, ErrOpen
	}
	plain, err := b.aead.Decrypt(sealed[1:], aad.bytes())
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// NewKey makes a data key for the place aad and returns it with its wrapped
// form.
func NewKey(ctx context.Context, kek KEK, aad AAD) (*Box, []byte, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, nil, fmt.Errorf("making a data key: %w", err)
	}
	var plain bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&plain)); err != nil {
		return nil, nil, fmt.Errorf("writing a data key: %w", err)
	}
	defer clear(plain.Bytes())
	wrapped, err := kek.Wrap(ctx, plain.Bytes(), aad)
	if err != nil {
		return nil, nil, fmt.Errorf("wrapping a data key: %w", err)
	}
	box, err := newBox(handle)
	return box, wrapped, err
}

// OpenKey unwraps a data key that [NewKey] made for the same place; [ErrOpen]
// for anything else.
func OpenKey(ctx context.Context, kek KEK, wrapped []byte, aad AAD) (*Box, error) {
	plain, err := kek.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return nil, fmt.Errorf("unwrapping a data key: %w", err)
	}
	defer clear(plain)
	// Tink's own encrypted keysets would hide whether the key service failed
	// or the key is wrong, and that decides what becomes of the caller.
	handle, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(plain)))
	if err != nil {
		return nil, fmt.Errorf("reading a data key: %w", ErrOpen)
	}
	return newBox(handle)
}

func newBox(handle *keyset.Handle) (*Box, error) {
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("using a data key: %w", ErrOpen)
	}
	return &Box{aead: primitive}, nil
}
