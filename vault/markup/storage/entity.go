package storage

import (
	"html"
	"strconv"
	"strings"
)

// maxReference bounds a reference: HTML's longest name has 31 letters.
const maxReference = 40

// Reference decodes the reference (&amp; &#60; &hellip;) that text begins with. size is its length in bytes, 0 if text does
// not begin with one.
func Reference(text string) (value string, size int) { return reference(text) }

func reference(text string) (value string, size int) {
	if len(text) < 3 || text[0] != '&' {
		return "", 0
	}
	semicolon := strings.IndexByte(text[:min(len(text), maxReference)], ';')
	if semicolon < 2 {
		return "", 0
	}
	size = semicolon + 1
	switch name := text[1:semicolon]; name {
	case "amp":
		return "&", size
	case "lt":
		return "<", size
	case "gt":
		return ">", size
	case "quot":
		return `"`, size
	case "apos":
		return "'", size
	case "nbsp":
		return "\u00a0", size
	default:
		if name[0] == '#' {
			return numeric(name[1:], size)
		}
		return named(text[:size])
	}
}

// numeric decodes &#65; and &#x41;.
func numeric(digits string, size int) (string, int) {
	base := 10
	if strings.HasPrefix(digits, "x") {
		base, digits = 16, digits[1:]
	}
	if digits == "" || digits[0] == '+' || digits[0] == '-' || digits[0] == '_' {
		return "", 0
	}
	code, err := strconv.ParseUint(digits, base, 32)
	if err != nil || code > 0x10ffff || !allowed(rune(code)) {
		return "", 0
	}
	return string(rune(code)), size
}

// named asks the standard library's table of HTML 5 names. The table also knows beginnings of names without semicolon;
// those leave the semicolon behind, which tells them apart.
func named(text string) (string, int) {
	for _, c := range []byte(text[1 : len(text)-1]) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return "", 0
		}
	}
	value := html.UnescapeString(text)
	if strings.HasSuffix(value, ";") && text != "&semi;" {
		return "", 0
	}
	return value, len(text)
}

// allowed reports whether XML 1.0 may carry the character.
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= 0x10ffff
}

// Decode resolves the references and line ends of a text.
func Decode(raw string) string { return decode(raw, false) }

// decode resolves references and line ends of text that was checked before. In attributes, white space becomes spaces.
func decode(raw string, attribute bool) string {
	if attribute && strings.ContainsAny(raw, "\t\n\r") {
		raw = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ", "\t", " ").Replace(raw)
	}
	if strings.IndexByte(raw, '\r') >= 0 {
		raw = newlines(raw)
	}
	if strings.IndexByte(raw, '&') < 0 {
		return raw
	}
	var out strings.Builder
	out.Grow(len(raw))
	for {
		i := strings.IndexByte(raw, '&')
		if i < 0 {
			out.WriteString(raw)
			return out.String()
		}
		out.WriteString(raw[:i])
		value, size := reference(raw[i:])
		if size == 0 {
			value, size = "&", 1
		}
		out.WriteString(value)
		raw = raw[i+size:]
	}
}

// newlines makes all line ends \n, as XML 1.0 §2.11 has it.
func newlines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// Valid replaces what XML cannot carry (control characters, broken UTF-8) by U+FFFD and makes line ends \n.
func Valid(text string) string {
	return strings.Map(func(r rune) rune {
		if !allowed(r) {
			return '\ufffd'
		}
		return r
	}, newlines(text))
}

// Escape makes text safe between tags and inside double quotes.
func Escape(text string) string {
	if !strings.ContainsAny(text, `&<>"`) {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + 16)
	from := 0
	for i := 0; i < len(text); i++ {
		var with string
		switch text[i] {
		case '&':
			with = "&amp;"
		case '<':
			with = "&lt;"
		case '>':
			with = "&gt;"
		case '"':
			with = "&quot;"
		default:
			continue
		}
		out.WriteString(text[from:i])
		out.WriteString(with)
		from = i + 1
	}
	out.WriteString(text[from:])
	return out.String()
}
