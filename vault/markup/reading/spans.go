package reading

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// settle makes the spans of a paragraph final: white space collapses as in HTML, space at an edge of marks moves out of
// them (Markdown's delimiters want to touch words), neighbours that look the same become one. The answer is cut from the
// arena; it is empty if there is nothing to see.
func (r *reader) settle(in []span) []span {
	if cap(r.arena)-len(r.arena) < 3*len(in) {
		r.arena = make([]span, 0, max(512, 3*len(in)))
	}
	from := len(r.arena)
	out := r.arena[from:]
	spaced := true // nothing, a space or a break stands before
	for _, s := range in {
		switch s.kind {
		case words:
			s.text = collapse(s.text, spaced)
			if s.text == "" {
				continue
			}
			spaced = s.text[len(s.text)-1] == ' '
			out = split(out, s)
		case literal:
			s.text = strings.ReplaceAll(s.text, "\n", " ")
			if s.text == "" {
				continue
			}
			spaced = false
			out = append(out, s)
		case lineBreak:
			out = append(out, s)
			spaced = true
		default:
			if s.text == "" && s.image == nil {
				continue
			}
			out = append(out, s)
			spaced = false
		}
	}
	out = trim(out)
	loosen(out)
	out = merge(out)
	r.arena = r.arena[:from+len(out)]
	return out[:len(out):len(out)]
}

// collapse joins runs of white space to one space; none at the beginning after another.
func collapse(text string, spaced bool) string {
	clean := !spaced || text == "" || text[0] != ' '
	before := byte('x')
	for i := 0; clean && i < len(text); i++ {
		c := text[i]
		clean = c != '\n' && c != '\t' && (c != ' ' || before != ' ')
		before = c
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == ' ' || c == '\n' || c == '\t' {
			if !spaced {
				out = append(out, ' ')
			}
			spaced = true
			continue
		}
		out = append(out, c)
		spaced = false
	}
	return string(out)
}

// split cuts white space off the ends of text that stands in marks or a link.
func split(out []span, s span) []span {
	if s.marks == 0 && s.link == nil {
		return append(out, s)
	}
	rest := strings.TrimLeftFunc(s.text, blank)
	if len(rest) < len(s.text) {
		lead := s
		lead.text = s.text[:len(s.text)-len(rest)]
		out = append(out, lead)
	}
	if rest == "" {
		return out
	}
	core := strings.TrimRightFunc(rest, blank)
	s.text = core
	out = append(out, s)
	if len(core) < len(rest) {
		s.text = rest[len(core):]
		out = append(out, s)
	}
	return out
}

// blank reports what CommonMark holds for white space beside a delimiter.
func blank(r rune) bool { return unicode.IsSpace(r) }

// empty reports whether a span is only space.
func (s span) empty() bool {
	return s.kind == lineBreak || s.kind == words && strings.TrimFunc(s.text, blank) == ""
}

// trim drops space and breaks at both ends.
func trim(spans []span) []span {
	for len(spans) > 0 && spans[len(spans)-1].empty() {
		spans = spans[:len(spans)-1]
	}
	first := 0
	for first < len(spans) && spans[first].empty() {
		first++
	}
	spans = spans[:copy(spans, spans[first:])]
	if len(spans) == 0 {
		return spans
	}
	if s := &spans[0]; s.kind == words {
		s.text = strings.TrimLeftFunc(s.text, blank)
	}
	if s := &spans[len(spans)-1]; s.kind == words {
		s.text = strings.TrimRightFunc(s.text, blank)
	}
	return spans
}

// loosen leaves space in those marks and links only that go on behind it.
func loosen(spans []span) {
	for i := 0; i < len(spans); i++ {
		if !spans[i].empty() {
			continue
		}
		end := i
		for end < len(spans) && spans[end].empty() {
			end++
		}
		var m marks
		var l *link
		if i > 0 && end < len(spans) {
			m = spans[i-1].marks & spans[end].marks
			if spans[i-1].link == spans[end].link {
				l = spans[i-1].link
			}
		}
		for ; i < end; i++ {
			spans[i].marks, spans[i].link = m, l
		}
	}
}

// merge joins neighbours that look the same, and space around breaks goes.
func merge(spans []span) []span {
	n := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		j := i + 1
		if s.kind == words || s.kind == literal {
			size := len(s.text)
			for j < len(spans) && spans[j].kind == s.kind && spans[j].marks == s.marks && spans[j].link == s.link {
				size += len(spans[j].text)
				j++
			}
			if j > i+1 {
				var text strings.Builder
				text.Grow(size)
				for _, part := range spans[i:j] {
					text.WriteString(part.text)
				}
				s.text = text.String()
			}
			if s.kind == words && j < len(spans) && spans[j].kind == lineBreak {
				s.text = strings.TrimRight(s.text, " ")
			}
			if s.kind == words && n > 0 && spans[n-1].kind == lineBreak {
				s.text = strings.TrimLeft(s.text, " ")
			}
		}
		i = j
		if s.text == "" && (s.kind == words || s.kind == literal) {
			continue
		}
		spans[n] = s
		n++
	}
	return spans[:n]
}

func firstRune(text string) rune {
	r, _ := utf8.DecodeRuneInString(text)
	return r
}

func punctuation(r rune) bool { return unicode.IsPunct(r) || unicode.IsSymbol(r) }

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
