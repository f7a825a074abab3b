package seal

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

// tinkPrefix is the first byte of a Tink ciphertext; the id of its key follows
// (Tink's wire format, "Tink output prefix").
const tinkPrefix = 1

// OpenKEK opens the key-encryption key at an address of [keyurl] for which no
// library of a vendor is needed: a file, relative to dir, or a transit engine.
// Only with create is a missing file made (0600); otherwise it is [ErrNoKey]. A
// key service is not asked before the first key is wrapped or unwrapped. Errors
// that the operator can mend are user errors with the code Settings.
func OpenKEK(ctx context.Context, url, dir string, create bool) (KEK, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, err := keyurl.Parse(url)
	if err != nil {
		return nil, err
	}
	switch key.Kind {
	case keyurl.File:
		return openFile(key.File, dir, create)
	case keyurl.Transit:
		return openTransit(key, dir)
	}
	return nil, fmt.Errorf("opening a key of the kind %s, which is not a part of this program", key.Kind)
}

// WrappedBy names the key-encryption key that made wrapped, "" if it is none
// that any version of the vault wrote. The name is not proved before wrapped
// opens.
func WrappedBy(wrapped []byte) string {
	switch {
	case len(wrapped) > 6 && wrapped[0] == format && wrapped[1] == tinkPrefix:
		return fileName(binary.BigEndian.Uint32(wrapped[2:]))
	case len(wrapped) > 2 && wrapped[0] == formatNamed && len(wrapped) > 2+int(wrapped[1]):
		return string(wrapped[2 : 2+int(wrapped[1])])
	}
	return ""
}

// fileName is the name of a key in a key file.
func fileName(id uint32) string { return fmt.Sprintf("file#%08x", id) }

// Ring is a [KEK] that wraps with one key and opens what that one or a former
// one wrapped. It may be used from many goroutines.
type Ring struct {
	current KEK
	opens   map[string]KEK
}

// NewRing makes a ring of the current key and the former ones.
func NewRing(current KEK, former ...KEK) *Ring {
	r := &Ring{current, map[string]KEK{}}
	for _, kek := range append(slices.Clone(former), current) {
		for _, name := range kek.Names() {
			r.opens[name] = kek
		}
	}
	return r
}

// ID implements [KEK]: it is that of the current key.
func (r *Ring) ID() string { return r.current.ID() }

// Names implements [KEK].
func (r *Ring) Names() []string {
	all := slices.Sorted(maps.Keys(r.opens))
	first := r.current.Names()[0]
	return append([]string{first}, slices.DeleteFunc(all, func(name string) bool { return name == first })...)
}

// Wrap implements [KEK] with the current key.
func (r *Ring) Wrap(ctx context.Context, plain []byte, aad AAD) ([]byte, error) {
	return r.current.Wrap(ctx, plain, aad)
}

// Unwrap implements [KEK] with the key that wrapped names; [ErrNoKey] if the
// ring has no such key.
func (r *Ring) Unwrap(ctx context.Context, wrapped []byte, aad AAD) ([]byte, error) {
	name := WrappedBy(wrapped)
	if name == "" {
		return nil, ErrOpen
	}
	kek, ok := r.opens[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoKey, name)
	}
	return kek.Unwrap(ctx, wrapped, aad)
}

// Rewrap returns what is wrapped, which belongs to the place aad, under the key
// that kek wraps with now. What it holds does not change. Errors are those of
// [KEK].
func Rewrap(ctx context.Context, kek KEK, wrapped []byte, aad AAD) ([]byte, error) {
	plain, err := kek.Unwrap(ctx, wrapped, aad)
	if err != nil {
		return nil, fmt.Errorf("unwrapping a key: %w", err)
	}
	defer clear(plain)
	fresh, err := kek.Wrap(ctx, plain, aad)
	if err != nil {
		return nil, fmt.Errorf("wrapping a key again: %w", err)
	}
	return fresh, nil
}
