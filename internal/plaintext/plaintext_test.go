package plaintext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
)

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "",
		"Ada  Berger\r\n":         "Ada Berger",
		"\x1b[31mred\x07":         "[31mred",
		"abc\u202edef\u200bg":     "abcdefg",
		"one\u2028two\u0085three": "one two three",
		"\xff\xfeok\ufffd":        "ok",
		"private \ue000 use":      "private use",
		"Zoë 🧥 ツ":                 "Zoë 🧥 ツ",
		strings.Repeat("ä", 20):   strings.Repeat("ä", 20),
		strings.Repeat("ä", 21):   strings.Repeat("ä", 19) + "…",
		strings.Repeat(" a", 10):  strings.TrimSpace(strings.Repeat(" a", 10)),
	} {
		if got := plaintext.Line(text, 20); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "",
		"as it is  ":            "as it is  ",
		"a\nb":                  `a\u{a}b`,
		`a\u{a}b`:               `a\\u{a}b`,
		"\u202e\u2028":          `\u{202e}\u{2028}`,
		"\xff":                  "\uFFFD",
		strings.Repeat("x", 21): strings.Repeat("x", 20) + "…",
		"1234567890123456789ä":  "1234567890123456789…", // no half characters
	} {
		if got := plaintext.Escape(text, 20); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("a\n\\\u202e\xff", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = 1 + limit&0xff
		line, kept := plaintext.Line(text, limit), plaintext.Escape(text, limit)
		if utf8.RuneCountInString(line) > limit || plaintext.Line(line, limit) != line {
			t.Errorf("line %q", line)
		}
		for _, s := range []string{line, kept} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, plaintext.Commands) {
				t.Errorf("%q", s)
			}
		}
	})
}
