package writing

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// spans writes text. Marks nest in the order in which they open.
func (w *writer) spans(spans []page.Span) {
	w.marked(spans, 0)
}

// marked writes spans inside of marks that are open already; those of a link go together.
func (w *writer) marked(spans []page.Span, outer page.Marks) {
	var open []page.Marks
	set := func(want page.Marks) {
		keep := 0
		for keep < len(open) && want&open[keep] != 0 {
			want &^= open[keep]
			keep++
		}
		for i := len(open) - 1; i >= keep; i-- {
			w.str("</" + tagOf(open[i]) + ">")
		}
		open = open[:keep]
		for m := page.Underline; m <= page.Strike; m <<= 1 {
			if want&m != 0 {
				w.str("<" + tagOf(m) + ">")
				open = append(open, m)
			}
		}
	}
	for i := 0; i < len(spans); {
		s := &spans[i]
		if before, behind, end := w.pair(spans, i); end > 0 {
			shared := s.Marks
			for _, inner := range spans[i : end+1] {
				shared &= inner.Marks
			}
			set(shared &^ outer)
			w.str(before)
			w.marked(spans[i+1:end], outer|shared)
			w.str(behind)
			i = end + 1
			continue
		}
		if s.Link == nil {
			set(s.Marks &^ outer)
			w.span(s)
			i++
			continue
		}
		end, shared := i, s.Marks
		for end < len(spans) && spans[end].Link == s.Link {
			shared &= spans[end].Marks
			end++
		}
		set(shared &^ outer)
		w.link(s.Link.Target, spans[i:end], outer|shared)
		i = end
	}
	set(0)
}

// tagOf is the element of a mark, as Confluence's editor writes it.
func tagOf(m page.Marks) string {
	switch m {
	case page.Underline:
		return "u"
	case page.Sub:
		return "sub"
	case page.Sup:
		return "sup"
	case page.Strong:
		return "strong"
	case page.Emphasis:
		return "em"
	}
	return "s"
}

// span writes one span without its marks.
func (w *writer) span(s *page.Span) {
	switch s.Kind {
	case page.Words:
		w.text(s.Text)
	case page.Literal:
		w.str("<code>")
		w.text(s.Text)
		w.str("</code>")
	case page.Break:
		w.str("<br />")
	case page.Picture:
		w.picture(s.Image)
	case page.Date:
		w.str(`<time datetime="`)
		w.text(s.Text)
		w.str(`" />`)
	case page.Token:
		if original := w.original(*s); original != "" {
			w.str(original)
			return
		}
		w.text("[[" + s.Text + "]]")
	case page.Anchor:
		w.str(`<ac:structured-macro ac:name="anchor" ac:schema-version="1"><ac:parameter ac:name="">`)
		w.text(s.Text)
		w.str("</ac:parameter></ac:structured-macro>")
	case page.Footnote:
		w.str(`<sup><ac:link ac:anchor="fn-` + s.Text + `"><ac:link-body>` + s.Text + `</ac:link-body></ac:link></sup>`)
	case page.Emoji:
		w.emoji(s.Text)
	}
}

// pair finds, for a placeholder that begins something among text, what stands before it and behind it, and the place of
// the placeholder that ends it; 0 if it has none.
func (w *writer) pair(spans []page.Span, i int) (before, behind string, end int) {
	if spans[i].Kind != page.Token || spans[i].Link != nil || strings.HasPrefix(spans[i].Text, "/") {
		return "", "", 0
	}
	closing := page.Closing(spans[i].Text)
	for end = i + 1; end < len(spans); end++ {
		if spans[end].Kind != page.Token || spans[end].Text != closing {
			continue
		}
		if before, behind, ok := w.halves(spans[i], spans[end]); ok {
			if strings.HasSuffix(before, "<ac:rich-text-body>") { // what stands there bare could be taken for blocks
				before, behind = before+"<p>", "</p>"+behind
			}
			return before, behind, end
		}
		break
	}
	return "", "", 0
}

// original is the storage format that a placeholder stands for, or "".
func (w *writer) original(s page.Span) string {
	if s.Kind != page.Token || w.opt.Original == nil {
		return ""
	}
	text, ok := w.opt.Original("[[" + s.Text + "]]")
	if !ok || !wellFormed(text) {
		return ""
	}
	return text
}

// plain is the text of spans without marks.
func plain(spans []page.Span) string {
	var out strings.Builder
	for i := range spans {
		switch s := &spans[i]; s.Kind {
		case page.Break:
			out.WriteByte(' ')
		case page.Picture:
			out.WriteString(s.Image.Alt)
		case page.Token:
			out.WriteString("[[" + s.Text + "]]")
		default:
			out.WriteString(s.Text)
		}
	}
	return out.String()
}
