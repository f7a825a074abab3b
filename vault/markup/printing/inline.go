package printing

import (
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"strings"
	"unicode/utf8"
)

// layer is one mark, or the link, that is open while spans are written.
type layer struct {
	mark  page.Marks // 0: the link
	link  *page.Link
	end   int  // the first span behind it
	html  bool // written as tags, since delimiters would not work here
	shape byte // of emphasis: _ or *
}

// inline writes spans. lines says that breaks may begin a new line, and that the text stands at the beginning of one.
func (e *emitter) inline(spans []page.Span, lines bool) {
	w := &e.line
	w.start, w.spans, w.lines, w.open = len(e.out), spans, lines, w.buffer[:0]
	for i := range spans {
		w.close(i)
		w.begin(i)
		w.span(i)
	}
	w.close(len(spans))
}

// inliner writes the spans of one block at a time.
type inliner struct {
	*emitter
	start  int // where the line at hand begins in out
	spans  []page.Span
	lines  bool
	open   []layer
	buffer [4]layer
}

// close ends the layers that do not go on at span i.
func (w *inliner) close(i int) {
	keep := 0
	for keep < len(w.open) && w.open[keep].end > i {
		keep++
	}
	for at := len(w.open) - 1; at >= keep; at-- {
		w.str(w.open[at].closing(w.emitter))
	}
	w.open = w.open[:keep]
}

// begin opens the layers that span i has and that are not open, those that last longest first.
func (w *inliner) begin(i int) {
	s := &w.spans[i]
	if w.marks(i) == 0 && s.Link == nil {
		return
	}
	missing := w.marks(i)
	linked := s.Link != nil && !w.address(i)
	for _, l := range w.open {
		missing &^= l.mark
		linked = linked && l.link == nil
	}
	first := len(w.open)
	limit := len(w.spans)
	if first > 0 {
		limit = w.open[first-1].end
	}
	for (missing != 0 || linked) && len(w.open) < 8 {
		next := w.longest(i, limit, missing, linked)
		if next.link != nil {
			linked = false
		}
		missing &^= next.mark
		limit = next.end
		w.open = append(w.open, next)
	}
	w.shape(i, first)
}

// longest finds, among what is missing at span i, what lasts longest.
func (w *inliner) longest(i, limit int, missing page.Marks, linked bool) layer {
	var best layer
	if linked {
		best = layer{link: w.spans[i].Link, end: w.extent(i, limit, 0)}
	}
	for m := page.Marks(1); m != 0 && m <= page.Strike; m <<= 1 {
		if missing&m == 0 {
			continue
		}
		if end := w.extent(i, limit, m); end > best.end {
			best = layer{mark: m, end: end}
		}
	}
	return best
}

// extent is the end of the run of spans from i that have the mark, or the link.
func (w *inliner) extent(i, limit int, m page.Marks) int {
	end := i + 1
	for end < limit {
		if m != 0 && w.spans[end].Marks&m == 0 || m == 0 && w.spans[end].Link != w.spans[i].Link {
			break
		}
		end++
	}
	if l := w.spans[end-1].Link; m != 0 && l != nil && end < limit && w.spans[end].Link == l {
		// A mark ends before a link that it would cut in two, unless it begins in there.
		before := end
		for before > i && w.spans[before-1].Link == l {
			before--
		}
		if before > i {
			end = before
		}
	}
	for end > i+1 && w.spans[end-1].Empty() {
		end--
	}
	return end
}

// marks are those of span i that have to be written; on space they do not show.
func (w *inliner) marks(i int) page.Marks {
	if w.spans[i].Empty() {
		return 0
	}
	return w.spans[i].Marks
}

