package rewriting

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/printing"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// maxText bounds the texts that are compared letter by letter, in bytes of source.
const maxText = 64 << 10

// text writes what the text of a paragraph or heading became. What its element has beside the text (alignment, ids) stays.
func (r *rewriter) text(was, edited *page.Block, in area) (string, bool) {
	n := r.element(was.From, was.To)
	var head, tail string
	from, to := was.From, was.To
	switch {
	case n != nil && n.Name == "dt":
		if !strong(edited.Text) || edited.Kind != page.Paragraph {
			return "", false
		}
		return r.around(n, n, r.pieces.Spans(edited.Text, page.Strong)), true
	case n == nil, !holds(n.Name): // text that stands in a cell or an item without an element of its own
		if edited.Kind != page.Paragraph {
			return "", false
		}
	case n.InnerStart == n.End:
		return "", false
	default:
		from, to = n.InnerStart, n.InnerEnd
		head, tail = r.source[n.Start:from], r.source[to:n.End]
		if was.Level != edited.Level { // only the element is another
			name := writing.Level(edited)
			head, tail = "<"+name+r.source[n.Start+1+len(n.Name):from], "</"+name+">"
		}
	}
	if text, ok := r.splice(was, edited, from, to); ok {
		made := head + text + tail
		if r.says(made, was, edited) {
			return made, true
		}
	}
	return head + r.pieces.Spans(edited.Text, 0) + tail, true
}

// strong reports whether a text is all bold.
func strong(spans []page.Span) bool {
	for i := range spans {
		if spans[i].Marks&page.Strong == 0 && !spans[i].Empty() {
			return false
		}
	}
	return true
}

// holds reports whether an element is one that holds a text.
func holds(name string) bool {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6":
		return true
	}
	return false
}

// says reports whether a piece of storage format that stands where a block was reads as the other.
func (r *rewriter) says(made string, was, want *page.Block) bool {
	if n := r.nodes[was.From]; n != nil && !macro.StandsAlone(n) { // as an image at the top would
		made = "<td>" + made + "</td>"
	}
	doc, err := storage.Parse(made)
	if err != nil {
		return false
	}
	read := reading.Read(doc, r.opt.Reading)
	return len(read.Blocks) == 1 && read.Blocks[0].Kind == want.Kind &&
		spaces(page.Unnumbered(printing.Print(read.Blocks))) == spaces(page.Unnumbered(printing.Print([]page.Block{*want})))
}

// splice writes a text of which only a part changed: that part anew, all before and behind it as it was.
func (r *rewriter) splice(was, edited *page.Block, from, to int) (string, bool) {
	if to-from > maxText || from >= to {
		return "", false
	}
	first := r.nodes[from]
	if first == nil {
		return "", false
	}
	end := first
	for end != nil && end.Start < to {
		end = end.Next
	}
	spans, ok := reading.Spans(first, end, r.opt.Reading)
	if !ok {
		return "", false
	}
	old, now := cellsOf(was.Text), cellsOf(edited.Text)
	if !locate(old, r.raw(spans)) {
		return "", false
	}
	c := change{rewriter: r, old: old, now: now, container: first.Parent}
	return c.write(from, to)
}

// letter is a character of a text, or an object in it.
type letter struct {
	span *page.Span
	char rune // 0 for an object
	// Where it stands in the source; node is the text or element that it comes from.
	node     *storage.Node
	from, to int
}

// cellsOf takes a text apart.
func cellsOf(spans []page.Span) []letter {
	var out []letter
	for i := range spans {
		s := &spans[i]
		if s.Kind > page.Literal {
			out = append(out, letter{span: s})
			continue
		}
		for _, char := range s.Text {
			out = append(out, letter{span: s, char: char})
		}
	}
	return out
}

// raw takes a text apart as it stands in the source.
func (r *rewriter) raw(spans []page.Span) []letter {
	var out []letter
	for i := range spans {
		s := &spans[i]
		n := r.nodes[s.From]
		if n == nil || n.End != s.To {
			continue
		}
		if s.Kind <= page.Literal && (n.Kind == storage.Text || n.Kind == storage.CData) {
			out = append(out, characters(n, s)...)
			continue
		}
		for _, l := range cellsOf(spans[i : i+1]) {
			l.node, l.from, l.to = n, n.Start, n.End
			out = append(out, l)
		}
	}
	return out
}

// characters are those of a text node, references resolved, or of a CDATA section.
func characters(n *storage.Node, s *page.Span) []letter {
	var out []letter
	raw, start := n.Inner(), n.InnerStart
	for i := 0; i < len(raw); {
		value, size := "", 0
		if n.Kind == storage.Text {
			value, size = storage.Reference(raw[i:])
		}
		if size == 0 {
			char := []rune(raw[i:min(len(raw), i+4)])[0]
			size = len(string(char))
			value = string(char)
		}
		for _, char := range value {
			out = append(out, letter{span: s, char: char, node: n, from: start + i, to: start + i + size})
		}
		i += size
	}
	return out
}

// locate finds where the letters of a settled text stand. White space may have gone in between; it reports false if
// anything else has.
func locate(settled, raw []letter) bool {
	at := 0
	for i := range settled {
		l := &settled[i]
		for at < len(raw) && !sameLetter(l, &raw[at]) {
			if !raw[at].blank() {
				return false
			}
			at++
		}
		if at == len(raw) {
			return false
		}
		l.node, l.from, l.to = raw[at].node, raw[at].from, raw[at].to
		at++
	}
	for ; at < len(raw); at++ {
		if !raw[at].blank() {
			return false
		}
	}
	return true
}

// blank reports whether a letter is space, or a break.
func (l *letter) blank() bool {
	return l.span.Kind == page.Break || l.char != 0 && strings.TrimSpace(string(l.char)) == ""
}

// space reports whether a letter is a space, of the kind that breaks or not.
func (l *letter) space() bool { return l.char == ' ' || l.char == '\u00a0' }

// sameLetter compares without regard to marks.
func sameLetter(a, b *letter) bool {
	if a.char != 0 || b.char != 0 {
		return a.char == b.char || a.char == ' ' && (b.char == '\n' || b.char == '\t' || b.char == '\r')
	}
	return sameObject(a.span, b.span)
}

// sameObject compares objects in a text. Placeholders may have other numbers.
func sameObject(a, b *page.Span) bool {
	if a.Kind != b.Kind || a.Kind != page.Token && a.Text != b.Text || page.Unnumbered(a.Text) != page.Unnumbered(b.Text) {
		return false
	}
	return a.Image == b.Image || a.Image != nil && b.Image != nil && *a.Image == *b.Image
}

// equal compares letters of the text before and after.
func (l *letter) equal(other *letter) bool {
	same := l.char == other.char || l.space() && other.space()
	return same && l.span.Kind == other.span.Kind && l.span.Marks == other.span.Marks && target(l.span) == target(other.span) &&
		(l.char != 0 || l.span.Text == other.span.Text && sameObject(l.span, other.span))
}

// target is what a span leads to, "" for nothing.
func target(s *page.Span) string {
	if s.Link == nil {
		return ""
	}
	return s.Link.Target
}
