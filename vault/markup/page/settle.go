package page

import (
	"strings"
	"unicode"
)

// Settler makes paragraphs final. The zero value is ready; it is for one goroutine.
type Settler struct {
	arena []Span // finished spans are cut from here, to save allocations
}

// Settle makes the spans of a paragraph final: white space collapses as in HTML, space at an edge of marks moves out of
// them (Markdown's delimiters want to touch words), addresses in plain text become links, neighbours that look the same
// become one. The answer is empty if there is nothing to see. Settling again changes nothing.
func (r *Settler) Settle(in []Span) []Span {
	in = linkAddresses(in)
	if cap(r.arena)-len(r.arena) < 3*len(in) {
		r.arena = make([]Span, 0, max(512, 3*len(in)))
	}
	from := len(r.arena)
	out := r.arena[from:]
	spaced := true // nothing, a space or a break stands before
	for _, s := range in {
		if s.Kind == Literal && strings.Trim(s.Text, " \t\r\n") == "" {
			s.Kind = Words // there is nothing to see in it
		}
		switch s.Kind {
		case Words:
			s.Text = collapse(s.Text, spaced)
			if s.Text == "" {
				continue
			}
			spaced = s.Text[len(s.Text)-1] == ' '
			out = split(out, s)
		case Literal:
			if strings.ContainsAny(s.Text, "\t\r\n") {
				s.Text = strings.NewReplacer("\t", " ", "\r", " ", "\n", " ").Replace(s.Text)
			}
			spaced = false
			out = append(out, s)
		case Break:
			out = append(out, s)
			spaced = true
		default:
			if s.Text == "" && s.Image == nil {
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
		clean = c != '\n' && c != '\t' && c != '\r' && (c != ' ' || before != ' ')
		before = c
	}
	if clean {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == ' ' || c == '\n' || c == '\t' || c == '\r' {
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
func split(out []Span, s Span) []Span {
	if s.Marks == 0 && s.Link == nil {
		return append(out, s)
	}
	rest := strings.TrimLeftFunc(s.Text, blank)
	if len(rest) < len(s.Text) {
		lead := s
		lead.Text = s.Text[:len(s.Text)-len(rest)]
		out = append(out, lead)
	}
	if rest == "" {
		return out
	}
	core := strings.TrimRightFunc(rest, blank)
	s.Text = core
	out = append(out, s)
	if len(core) < len(rest) {
		s.Text = rest[len(core):]
		out = append(out, s)
	}
	return out
}

// blank reports what CommonMark holds for white space beside a delimiter.
func blank(r rune) bool { return unicode.IsSpace(r) }

// Empty reports whether a span is only space: marks do not show on it.
func (s *Span) Empty() bool {
	return s.Kind == Break || s.Kind == Words && strings.TrimFunc(s.Text, blank) == ""
}

// trim drops space and breaks at both ends.
func trim(spans []Span) []Span {
	for len(spans) > 0 && spans[len(spans)-1].Empty() {
		spans = spans[:len(spans)-1]
	}
	first := 0
	for first < len(spans) && spans[first].Empty() {
		first++
	}
	spans = spans[:copy(spans, spans[first:])]
	if len(spans) == 0 {
		return spans
	}
	if s := &spans[0]; s.Kind == Words {
		s.Text = strings.TrimLeftFunc(s.Text, blank)
	}
	if s := &spans[len(spans)-1]; s.Kind == Words {
		s.Text = strings.TrimRightFunc(s.Text, blank)
	}
	return spans
}

// loosen leaves space in those marks and links only that go on behind it.
func loosen(spans []Span) {
	for i := 0; i < len(spans); i++ {
		if !spans[i].Empty() {
			continue
		}
		end := i
		for end < len(spans) && spans[end].Empty() {
			end++
		}
		var m Marks
		var l *Link
		if i > 0 && end < len(spans) {
			m = spans[i-1].Marks & spans[end].Marks
			if spans[i-1].Link == spans[end].Link {
				l = spans[i-1].Link
			}
		}
		for ; i < end; i++ {
			spans[i].Marks, spans[i].Link = m, l
		}
	}
}

// merge joins neighbours that look the same, and space around breaks goes.
func merge(spans []Span) []Span {
	n := 0
	for i := 0; i < len(spans); {
		s := spans[i]
		j := i + 1
		if s.Kind == Words || s.Kind == Literal {
			size := len(s.Text)
			for j < len(spans) && spans[j].Kind == s.Kind && spans[j].Marks == s.Marks && spans[j].Link == s.Link {
				size += len(spans[j].Text)
				j++
			}
			if j > i+1 {
				var text strings.Builder
				text.Grow(size)
				for _, part := range spans[i:j] {
					text.WriteString(part.Text)
				}
				s.Text = text.String()
			}
			if s.Kind == Words && j < len(spans) && spans[j].Kind == Break {
				s.Text = strings.TrimRight(s.Text, " ")
			}
			if s.Kind == Words && n > 0 && spans[n-1].Kind == Break {
				s.Text = strings.TrimLeft(s.Text, " ")
			}
		}
		i = j
		if s.Text == "" && (s.Kind == Words || s.Kind == Literal) {
			continue
		}
		spans[n] = s
		n++
	}
	return spans[:n]
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
