package keyed

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// How much of arguments is shown, in bytes, members and levels.
const (
	maxShown   = 8 << 10
	maxString  = 1 << 10
	maxMembers = 100
	maxDepth   = 16
	maxSecret  = 8 << 10 // how long one may be to be found where a text is cut
	// memberCost counts for each member and item: quotes, a colon, a comma.
	memberCost = 8

	hidden = "[redacted]"
	more   = "…"
)

// secretName tells members that say of themselves that they are secret.
var secretName = regexp.MustCompile(`(?i)passw|secret|token|credential|authori[sz]ation|cookie|api[-_]?key|private[-_]?key`)

// secretText finds what looks like a credential in a text: schemes of HTTP
// authorization, JSON web tokens, Atlassian's own tokens, private keys.
var secretText = regexp.MustCompile(`(?i)\b(?:bearer|basic|dpop)\s+[a-z0-9._~+/=-]{16,}|\beyJ[a-z0-9_-]{8,}\.[a-z0-9_-]{8,}(?:\.[a-z0-9_-]*)?|` +
	`\bAT(?:ATT|CTT|BB|SST|OA)[a-z0-9_=-]{16,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?`)

// Show returns arguments as a record shows them: at most some 8 KiB, long
// texts cut, and what looks like a secret replaced. Nil for what is not JSON.
func Show(args []byte) json.RawMessage {
	value, err := decode(args)
	if err != nil {
		return nil
	}
	s := shown{left: maxShown}
	text, err := encode(s.value(value, 0))
	if err != nil {
		return nil
	}
	return text
}

// shown counts what may still be shown.
type shown struct{ left int }

func (s *shown) value(value any, depth int) any {
	if s.left <= 0 || depth > maxDepth {
		return more
	}
	s.left -= memberCost
	switch v := value.(type) {
	case map[string]any:
		return s.object(v, depth)
	case []any:
		list := []any{}
		for i, item := range v {
			if i == maxMembers || s.left <= 0 {
				return append(list, fmt.Sprintf("… and %d more", len(v)-i))
			}
			list = append(list, s.value(item, depth+1))
		}
		return list
	case string:
		return s.text(v, maxString)
	case json.Number:
		return s.number(v)
	}
	return value
}

// number keeps one as it was written, unless that is longer than any has to be.
func (s *shown) number(n json.Number) any {
	const longest = 64
	if s.left -= len(n); len(n) > longest {
		return more
	}
	return n
}

func (s *shown) object(members map[string]any, depth int) any {
	object := map[string]any{}
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i == maxMembers || s.left <= 0 {
			object[more] = fmt.Sprintf("and %d more", len(members)-i)
			break
		}
		text, secret := members[name].(string)
		if name = s.text(name, maxString); secret && text != "" && secretName.MatchString(name) {
			object[name] = hidden
			continue
		}
		object[name] = s.value(members[name], depth+1)
	}
	return object
}

// text bounds a text. Secrets are looked for before it is cut, so that half a
// secret is not shown.
func (s *shown) text(text string, limit int) string {
	limit = min(limit, max(s.left, 0))
	long := len(text) > limit+maxSecret
	if long { // bodies of pages are: what is far behind the cut is not looked at
		text = text[:limit+maxSecret]
	}
	text = secretText.ReplaceAllString(strings.ToValidUTF8(text, "\uFFFD"), hidden)
	s.left -= min(len(text), limit)
	switch {
	case len(text) > limit:
	case long:
		return text + more
	default:
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit] + more
}
