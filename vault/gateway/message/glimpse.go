package message

import (
	"bytes"
	"regexp"
)

// The id of a request comes before its params, with nothing but short members
// before it, or behind, with nothing but short members after it.
var (
	idAhead  = regexp.MustCompile(`^\s*\{(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\\x00]*"\s*,)*\s*"id"\s*:\s*("(?:[^"\\\x00]|\\.)*"|-?[0-9]+)\s*,`)
	idBehind = regexp.MustCompile(`,\s*"id"\s*:\s*("(?:[^"\\\x00]|\\.)*"|-?[0-9]+)\s*(?:,\s*"(?:jsonrpc|method)"\s*:\s*"[^"\\\x00]*"\s*)*\}\s*$`)
)

// Glimpse finds the id of a message of which there are only the beginning, a
// zero, and the end. Nil is a message that gets no answer, or whose id nobody
// can tell.
func (n Names) Glimpse(ends []byte) (id []byte) {
	found := idAhead.FindSubmatch(ends)
	if found == nil {
		found = idBehind.FindSubmatch(ends)
	}
	if found == nil || !goodID(found[1]) || bytes.HasPrefix(found[1], []byte(`"`+n.prefix)) {
		return nil
	}
	return found[1]
}
