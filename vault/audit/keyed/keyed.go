// Package keyed makes what audit records show in the place of people and of
// content: keyed hashes (HMAC-SHA-256), and arguments that are bounded and
// without secrets. Each tenant and each purpose has a key of its own, derived
// from one secret of the vault (HKDF, RFC 5869), so that equal values of two
// tenants, or a person and an argument, do not show as equal.
package keyed

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	secretSize   = 32
	keyPurpose   = "coatcheck audit hashes v1"
	personPrefix = "ph_" // an id has "p_"
	personSize   = 16
	hashPrefix   = "hmac-sha256:"
)

// Hasher makes keyed hashes. Its methods may be called from many goroutines.
type Hasher struct{ secret []byte }

// New returns a hasher with a secret of 32 random bytes, of which it keeps a
// copy.
func New(secret []byte) (*Hasher, error) {
	if len(secret) != secretSize {
		return nil, errors.New("keyed hashes of audit records need a secret of 32 bytes")
	}
	return &Hasher{bytes.Clone(secret)}, nil
}

// Person is what stands for a person in the chain of tenant: always the same,
// and another one in each chain.
func (h *Hasher) Person(tenant identity.TenantID, person identity.PersonID) identity.PersonID {
	return identity.PersonID(personPrefix + hex.EncodeToString(h.sum(tenant, "person", []byte(person))[:personSize]))
}

// IsPerson tells what [Hasher.Person] made from the id of a person.
func IsPerson(id identity.PersonID) bool { return strings.HasPrefix(string(id), personPrefix) }

// Arguments is the hash of what was asked, in its [Canonical] form.
func (h *Hasher) Arguments(tenant identity.TenantID, args []byte) string {
	return hashPrefix + hex.EncodeToString(h.sum(tenant, "arguments", Canonical(args)))
}

// Result is the hash of what was answered, in its [Canonical] form.
func (h *Hasher) Result(tenant identity.TenantID, result []byte) string {
	return hashPrefix + hex.EncodeToString(h.sum(tenant, "result", Canonical(result)))
}

func (h *Hasher) sum(tenant identity.TenantID, purpose string, text []byte) []byte {
	key, err := hkdf.Key(sha256.New, h.secret, nil, keyPurpose+"\x00"+purpose+"\x00"+string(tenant), sha256.Size)
	if err != nil {
		panic("keyed: " + err.Error()) // impossible: the length is allowed
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(text) // never fails
	return mac.Sum(nil)
}

// Canonical is the form of JSON in which it is hashed: no white space, the
// members of objects in the order of the bytes of their names, numbers as they
// were written, and nothing escaped in texts that need not be. What is not
// JSON stays as it is.
func Canonical(text []byte) []byte {
	value, err := decode(text)
	if err != nil {
		return text
	}
	form, err := encode(value)
	if err != nil {
		return text
	}
	return form
}

func decode(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

func encode(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
