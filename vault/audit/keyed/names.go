package keyed

import (
	"regexp"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// nameOf finds what names a person by itself, wherever it stands: an id of
// [identity.NewPersonID], and an e-mail address.
var nameOf = regexp.MustCompile(`\bp_[A-Za-z0-9_-]{22}|[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)

// MayName reports whether somebody may be named in a text.
func MayName(text string) bool {
	if strings.Contains(text, "p_") {
		return true
	}
	_, domain, ok := strings.Cut(text, "@")
	return ok && strings.Contains(domain, ".")
}

// Unname puts in a text what stands for people in the chain of tenant in the
// place of their names, and of the id of one person, whatever its form; "" for
// none. What is JSON stays JSON.
func (h *Hasher) Unname(tenant identity.TenantID, text string, id identity.PersonID) string {
	if id != "" {
		text = strings.ReplaceAll(text, string(id), string(h.Person(tenant, id)))
	}
	if !MayName(text) {
		return text
	}
	return nameOf.ReplaceAllStringFunc(text, func(name string) string {
		if strings.Contains(name, "@") {
			name = strings.ToLower(name)
		}
		return string(h.Person(tenant, identity.PersonID(name)))
	})
}
