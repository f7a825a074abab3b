package cql

import "strings"

// token is a part of a query.
type token struct {
	kind byte // 'w' word, 's' string, 'o' operator, '(' ')' ','
	text string
}

const blanks = " \t\r\n"

// scan takes a query apart.
func scan(text string) ([]token, bool) {
	var all []token
	for {
		text = strings.TrimLeft(text, blanks)
		if text == "" {
			return all, true
		}
		t, n := next(text, afterOperator(all))
		if n == 0 {
			return nil, false
		}
		all, text = append(all, t), text[n:]
	}
}

// afterOperator reports whether a value comes next, in which a tilde is the
// beginning of a personal space's key.
func afterOperator(all []token) bool {
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1]
	return last.kind == 'o' || last.kind == ',' || last.kind == '('
}

// next reads one token and its length; 0 if there is none.
func next(text string, wantsValue bool) (token, int) {
	switch c := text[0]; {
	case c == '"' || c == '\'':
		return quoted(text)
	case strings.IndexByte("(),", c) >= 0:
		return token{c, text[:1]}, 1
	case c == '~' && wantsValue:
		t, n := word(text[1:])
		if n == 0 {
			return t, 0
		}
		return token{'s', "~" + t.text}, n + 1
	case strings.IndexByte("=~", c) >= 0:
		return token{'o', text[:1]}, 1
	case strings.IndexByte("!<>", c) >= 0:
		if len(text) > 1 && (text[1] == '=' || c == '!' && text[1] == '~') {
			return token{'o', text[:2]}, 2
		}
		if c == '!' {
			return token{}, 0
		}
		return token{'o', text[:1]}, 1
	}
	return word(text)
}

func word(text string) (token, int) {
	n := strings.IndexAny(text, blanks+`(),=~!<>"'`)
	if n < 0 {
		n = len(text)
	}
	return token{'w', text[:n]}, n
}

func quoted(text string) (token, int) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return token{'s', b.String()}, i + 1
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		b.WriteByte(text[i])
	}
	return token{}, 0
}
