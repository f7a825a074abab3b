package audit

import (
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
)

// texts are the members of e in which somebody may be named besides Person.
func (e *Entry) texts() []*string {
	all := []*string{&e.Call, &e.Tool, &e.Site, &e.Code, &e.Detail, &e.Reference, &e.Address, &e.By}
	for i := range e.Objects {
		all = append(all, &e.Objects[i])
	}
	return all
}

func (e *Entry) named() bool {
	return e.Person != "" && !keyed.IsPerson(e.Person) || slices.ContainsFunc(e.texts(), func(text *string) bool { return keyed.MayName(*text) })
}

// unname puts in the place of people what stands for them in e's chain.
func (e *Entry) unname(h *keyed.Hasher) {
	id := e.Person
	if keyed.IsPerson(id) {
		id = ""
	} else if id != "" {
		e.Person = h.Person(e.Tenant, id)
	}
	e.Objects = slices.Clone(e.Objects) // which are the caller's
	for _, text := range e.texts() {
		*text = h.Unname(e.Tenant, *text, id)
	}
	e.Arguments = []byte(h.Unname(e.Tenant, string(e.Arguments), id))
}