// shape chooses how the layers from first on, which all open at span i, are written, and writes their beginnings.
// CommonMark's rules on flanking decide whether delimiters work; brackets, delimiters and tags are punctuation all alike,
// so the choice for one does not change that for another. Where delimiters of two layers, or a delimiter and a character
// that could be one, would touch, parsers differ: tags are written there.
func (w *inliner) shape(i, first int) {
	before := w.lastRune()
	for at := first; at < len(w.open); at++ {
		l := &w.open[at]
		after := w.head(i)
		alone := at == first && at == len(w.open)-1
		if at < len(w.open)-1 {
			after = '<'
		}
		inner, outer, ends := w.ending(at)
		works := flanks(before, after) && flanks(outer, inner) && !w.touches(at, first) &&
			!delimiter(after) && !delimiter(inner) && !delimiter(outer) && (at > first || !delimiter(before))
		switch l.mark {
		case page.Emphasis:
			l.shape = '_'
			if wordRune(before) || wordRune(outer) {
				l.shape = '*'
				works = works && alone && !ends
			}
			l.html = !works
		case page.Strong, page.Strike:
			l.html = !works
		}
		w.str(l.opening())
		before = '<'
	}
}

// touches reports whether the delimiters of a layer would stand beside those of more than one other around it, as in
// **~~_x_~~**. Beside one other they are clear: they are different characters.
func (w *inliner) touches(at, first int) bool {
	beside := 0
	for i, other := range w.open[:at] {
		if other.delimited() && (i >= first || other.end == w.open[at].end) {
			beside++
		}
	}
	return beside > 1
}

// delimited reports whether a layer is written with Markdown's own marks.
func (l *layer) delimited() bool { return l.link == nil && l.tag() == "" }

// delimiter reports characters that could be taken for a part of the delimiter beside them.
func delimiter(r rune) bool { return r == '*' || r == '_' || r == '~' || r == '\\' }

// flanks reports whether a delimiter can hold inner from the side of outer.
func flanks(outer, inner rune) bool {
	return !blank(inner) && (!punctuation(inner) || blank(outer) || punctuation(outer))
}

// ending tells what stands on both sides of the end of a layer; shared says that another layer begins or ends there.
func (w *inliner) ending(at int) (inner, outer rune, shared bool) {
	l := w.open[at]
	last, next := l.end-1, l.end
	inner = w.tail(last)
	for _, other := range w.open[:at] {
		if other.end == l.end {
			shared, outer = true, '<'
		}
	}
	for _, other := range w.open[at+1:] {
		if other.end == l.end {
			shared, inner = true, '<'
		}
	}
	if w.marks(last)&^w.marksAt(last) != 0 || w.spans[last].Link != nil && !w.within(w.spans[last].Link, last) {
		shared, inner = true, '<' // something that begins inside also ends here
	}
	if shared && outer != 0 {
		return inner, outer, shared
	}
	if next >= len(w.spans) {
		if w.cell {
			return inner, ' ', shared
		}
		return inner, '\n', shared
	}
	if n := w.spans[next]; w.marks(next)&^w.marksAt(next) != 0 || n.Link != nil && n.Link != w.spans[last].Link {
		return inner, '<', true
	}
	return inner, w.head(next), shared
}

// marksAt are those of the layers at hand that are still open at span i.
func (w *inliner) marksAt(i int) (all page.Marks) {
	for _, l := range w.open {
		if l.end > i {
			all |= l.mark
		}
	}
	return all
}

// within reports whether that link is open at span i.
func (w *inliner) within(link *page.Link, i int) bool {
	for _, l := range w.open {
		if l.link == link && l.end > i {
			return true
		}
	}
	return false
}

// linkOpen reports whether the text at hand stands between the brackets of a link.
func (w *inliner) linkOpen() bool {
	for _, l := range w.open {
		if l.link != nil {
			return true
		}
	}
	return false
}

// head is the first character of span i as it will be written.
func (w *inliner) head(i int) rune {
	switch s := &w.spans[i]; s.Kind {
	case page.Words:
		if !w.address(i) {
			return firstRune(s.Text)
		}
	case page.Break:
		if w.lines {
			return '\\'
		}
	}
	return '<' // punctuation of some kind
}

