package audit

import (
	"regexp"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// nameOf finds what names a person by itself, wherever it stands: an id of
// [identity.NewPersonID], and an e-mail address.
var nameOf = regexp.MustCompile(`\bp_[A-Za-z0-9_-]{22}|[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}`)

// namesIn reports whether nameOf may find something, without asking it.
func namesIn(text string) bool {
	if strings.Contains(text, "p_") {
		return true
	}
	_, domain, ok := strings.Cut(text, "@")
	return ok && strings.Contains(domain, ".")
}

// texts are the members of e in which somebody may be named besides Person.
func (e *Entry) texts() []*string {
	return []*string{&e.Call, &e.Tool, &e.Site, &e.Code, &e.Detail, &e.Reference, &e.Address, &e.By}
}

// named reports whether e may name somebody.
func (e *Entry) named() bool {
	if e.Person != "" && !keyed.IsPerson(e.Person) || namesIn(string(e.Arguments)) {
		return true
	}
	for _, text := range e.texts() {
		if namesIn(*text) {
			return true
		}
	}
	for _, object := range e.Objects {
		if namesIn(object) {
			return true
		}
	}
	return false
}

// unname puts in the place of people what stands for them in e's chain: of the
// person whom it is about, and of all others who are named somewhere.
func (e *Entry) unname(h *keyed.Hasher) {
	alias := func(name string) string { return string(h.Person(e.Tenant, identity.PersonID(name))) }
	id := ""
	if e.Person != "" && !keyed.IsPerson(e.Person) {
		id = string(e.Person)
		e.Person = identity.PersonID(alias(id))
	}
	hide := func(text string) string {
		if id != "" {
			text = strings.ReplaceAll(text, id, string(e.Person))
		}
		if namesIn(text) {
			text = nameOf.ReplaceAllStringFunc(text, func(name string) string {
				if strings.Contains(name, "@") {
					name = strings.ToLower(name)
				}
				return alias(name)
			})
		}
		return text
	}
	for _, text := range e.texts() {
		*text = hide(*text)
	}
	if len(e.Arguments) > 0 { // JSON stays what it is: nothing that hides needs quotes
		e.Arguments = []byte(hide(string(e.Arguments)))
	}
	objects := make([]string, len(e.Objects))
	for i, object := range e.Objects {
		objects[i] = hide(object)
	}
	if e.Objects != nil {
		e.Objects = objects
	}
}
