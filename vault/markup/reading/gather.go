package reading

import (
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// context is what surrounds a node.
type context struct {
	marks marks
	code  bool
	link  *link
	align byte
}

// builder collects the blocks inside one container. Inline content gathers in spans until a block begins or ends.
type builder struct {
	r      *reader
	blocks []block
	spans  []span
	align  byte
}

// children gathers what is inside n.
func (r *reader) children(n *storage.Node) []block {
	b := builder{r: r}
	b.inside(n, context{})
	b.flush()
	return b.blocks
}

// flush ends the paragraph at hand.
func (b *builder) flush() {
	if len(b.spans) == 0 {
		return
	}
	if text := b.r.settle(b.spans); len(text) > 0 {
		b.blocks = append(b.blocks, block{kind: paragraph, text: text, align: b.align})
	}
	b.spans = b.spans[:0]
}

func (b *builder) add(made block) {
	b.flush()
	b.blocks = append(b.blocks, made)
}

func (b *builder) span(s span) { b.spans = append(b.spans, s) }

// words adds text that is not in the page's text nodes.
func (b *builder) words(text string, c context) {
	kind := words
	if c.code {
		kind = literal
	}
	b.span(span{kind: kind, marks: c.marks, text: text, link: c.link})
}

func (b *builder) token(name, meaning string, c context) {
	b.span(span{kind: token, marks: c.marks, text: b.r.placeholder(name, meaning)})
}

func (b *builder) inside(n *storage.Node, c context) {
	for child := n.First; child != nil; child = child.Next {
		b.walk(child, c)
	}
}

// walk adds one node.
func (b *builder) walk(n *storage.Node, c context) {
	switch n.Kind {
	case storage.Text, storage.CData:
		b.words(n.Value(), c)
		return
	case storage.Element:
	default:
		return // comments and instructions are not shown by Confluence either
	}
	if m, ok := markOf(n.Name); ok {
		c.marks |= m
		b.inside(n, c)
		return
	}
	if strings.IndexByte(n.Name, ':') >= 0 {
		b.confluence(n, c)
		return
	}
	if b.inline(n, c) {
		return
	}
	b.block(n, c)
}

func markOf(name string) (marks, bool) {
	switch name {
	case "strong", "b":
		return strong, true
	case "em", "i":
		return emphasis, true
	case "u", "ins":
		return underline, true
	case "s", "del", "strike":
		return strike, true
	case "sub":
		return sub, true
	case "sup":
		return sup, true
	}
	return 0, false
}

// inline adds HTML's inline elements and those that mean nothing to us; it reports false for blocks.
func (b *builder) inline(n *storage.Node, c context) bool {
	switch n.Name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr", "div", "section", "dl", "dt", "dd",
		"li", "tr", "td", "th", "tbody", "thead", "tfoot":
		return false
	case "br":
		b.span(span{kind: lineBreak, marks: c.marks, link: c.link})
	case "code", "tt", "kbd", "samp":
		c.code = true
		b.inside(n, c)
	case "a":
		b.anchor(n, c)
	case "img":
		b.span(span{kind: picture, marks: c.marks, link: c.link, image: &image{alt: n.Attr("alt"), target: n.Attr("src")}})
	case "time":
		b.date(n, c)
	case "col", "colgroup":
	default:
		b.inside(n, c)
	}
	return true
}

// block adds HTML's blocks.
func (b *builder) block(n *storage.Node, c context) {
	b.flush()
	outer := b.align
	if a := alignment(n); a != 0 {
		b.align = a
	}
	switch n.Name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		for _, made := range b.r.children(n) {
			if made.kind == paragraph {
				made.kind, made.level = heading, int(n.Name[1]-'0')
			}
			b.add(made)
		}
	case "ul", "ol":
		b.list(n)
	case "table":
		b.table(n)
	case "blockquote":
		if kids := b.r.children(n); len(kids) > 0 {
			b.add(block{kind: quote, kids: kids})
		}
	case "pre":
		b.add(block{kind: code, code: plain(n)})
	case "hr":
		b.add(block{kind: rule})
	case "dt":
		c.marks |= strong
		b.inside(n, c)
	default: // p, div, section, dl, dd, and parts of tables and lists that stand alone
		b.inside(n, c)
	}
	b.flush()
	b.align = outer
}

// alignment reads text-align from the style.
func alignment(n *storage.Node) byte {
	style := n.Attr("style")
	_, value, ok := strings.Cut(style, "text-align:")
	if !ok {
		return 0
	}
	value, _, _ = strings.Cut(value, ";")
	switch strings.TrimSpace(value) {
	case "center":
		return 'c'
	case "right", "end":
		return 'r'
	case "left", "start":
		return 'l'
	}
	return 0
}

// plain is the text of n with line breaks.
func plain(n *storage.Node) string {
	var out strings.Builder
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for c := n.First; c != nil; c = c.Next {
			if c.Kind != storage.Element {
				out.WriteString(c.Value())
				continue
			}
			if c.Name == "br" {
				out.WriteByte('\n')
			}
			walk(c)
		}
	}
	walk(n)
	return out.String()
}

// list adds ul and ol. What stands in a list without li goes with the item before it.
func (b *builder) list(n *storage.Node) {
	made := block{kind: list, ordered: n.Name == "ol", level: 1}
	if start, err := strconv.Atoi(n.Attr("start")); err == nil && start >= 0 {
		made.level = start
	}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "li" {
			made.kids = append(made.kids, block{kind: item, kids: b.r.children(child)})
			continue
		}
		stray := builder{r: b.r}
		stray.walk(child, context{})
		stray.flush()
		switch last := len(made.kids) - 1; {
		case len(stray.blocks) == 0:
		case last < 0:
			made.kids = append(made.kids, block{kind: item, kids: stray.blocks})
		default:
			made.kids[last].kids = append(made.kids[last].kids, stray.blocks...)
		}
	}
	if len(made.kids) > 0 {
		b.add(made)
	}
}

// table adds a table; what stands in it outside of cells (a caption, say) goes before it.
func (b *builder) table(n *storage.Node) {
	t := &table{}
	before := b.r.rows(n, t)
	b.flush()
	b.blocks = append(b.blocks, before...)
	if len(t.rows) > 0 {
		b.add(block{kind: grid, table: t})
	}
}

func (r *reader) rows(n *storage.Node, t *table) (stray []block) {
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Element && (child.Name == "thead" || child.Name == "tbody" || child.Name == "tfoot"):
			stray = append(stray, r.rows(child, t)...)
		case child.Kind == storage.Element && child.Name == "tr":
			row, more := r.row(child)
			stray = append(stray, more...)
			if len(row) > 0 {
				t.rows = append(t.rows, row)
			}
		default:
			b := builder{r: r}
			b.walk(child, context{})
			b.flush()
			stray = append(stray, b.blocks...)
		}
	}
	return stray
}

func (r *reader) row(n *storage.Node) (row []cell, stray []block) {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && (child.Name == "td" || child.Name == "th") {
			made := cell{
				head: child.Name == "th", align: alignment(child), colspan: reach(child.Attr("colspan")), rowspan: reach(child.Attr("rowspan")),
				kids: r.children(child),
			}
			if made.align == 0 && len(made.kids) > 0 {
				made.align = made.kids[0].align
			}
			row = append(row, made)
			continue
		}
		b := builder{r: r}
		b.walk(child, context{})
		b.flush()
		stray = append(stray, b.blocks...)
	}
	return row, stray
}

// reach reads colspan and rowspan.
func reach(value string) int {
	if n, err := strconv.Atoi(value); err == nil && n > 1 && n <= 1000 {
		return n
	}
	return 1
}
