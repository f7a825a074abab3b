package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Key is a key of the settings.
type Key struct {
	Name   string
	Role   identity.Role
	Secret secret.String
}

const maxKey = 16 << 10

// Keys is an [Authenticator] for keys in the Authorization header (RFC 6750
// §2.1), and nowhere else.
type Keys struct{ known []knownKey }

type knownKey struct {
	name string
	role identity.Role
	sum  [sha256.Size]byte
}

var _ Authenticator = (*Keys)(nil)

// NewKeys returns an authenticator that knows keys. It keeps their hashes
// only: the keys are random, so nobody finds them from those.
func NewKeys(keys []Key) *Keys {
	var k Keys
	for _, key := range keys {
		k.known = append(k.known, knownKey{key.Name, key.Role, sha256.Sum256([]byte(key.Secret.Reveal()))})
	}
	return &k
}

// Authenticate implements [Authenticator]. How long it takes says nothing of
// the keys that there are.
func (k *Keys) Authenticate(r *http.Request) (admin.Actor, error) {
	sent := r.Header.Values("Authorization")
	if len(sent) == 0 {
		return admin.Actor{}, usererr.New(usererr.Unauthorized, "The request has no key", "Send it as: Authorization: Bearer KEY")
	}
	scheme, key, ok := strings.Cut(sent[0], " ")
	if len(sent) > 1 || !ok || !strings.EqualFold(scheme, "bearer") || key == "" || len(key) > maxKey {
		return admin.Actor{}, usererr.New(usererr.Unauthorized, "The Authorization header is not a key", "Send it as: Authorization: Bearer KEY")
	}
	sum := sha256.Sum256([]byte(key))
	var found *knownKey
	for i := range k.known {
		if subtle.ConstantTimeCompare(sum[:], k.known[i].sum[:]) == 1 {
			found = &k.known[i]
		}
	}
	if found == nil {
		return admin.Actor{}, usererr.New(usererr.Unauthorized, "The key is not known here", "Use one that admin.keys of the settings refers to")
	}
	return admin.Actor{By: "key:" + found.name, Role: found.role, Way: "over the administrative API"}, nil
}