// tail is the last character of span i.
func (w *inliner) tail(i int) rune {
	if s := &w.spans[i]; s.Kind == page.Words && !w.address(i) {
		r, _ := utf8.DecodeLastRuneInString(s.Text)
		return r
	}
	return '>'
}

// lastRune is the character that was written last, a line end at the beginning.
func (w *inliner) lastRune() rune {
	if len(w.out) == 0 {
		return '\n'
	}
	r, _ := utf8.DecodeLastRune(w.out)
	return r
}

// atStart reports whether nothing stands on the line yet that would keep text from being taken for a block.
func (w *inliner) atStart() bool { return w.lines && len(w.out) == w.start }

// address reports whether span i is a link, as a whole, whose text is its address: it is written as <address>.
func (w *inliner) address(i int) bool {
	s := &w.spans[i]
	if s.Link == nil || s.Kind != page.Words || s.Text != s.Link.Target {
		return false
	}
	if i > 0 && w.spans[i-1].Link == s.Link || i+1 < len(w.spans) && w.spans[i+1].Link == s.Link {
		return false
	}
	rest, ok := strings.CutPrefix(s.Text, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(s.Text, "http://")
	}
	return ok && rest != "" && strings.IndexFunc(rest, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>|\\`", r) }) < 0
}

// span writes one span within the layers that are open.
func (w *inliner) span(i int) {
	s := &w.spans[i]
	if w.address(i) {
		w.str("<" + s.Text + ">")
		return
	}
	switch s.Kind {
	case page.Words:
		a := around{before: w.lastRune(), after: '\n', start: w.atStart(), link: w.linkOpen(), strike: s.Marks&page.Strike != 0}
		if i+1 < len(w.spans) {
			if a.after = w.head(i + 1); w.spans[i+1].Link != s.Link && w.spans[i+1].Link != nil || w.spans[i+1].Kind >= page.Picture {
				a.after = '['
			} else if w.marks(i+1)&^w.marksAt(i) != 0 {
				a.after = '<' // a mark begins
			}
			a.more = true
		}
		if n := len(w.open); n > 0 && w.open[n-1].end == i+1 {
			a.after = '<'
		}
		w.text(s.Text, a)
	case page.Literal:
		w.literal(s.Text)
	case page.Break:
		w.lineBreak()
	case page.Picture:
		w.picture(s.Image)
	case page.Date:
		w.str("<confluence-date:" + s.Text + ">")
	case page.Token:
		w.str("[[")
		w.text(s.Text, around{before: '[', after: ']', link: true, more: true})
		w.str("]]")
	case page.Anchor:
		w.str(anchor(s.Text))
	case page.Footnote:
		w.str("[^" + s.Text + "]")
	case page.Emoji:
		w.str(s.Text)
	}
}

// anchor is the element of an anchor.
func anchor(name string) string { return `<a id="` + escapeHTML(name) + `"></a>` }

// lineBreak ends a line, or writes the tag where a line may not end.
func (w *inliner) lineBreak() {
	// goldmark takes \\\ at the end of a line for two backslashes and no break.
	if !w.lines || w.cell || w.lastRune() == '\\' || len(w.out) == w.start {
		w.str("<br>")
		return
	}
	w.str("\\")
	w.newline()
	w.start = len(w.out)
}

// literal writes a code span.
func (e *emitter) literal(text string) {
	fence, run := 1, 0
	used := map[int]bool{}
	if strings.IndexByte(text, '`') >= 0 {
		for i := 0; i <= len(text); i++ {
			if i < len(text) && text[i] == '`' {
				run++
				continue
			}
			used[run] = true
			run = 0
		}
		for used[fence] {
			fence++
		}
	}
	bar := strings.Repeat("`", fence)
	pad := ""
	if text[0] == '`' || text[len(text)-1] == '`' || text[0] == ' ' && text[len(text)-1] == ' ' && strings.Trim(text, " ") != "" {
		pad = " "
	}
	if e.cell {
		text = strings.ReplaceAll(text, "|", `\|`)
	}
	e.str(bar + pad + text + pad + bar)
}
