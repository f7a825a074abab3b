package page

import (
	"regexp"
	"strings"
)

// ValidAnchor reports whether the name of an anchor can stand in Markdown as it is.
func ValidAnchor(name string) bool {
	return name != "" && len(name) <= 200 && name == strings.Join(strings.Fields(name), " ") && !strings.ContainsAny(name, "<>\"`\\|\x00")
}

// ValidLabel reports whether a text can be the label of a footnote.
func ValidLabel(label string) bool {
	if label == "" || len(label) > 60 {
		return false
	}
	for i := range len(label) {
		if c := label[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

// ValidEmoji reports whether a text is a short name, :like_this:.
func ValidEmoji(text string) bool {
	n := EmojiEnd(text)
	return n > 0 && n == len(text)
}

// EmojiEnd is the length of the short name of an emoji that text begins with, or 0.
func EmojiEnd(text string) int {
	if len(text) < 4 || text[0] != ':' || !alphanumeric(text[1]) && text[1] != '+' && text[1] != '-' {
		return 0
	}
	letters := false
	for i := 1; i < len(text) && i < 64; i++ {
		switch c := text[i]; {
		case c == ':':
			if i > 2 && (letters || text == ":+1:" || text == ":-1:") && (i+1 == len(text) || !alphanumeric(text[i+1])) {
				return i + 1
			}
			return 0
		case alphanumeric(c):
			letters = letters || c > '9'
		case c != '_' && c != '-' && c != '+':
			return 0
		}
	}
	return 0
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// number is the part of a placeholder that says only where it stood. Names have no such sign, but what follows may.
var number = regexp.MustCompile(`(confluence:[^#\[\]\s]*)#\d+`)

// Unnumbered is a placeholder, or a text with some, without their numbers, which move when something is inserted before.
func Unnumbered(text string) string { return number.ReplaceAllString(text, "$1") }

// Closing is the inside of the placeholder that ends what another begins.
func Closing(opening string) string {
	name, rest, _ := strings.Cut(opening, "#")
	digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
	return "/" + name + "#" + rest[:digits]
}

// Enclose makes frames of the blocks between two placeholders that belong together. Those without a partner stay what they
// are.
func Enclose(blocks []Block) []Block {
	waiting := map[string]int{}
	var open []int // indices in out of placeholders that begin something
	var out []Block
	for i, b := range blocks {
		name := mark(&b)
		if name == "" {
			if out != nil {
				out = append(out, b)
			}
			continue
		}
		if out == nil {
			out = append(make([]Block, 0, len(blocks)), blocks[:i]...)
		}
		if name[0] != '/' {
			open = append(open, len(out))
			waiting[Closing(name)]++
			out = append(out, b)
			continue
		}
		if waiting[name] == 0 {
			out = append(out, b)
			continue
		}
		for {
			at := open[len(open)-1]
			open = open[:len(open)-1]
			opening := mark(&out[at])
			closing := Closing(opening)
			waiting[closing]--
			if closing != name {
				continue // it has no partner
			}
			frame := Block{Kind: Frame, Name: opening, Kids: append([]Block(nil), out[at+1:]...)}
			out = append(out[:at], frame)
			break
		}
	}
	if out == nil {
		return blocks
	}
	return out
}

// mark is the inside of the placeholder that a paragraph consists of, or "".
func mark(b *Block) string {
	if b.Kind != Paragraph || len(b.Text) != 1 || b.Text[0].Kind != Token || b.Text[0].Marks != 0 || b.Text[0].Link != nil {
		return ""
	}
	return b.Text[0].Text
}
