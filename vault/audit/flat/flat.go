// Package flat tells quickly whether a text is JSON, if that text is as plain
// as nearly every audit record: an object of texts without escapes, natural
// numbers and lists of such texts. Checking a chain would otherwise be, for the
// most part, asking encoding/json.
package flat

import "encoding/json"

// Valid reports the same as [json.Valid].
func Valid(b []byte) bool { return object(b) || json.Valid(b) }

// object reports whether b is one plain object.
func object(b []byte) bool {
	if len(b) == 0 || b[0] != '{' {
		return false
	}
	for b = b[1:]; ; b = b[1:] {
		key := text(b)
		if key == 0 || key == len(b) || b[key] != ':' {
			return false
		}
		b = b[key+1:]
		n := value(b)
		if n == 0 || n == len(b) {
			return false
		}
		b = b[n:]
		if b[0] != ',' {
			return b[0] == '}' && len(b) == 1
		}
	}
}

// value returns how long the plain value is that b begins with, or 0.
func value(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '[':
		return list(b)
	case b[0] == '"':
		return text(b)
	}
	return number(b)
}

func list(b []byte) int {
	at := 1
	for {
		n := text(b[at:])
		at += n
		if n == 0 || at == len(b) {
			return 0
		}
		switch at++; b[at-1] {
		case ',':
		case ']':
			return at
		default:
			return 0
		}
	}
}

func text(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return 0
	}
	for i, c := range b[1:] {
		switch {
		case c == '"':
			return i + 2
		case c < ' ' || c == '\\':
			return 0
		}
	}
	return 0
}

func number(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	if n > 1 && b[0] == '0' {
		return 0
	}
	return n
}
