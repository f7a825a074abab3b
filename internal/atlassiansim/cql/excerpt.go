package cql

import (
	"html"
	"slices"
	"strings"
	"unicode"
)

const excerptSize = 320

// Excerpt is some text around the first of the terms. Mode is what the
// parameter excerpt of a search says.
func Excerpt(text string, terms []string, mode string) string {
	if mode == "none" {
		return ""
	}
	words := strings.Fields(text)
	at := slices.IndexFunc(words, func(w string) bool { return found(w, terms) })
	words = words[max(0, at-12):]
	size := 0
	for i, w := range words {
		if size += len(w) + 1; size > excerptSize {
			words = words[:i]
			break
		}
	}
	text = strings.Join(words, " ")
	switch mode {
	case "", "highlight":
		return Highlight(text, terms)
	case "highlight_unescaped":
		return mark(text, terms, func(s string) string { return s })
	case "indexed_unescaped":
		return text
	}
	return html.EscapeString(text)
}

// Highlight escapes text for HTML and marks the terms in it.
func Highlight(text string, terms []string) string { return mark(text, terms, html.EscapeString) }

func mark(text string, terms []string, show func(string) string) string {
	words := strings.Split(text, " ")
	for i, w := range words {
		if core := strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); core != "" && found(core, terms) {
			before, after, _ := strings.Cut(w, core)
			words[i] = show(before) + "@@@hl@@@" + show(core) + "@@@endhl@@@" + show(after)
		} else {
			words[i] = show(w)
		}
	}
	return strings.Join(words, " ")
}

// found reports whether all parts of a word are looked for.
func found(word string, terms []string) bool {
	parts := Words(word)
	return len(parts) > 0 && !slices.ContainsFunc(parts, func(p string) bool { return !slices.Contains(terms, p) })
}
