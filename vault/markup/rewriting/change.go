package rewriting

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// change is the part of a text that changed: the letters old[a:b] became now[a:c]. What it covers grows until it lies
// between the tags of one element, and until what is new can stand there.
type change struct {
	*rewriter
	old, now  []letter
	container *storage.Node // that holds the whole text
	a, b, c   int

	from, to int           // the bytes that are replaced
	holder   *storage.Node // the element that they stand in
}

// write writes the text between two places of the source. It reports false where nothing of it can stay.
func (c *change) write(from, to int) (string, bool) {
	if len(c.old) == 0 {
		return "", false
	}
	c.begin()
	for done := false; !done; {
		done = c.reach()
		if c.holder == nil || c.from < from || c.to > to {
			return "", false
		}
		done = done && c.wholeLinks() && c.fits()
	}
	return c.source[from:c.from] + c.middle() + c.source[c.to:to], true
}

// begin sets the change to what is not the same at the beginning and the end.
func (c *change) begin() {
	for c.a < len(c.old) && c.a < len(c.now) && c.old[c.a].equal(&c.now[c.a]) {
		c.a++
	}
	c.b, c.c = len(c.old), len(c.now)
	for c.b > c.a && c.c > c.a && c.old[c.b-1].equal(&c.now[c.c-1]) {
		c.b--
		c.c--
	}
	switch {
	case c.a < c.b:
		c.from, c.to, c.holder = c.old[c.a].from, c.old[c.b-1].to, c.old[c.a].node.Parent
	case c.a > 0: // something comes behind a letter
		l := &c.old[c.a-1]
		c.from, c.to, c.holder = l.to, l.to, l.node.Parent
	default:
		l := &c.old[0]
		c.from, c.to, c.holder = l.from, l.from, l.node.Parent
	}
}

// reach extends the change over letters and elements that it covers a part of. It reports false if it did.
func (c *change) reach() bool {
	from, to := c.from, c.to
	for c.a > 0 && (c.old[c.a-1].to > c.from || c.split(c.a)) {
		c.a--
		c.from = min(c.from, c.old[c.a].from)
	}
	for c.b < len(c.old) && (c.old[c.b].from < c.to || c.split(c.b)) {
		c.to = max(c.to, c.old[c.b].to)
		c.b++
		c.c++
	}
	if c.a < c.b {
		c.enclose(c.old[c.a].node)
		c.enclose(c.old[c.b-1].node)
	}
	return c.from == from && c.to == to
}

// split reports whether one piece of the source makes the letters on both sides of a place.
func (c *change) split(at int) bool {
	return at > 0 && at < len(c.old) && c.old[at-1].from == c.old[at].from
}

// enclose makes the change lie in an element that holds a node, and over all of what holds the node in there.
func (c *change) enclose(n *storage.Node) {
	for c.holder != nil && (n.Start < c.holder.Start || n.End > c.holder.End) {
		c.raise()
	}
	if c.holder == nil || n.Parent == c.holder {
		return
	}
	for n.Parent != nil && n.Parent != c.holder {
		n = n.Parent
	}
	c.from, c.to = min(c.from, n.Start), max(c.to, n.End)
}

// raise goes from an element to the one around it, which it then covers all of: nil beyond the text's own.
func (c *change) raise() {
	n := c.holder
	if n == c.container {
		c.holder = nil
		return
	}
	c.holder = n.Parent
	switch point := c.from == c.to; {
	case point && (c.a == len(c.old) || c.old[c.a].from >= n.End): // something comes behind all of it
		c.from, c.to = n.End, n.End
	case point && (c.a == 0 || c.old[c.a-1].to <= n.Start):
		c.from, c.to = n.Start, n.Start
	default:
		c.from, c.to = min(c.from, n.Start), max(c.to, n.End)
	}
}

// wholeLinks extends the change over links of the new text that begin or end outside. It reports false if it did.
func (c *change) wholeLinks() bool {
	if _, link, _, _ := c.ambient(); link != "" || c.a == c.c {
		return true
	}
	grown := false
	for c.a > 0 && sameLink(&c.now[c.a-1], &c.now[c.a]) {
		c.a--
		c.from = min(c.from, c.old[c.a].from)
		grown = true
	}
	for c.b < len(c.old) && sameLink(&c.now[c.c-1], &c.now[c.c]) {
		c.to = max(c.to, c.old[c.b].to)
		c.b++
		c.c++
		grown = true
	}
	return !grown
}

func sameLink(a, b *letter) bool { return a.span.Link != nil && a.span.Link == b.span.Link }

// fits reports whether what is new can stand where the change is: with the marks, and in the link, that are open there. If
// not, the change goes up to the element around.
func (c *change) fits() bool {
	marks, link, code, ok := c.ambient()
	plain := c.plain()
	for i := c.a; ok && i < c.c; i++ {
		l := &c.now[i]
		ok = (l.span.Marks&marks == marks || l.blank()) && (link == "" || target(l.span) == link) && (!code || l.span.Kind == page.Literal) &&
			(!plain || l.span.Kind == page.Words && l.span.Marks&^marks == 0)
	}
	if n := c.holder; ok && c.a == c.c && n != c.container && c.from <= n.InnerStart && c.to >= n.InnerEnd {
		ok = false // nothing would be left in it
	}
	if !ok {
		c.raise()
	}
	return ok
}

// ambient tells what is open where the change stands; ok is false where no text can be written.
func (c *change) ambient() (marks page.Marks, link string, code, ok bool) {
	for n := c.holder; n != nil && n != c.container; n = n.Parent {
		marks |= reading.Marks(n)
		switch n.Name {
		case "span", "font", "small", "big", "ac:link-body", "ac:inline-comment-marker":
		case "ac:plain-text-link-body":
			if !c.plain() {
				return 0, "", false, false
			}
		case "code", "tt", "kbd", "samp":
			code = true
		case "a":
			link = c.linkIn(n)
		case "ac:link":
			if n == c.holder {
				return 0, "", false, false
			}
			link = c.linkIn(n)
		default:
			if reading.Marks(n) == 0 {
				return 0, "", false, false
			}
		}
	}
	return marks, link, code, true
}

// plain reports whether the change lies in a CDATA section.
func (c *change) plain() bool {
	if c.holder == nil || c.holder.Name != "ac:plain-text-link-body" {
		return false
	}
	n := c.holder.First
	return n != nil && n == c.holder.Last && n.Kind == storage.CData && c.from >= n.InnerStart && c.to <= n.InnerEnd
}

// linkIn is what the letters in a link lead to. Space at its ends counts as outside of it.
func (c *change) linkIn(n *storage.Node) string {
	for i := range c.old {
		if l := &c.old[i]; l.from >= n.Start && l.to <= n.End && !(l.blank() && target(l.span) == "") {
			return target(l.span)
		}
	}
	return ""
}

// middle writes what is new.
func (c *change) middle() string {
	marks, link, code, _ := c.ambient()
	var spans []page.Span
	for i := c.a; i < c.c; {
		s := *c.now[i].span
		var text []rune
		for from := c.now[i].span; i < c.c && c.now[i].span == from; i++ {
			text = append(text, c.now[i].char)
		}
		if s.Kind <= page.Literal {
			s.Text = string(text)
		}
		if link != "" {
			s.Link = nil
		}
		if code {
			s.Kind = page.Words
		}
		spans = append(spans, s)
	}
	if c.plain() {
		var text strings.Builder
		for i := range spans {
			text.WriteString(spans[i].Text)
		}
		return writing.InsideCData(text.String())
	}
	return c.pieces.Spans(spans, marks)
}
