package settings

import (
	"maps"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Admin says who may use the administrative API; nobody by default.
type Admin struct {
	Keys map[string]AdminKey `yaml:"keys"`
}

// AdminKey is a key of the administrative API. Its name is in every record of
// what is done with it.
type AdminKey struct {
	Role string `yaml:"role"` // administrator or auditor
	Key  Ref    `yaml:"key"`  // a reference to at least 32 random bytes, as text

	// Secret is what Key refers to.
	Secret secret.String `yaml:"-"`
}

const (
	// leastKey is how long 32 bytes are in base64 without padding.
	leastKey = 43
	// leastKinds is fewer different characters than 32 random bytes have in
	// hexadecimal digits, but once in millions.
	leastKinds = 10
)

func (s *Settings) checkAdmin(r *reader) {
	for _, name := range slices.Sorted(maps.Keys(s.Admin.Keys)) {
		at, key := join("admin.keys", name), s.Admin.Keys[name]
		if !tenantName.MatchString(name) {
			r.at(at, "the name of a key has small letters, digits and hyphens only, at most 63")
		}
		if role := identity.Role(key.Role); role != identity.Administrator && role != identity.Auditor {
			r.at(at+".role", "must be administrator or auditor")
		}
		if key.Key == "" {
			r.at(at+".key", "is needed, as a reference such as file:/run/secrets/admin; make one with: openssl rand -base64 32")
		}
	}
}

// resolveAdmin fetches the keys.
func (s *Settings) resolveAdmin(r *reader, env map[string]string) {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.Admin.Keys)) {
		key, at := s.Admin.Keys[name], join("admin.keys", name)+".key"
		if key.Key == "" {
			continue
		}
		value, err := key.Key.fetch(s.Dir, env)
		text := value.Reveal()
		switch other, twice := seen[text]; {
		case err != nil:
			r.at(at, "%s", err)
		case weak(text):
			r.at(at, "what it refers to is no key: at least 32 random bytes are needed; make one with: openssl rand -base64 32")
		case twice:
			r.at(at, "is the same key as that of %s, so that records could not tell them apart", other)
		}
		key.Secret, seen[text] = value, name
		s.Admin.Keys[name] = key
	}
}

// weak tells what is surely not 32 random bytes written as text.
func weak(text string) bool {
	kinds := map[rune]bool{}
	for _, c := range text {
		if c <= ' ' || c > '~' {
			return true // could not be sent in a header either
		}
		kinds[c] = true
	}
	return len(text) < leastKey || len(kinds) < leastKinds
}
