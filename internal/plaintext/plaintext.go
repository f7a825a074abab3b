// Package plaintext makes texts that somebody else wrote fit to be kept and
// shown. Whoever prints them, on a terminal too, prints no commands.
package plaintext

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Commands tells the characters that do something instead of showing
// something: control codes, direction marks, line and paragraph separators.
func Commands(r rune) bool {
	if r < utf8.RuneSelf { // most are
		return r < ' ' || r == 0x7f
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)
}

// Line makes a text of at most limit characters, on one line, of what can be
// seen. Many spaces are one.
func Line(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case Commands(r), unicode.In(r, unicode.Co, unicode.Cs), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit-1]) + "…"
	}
	return text
}

// Escape keeps all of a text that is no longer than limit bytes, in a form in
// which commands are seen and nothing can pass for another text.
func Escape(text string, limit int) string {
	cut := len(text) > limit
	if cut {
		for limit > 0 && !utf8.RuneStart(text[limit]) {
			limit--
		}
		text = text[:limit]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if strings.IndexFunc(text, Commands) >= 0 || strings.IndexByte(text, '\\') >= 0 {
		var b strings.Builder
		for _, r := range text {
			switch {
			case r == '\\':
				b.WriteString(`\\`) // so that an escape cannot be made up
			case Commands(r):
				fmt.Fprintf(&b, `\u{%x}`, r)
			default:
				b.WriteRune(r)
			}
		}
		text = b.String()
	}
	if cut {
		text += "…"
	}
	return text
}
