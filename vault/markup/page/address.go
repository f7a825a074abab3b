package page

import (
	"strings"
	"unicode/utf8"
)

// linkAddresses makes links of the web addresses in plain text. It answers its argument where there are none.
func linkAddresses(in []Span) []Span {
	for i := range in {
		if plain := in[i].Kind == Words && in[i].Link == nil; !plain {
			continue
		}
		if start, _ := address(in[i].Text, 0); start >= 0 {
			out := append(make([]Span, 0, len(in)+2), in[:i]...)
			for _, s := range in[i:] {
				out = s.cutAddresses(out)
			}
			return out
		}
	}
	return in
}

// cutAddresses appends the parts of a span: addresses, and what is between them.
func (s Span) cutAddresses(out []Span) []Span {
	if s.Kind != Words || s.Link != nil {
		return append(out, s)
	}
	whole, done := s.Text, 0
	for {
		start, end := address(whole, done)
		if start < 0 {
			break
		}
		if start > done {
			s.Text = whole[done:start]
			out = append(out, s)
		}
		linked := s
		linked.Text = whole[start:end]
		linked.Link = &Link{linked.Text}
		out = append(out, linked)
		done = end
	}
	if s.Text = whole[done:]; s.Text != "" || done == 0 {
		out = append(out, s)
	}
	return out
}

// address finds the next http or https address in text from an offset on. start is -1 if there is none.
func address(text string, from int) (start, end int) {
	for at := from; ; {
		i := strings.Index(text[at:], "://")
		if i < 0 {
			return -1, -1
		}
		colon := at + i
		at = colon + len("://")
		switch {
		case strings.HasSuffix(text[from:colon], "https"):
			start = colon - len("https")
		case strings.HasSuffix(text[from:colon], "http"):
			start = colon - len("http")
		default:
			continue
		}
		if r, _ := utf8.DecodeLastRuneInString(text[from:start]); start > from && (wordRune(r) || r == '_') {
			continue
		}
		if end = addressEnd(text, at); end > at {
			return start, end
		}
	}
}

// addressEnd is where an address ends: before space and what no address holds, without the punctuation of the sentence
// around it and without a closing bracket that was opened before it.
func addressEnd(text string, from int) int {
	end, depth := from, 0
	for end < len(text) {
		c := text[end]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"\\^`{|}[]", c) >= 0 {
			break
		}
		if c == '(' {
			depth++
		}
		if c == ')' {
			if depth == 0 {
				break
			}
			depth--
		}
		end++
	}
	for end > from && strings.IndexByte(".,:;!?'*_~(&", text[end-1]) >= 0 {
		end--
	}
	return end
}

// Dangerous reports whether a program that opens the address may run code or read what it should not.
func Dangerous(address string) bool {
	scheme, _, ok := strings.Cut(address, ":")
	if !ok {
		return false
	}
	scheme = strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return -1 // browsers ignore them
		}
		return r
	}, strings.ToLower(scheme))
	switch scheme {
	case "javascript", "vbscript", "livescript", "data", "blob", "filesystem", "view-source", "jar", "file":
		return true
	}
	return false
}
