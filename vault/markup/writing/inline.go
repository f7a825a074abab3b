package writing

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// spans writes text. Marks nest in the order in which they open.
func (w *writer) spans(spans []page.Span) {
	w.marked(spans, 0)
}

// openMarks are the marks that are open, outermost first.
type openMarks []page.Marks

// set closes and opens marks until those are open that are wanted.
func (w *writer) set(open *openMarks, want page.Marks) {
	keep := 0
	for keep < len(*open) && want&(*open)[keep] != 0 {
		want &^= (*open)[keep]
		keep++
	}
	for i := len(*open) - 1; i >= keep; i-- {
		w.str("</" + tagOf((*open)[i]) + ">")
	}
	*open = (*open)[:keep]
	for m := page.Underline; m <= page.Strike; m <<= 1 {
		if want&m != 0 {
			w.str("<" + tagOf(m) + ">")
			*open = append(*open, m)
		}
	}
}

// marked writes spans inside of marks that are open already; those of a link go together, and those between two
// placeholders.
func (w *writer) marked(spans []page.Span, outer page.Marks) {
	w.depth++
	defer func() { w.depth-- }()
	var open openMarks
	ends := w.ends(spans)
	for i := 0; i < len(spans); {
		s := &spans[i]
		if end := ends[i]; end > 0 {
			if before, behind, ok := w.pair(s, &spans[end]); ok {
				shared := common(spans[i : end+1])
				w.set(&open, shared&^outer)
				w.str(before)
				w.marked(spans[i+1:end], outer|shared)
				w.str(behind)
				i = end + 1
				continue
			}
		}
		if s.Link == nil {
			w.set(&open, s.Marks&^outer)
			w.span(s)
			i++
			continue
		}
		end := i
		for end < len(spans) && spans[end].Link == s.Link {
			end++
		}
		shared := common(spans[i:end])
		w.set(&open, shared&^outer)
		w.link(s.Link.Target, spans[i:end], outer|shared)
		i = end
	}
	w.set(&open, 0)
}

// common are the marks that all spans have.
func common(spans []page.Span) page.Marks {
	all := ^page.Marks(0)
	for i := range spans {
		all &= spans[i].Marks
	}
	return all
}

// maxPairs bounds constructs within constructs in one text.
const maxPairs = 20

// ends finds, for each placeholder that begins something, the place of the next one that ends it.
func (w *writer) ends(spans []page.Span) map[int]int {
	if w.opt.Original == nil || w.depth > maxPairs {
		return nil
	}
	var found map[int]int
	next := map[string]int{}
	for i := len(spans) - 1; i >= 0; i-- {
		s := &spans[i]
		switch {
		case s.Kind != page.Token || s.Link != nil:
		case strings.HasPrefix(s.Text, "/"):
			next[s.Text] = i
		default:
			if end := next[page.Closing(s.Text)]; end > 0 {
				if found == nil {
					found = map[int]int{}
				}
				found[i] = end
			}
		}
	}
	return found
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

// pair is what stands before the text between two placeholders and behind it.
func (w *writer) pair(opening, closing *page.Span) (before, behind string, ok bool) {
	before, behind, ok = w.halves(*opening, *closing)
	if ok && strings.HasSuffix(before, "<ac:rich-text-body>") { // what stands there bare could be taken for blocks
		before, behind = before+"<p>", "</p>"+behind
	}
	return before, behind, ok
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
