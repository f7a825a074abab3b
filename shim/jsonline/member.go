package jsonline

import "encoding/json"

// Members calls each with the name and the value, as JSON text, of every member
// of an object, in their order. The text must be valid JSON, as what a [Scanner]
// has looked at is; what is no object has no members. It is for the few members
// that the shim reads: for those, encoding/json needs several times as long the
// first time that it sees a type.
func Members(object []byte, each func(name string, value []byte)) {
	rest, ok := begins(object, '{')
	for ok {
		var name, value []byte
		if name, rest = cut(rest); len(name) == 0 || name[0] != '"' {
			return
		}
		if rest, ok = begins(rest, ':'); !ok {
			return
		}
		value, rest = cut(rest)
		each(Text(name), value)
		rest, ok = begins(rest, ',')
	}
}

// Member is the value of a member of an object, nil if there is none; see
// [Members].
func Member(object []byte, name string) (found []byte) {
	Members(object, func(n string, value []byte) {
		if n == name {
			found = value // the last one counts
		}
	})
	return found
}

// Elements calls each with every element of an array; see [Members].
func Elements(array []byte, each func(value []byte)) {
	rest, ok := begins(array, '[')
	for ok {
		var value []byte
		if value, rest = cut(rest); len(value) == 0 {
			return
		}
		each(value)
		rest, ok = begins(rest, ',')
	}
}

// IsObject reports whether a value is an object.
func IsObject(value []byte) bool {
	_, ok := begins(value, '{')
	return ok
}

// IsArray reports whether a value is an array.
func IsArray(value []byte) bool {
	_, ok := begins(value, '[')
	return ok
}

// Text is the string that a value is, "" if it is none.
func Text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	for _, c := range value {
		if c == '\\' || c >= 0x80 { // escapes, and what may be no UTF-8
			var text string
			if json.Unmarshal(value, &text) != nil {
				return ""
			}
			return text
		}
	}
	return string(value[1 : len(value)-1])
}

// begins reports whether text begins with c, and returns what follows.
func begins(text []byte, c byte) ([]byte, bool) {
	for i := range text {
		if !space(text[i]) {
			return text[i+1:], text[i] == c
		}
	}
	return nil, false
}

// cut takes the value at the begin of text off. It is empty where there is none.
func cut(text []byte) (value, rest []byte) {
	for len(text) > 0 && space(text[0]) {
		text = text[1:]
	}
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted = !quoted; !quoted && depth == 0 {
				return text[:i+1], text[i+1:]
			}
		case quoted:
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == ':' || c == '}' || c == ']' || space(c)): // after a number or a word
			return text[:i], text[i:]
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return text[:i+1], text[i+1:]
			}
		}
	}
	return text, nil
}
