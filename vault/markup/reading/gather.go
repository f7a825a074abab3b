package reading

import (
	"slices"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// setting is what surrounds a node.
type setting struct {
	marks page.Marks
	code  bool
	link  *page.Link
}

// builder collects the blocks inside one container. Inline content gathers in spans until a block begins or ends.
type builder struct {
	r *reader
	room
	align byte

	child    *storage.Node // of the container at hand: what is added comes from it as a whole
	at       *storage.Node // that is walked
	from, to int           // the bytes that the spans come from
}

// begin makes a builder for what is in n, with the room that another has left.
func (r *reader) begin(n *storage.Node) builder {
	b := builder{r: r, child: n, at: n}
	if last := len(r.rooms) - 1; last >= 0 {
		b.room = r.rooms[last]
		r.rooms = r.rooms[:last]
	}
	return b
}

// end ends the paragraph at hand, answers the blocks and leaves the room to another.
func (b *builder) end() []page.Block {
	b.flush()
	made := b.r.cut(b.blocks)
	clear(b.blocks)
	b.r.rooms = append(b.r.rooms, room{b.blocks[:0], b.spans[:0]})
	return made
}

// room is where blocks and spans gather until their number is known.
type room struct {
	blocks []page.Block
	spans  []page.Span
}

// cut copies blocks to a place of their own, many of which are made at once.
func (r *reader) cut(blocks []page.Block) []page.Block {
	if len(blocks) == 0 {
		return nil
	}
	if cap(r.arena)-len(r.arena) < len(blocks) {
		r.arena = make([]page.Block, 0, max(min(2*cap(r.arena), 256), 8, len(blocks)))
	}
	from := len(r.arena)
	r.arena = append(r.arena, blocks...)
	return r.arena[from:len(r.arena):len(r.arena)]
}

// children gathers what is inside n.
func (r *reader) children(n *storage.Node) []page.Block {
	b := r.begin(n)
	b.each(n, setting{})
	made := b.end()
	if r.opt.HTML {
		return page.Enclose(made)
	}
	return made
}

// alone gathers what one node says.
func (r *reader) alone(n *storage.Node) []page.Block {
	b := r.begin(n)
	b.walk(n, setting{})
	return b.end()
}

// flush ends the paragraph at hand.
func (b *builder) flush() {
	if len(b.spans) == 0 {
		return
	}
	if text := b.r.settler.Settle(b.spans); len(text) > 0 {
		b.blocks = append(b.blocks, page.Block{Kind: page.Paragraph, Text: text, Align: b.align, From: b.from, To: b.to})
	}
	b.spans = b.spans[:0]
}

// add ends the paragraph at hand and adds a block.
func (b *builder) add(made page.Block) {
	b.flush()
	made.From, made.To = b.child.Start, b.child.End
	b.blocks = append(b.blocks, made)
}

// span adds a span to the paragraph at hand.
func (b *builder) span(s page.Span) {
	if len(b.spans) == 0 {
		b.from = b.child.Start
	}
	b.to = b.child.End
	s.From, s.To = b.at.Start, b.at.End
	b.spans = append(b.spans, s)
}

// words adds text that is not in the page's text nodes.
func (b *builder) words(text string, c setting) {
	kind := page.Words
	if c.code {
		kind = page.Literal
	}
	b.span(page.Span{Kind: kind, Marks: c.marks, Text: text, Link: c.link})
}

// token adds a placeholder.
func (b *builder) token(name, meaning, original string, c setting) {
	b.span(page.Span{Kind: page.Token, Marks: c.marks, Link: c.link, Text: b.r.placeholder(name, meaning, original)})
}

// each adds everything in a container: what comes from one of its children has the bytes of that child.
func (b *builder) each(n *storage.Node, c setting) {
	outer := b.child
	for b.child = n.First; b.child != nil; b.child = b.child.Next {
		b.walk(b.child, c)
	}
	b.child = outer
}

// inside adds everything in n.
func (b *builder) inside(n *storage.Node, c setting) {
	for child := n.First; child != nil; child = child.Next {
		b.walk(child, c)
	}
}

// walk adds one node.
func (b *builder) walk(n *storage.Node, c setting) {
	b.at = n
	switch n.Kind {
	case storage.Text, storage.CData:
		if b.r.opt.HTML {
			b.htmlWords(n, c)
			return
		}
		b.words(n.Value(), c)
		return
	case storage.Element:
	default:
		return // comments are not shown by Confluence either
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

// markOf is the mark of an element, in the old names and the new.
func markOf(name string) (page.Marks, bool) {
	switch name {
	case "strong", "b":
		return page.Strong, true
	case "em", "i":
		return page.Emphasis, true
	case "u", "ins":
		return page.Underline, true
	case "s", "del", "strike":
		return page.Strike, true
	case "sub":
		return page.Sub, true
	case "sup":
		return page.Sup, true
	}
	return 0, false
}

// inline adds HTML's inline elements and those that mean nothing to us; it reports false for blocks.
func (b *builder) inline(n *storage.Node, c setting) bool {
	switch n.Name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "pre", "hr", "div", "section", "dl", "dt", "dd",
		"li", "tr", "td", "th", "tbody", "thead", "tfoot", "details":
		return false
	case "br":
		b.span(page.Span{Kind: page.Break, Marks: c.marks, Link: c.link})
	case "code", "tt", "kbd", "samp":
		c.code = true
		b.inside(n, c)
	case "a":
		b.anchor(n, c)
	case "img":
		b.htmlPicture(n, c)
	case "time":
		b.date(n, c)
	case "col", "colgroup":
		if n.Attr("style") != "" {
			b.r.flatten("column width")
		}
		b.inside(n, c)
	default:
		if !transparent(n.Name) {
			b.sealed(n, n.Name, n.Attr("src")+" "+n.Content(), c)
			return true
		}
		if strings.Contains(n.Attr("style"), "color") {
			b.r.flatten("colour")
		}
		b.inside(n, c)
	}
	return true
}

// transparent reports whether an element only groups or colours what is in it.
func transparent(name string) bool {
	switch name {
	case "span", "font", "small", "big", "center", "abbr", "acronym", "cite", "q", "mark", "dfn", "var", "label", "bdi", "bdo", "wbr",
		"caption", "summary", "figure", "figcaption", "article", "header", "footer", "main", "nav", "aside", "address":
		return true
	}
	return false
}

// block adds HTML's blocks.
func (b *builder) block(n *storage.Node, c setting) {
	b.flush()
	outer := b.align
	if a := b.r.alignment(n); a != 0 {
		b.align = a
	}
	switch n.Name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		for _, made := range b.r.children(n) {
			if made.Kind == page.Paragraph {
				made.Kind, made.Level = page.Heading, int(n.Name[1]-'0')
			}
			b.add(made)
		}
	case "ul", "ol":
		b.list(n)
	case "table":
		b.table(n)
	case "blockquote":
		b.quote(n)
	case "details":
		b.htmlDetails(n)
	case "pre":
		b.htmlCode(n)
	case "hr":
		b.add(page.Block{Kind: page.Rule})
	case "dt":
		c.marks |= page.Strong
		b.inside(n, c)
	case "p":
		if label := b.r.noteLabel(n); label != "" {
			b.note(n, label)
		} else {
			b.inside(n, c)
		}
	default: // div, section, dl, dd, and parts of tables and lists that stand alone
		b.each(n, c)
	}
	b.flush()
	b.align = outer
}

// alignment reads text-align from the style, or align where HTML has it.
func (r *reader) alignment(n *storage.Node) byte {
	if len(n.Attrs()) == 0 {
		return 0
	}
	style := n.Attr("style")
	if strings.Contains(style, "margin-left") {
		r.flatten("indentation")
	}
	_, value, ok := strings.Cut(style, "text-align:")
	if !ok {
		value = n.Attr("align")
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
	made := page.Block{Kind: page.List, Ordered: n.Name == "ol", Level: 1}
	if text := n.Attr("start"); text != "" {
		if start, err := strconv.Atoi(text); err == nil && start >= 0 {
			made.Level = start
		}
	}
	made.Kids = make([]page.Block, 0, count(n, "li"))
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "li" {
			entry := page.Block{Kind: page.Item, Kids: b.r.children(child), From: child.Start, To: child.End}
			if b.r.opt.HTML {
				entry.Task, entry.Name = taskOf(child), taskNumber(child.Attr("data-task-id"))
			}
			made.Kids = append(made.Kids, entry)
			continue
		}
		switch stray, last := b.r.alone(child), len(made.Kids)-1; {
		case len(stray) == 0:
		case last < 0:
			made.Kids = append(made.Kids, page.Block{Kind: page.Item, Kids: stray, From: child.Start, To: child.End})
		default:
			made.Kids[last].Kids = append(made.Kids[last].Kids, stray...)
			made.Kids[last].To = child.End
		}
	}
	if len(made.Kids) > 0 {
		b.add(made)
	}
}

// quote adds blockquote.
func (b *builder) quote(n *storage.Node) {
	kids := b.r.children(n)
	if panel := n.Attr("data-panel"); b.r.opt.HTML && page.Panel(panel) {
		b.add(page.Block{Kind: page.Alert, Name: panel, Title: page.OneLine(n.Attr("title")), Kids: kids})
	} else if len(kids) > 0 {
		b.add(page.Block{Kind: page.Quote, Kids: kids})
	}
}

// table adds a table; what stands in it outside of cells (a caption, say) goes before it.
func (b *builder) table(n *storage.Node) {
	t := &page.Table{}
	before := b.r.rows(n, t)
	b.flush()
	b.blocks = append(b.blocks, before...)
	if len(t.Rows) > 0 {
		b.add(page.Block{Kind: page.Grid, Table: t})
	}
}

// rows adds the rows of a table or of a part of it, and answers what stands beside them.
func (r *reader) rows(n *storage.Node, t *page.Table) (stray []page.Block) {
	t.Rows = slices.Grow(t.Rows, count(n, "tr"))
	for child := n.First; child != nil; child = child.Next {
		switch {
		case child.Kind == storage.Element && (child.Name == "thead" || child.Name == "tbody" || child.Name == "tfoot"):
			stray = append(stray, r.rows(child, t)...)
		case child.Kind == storage.Element && child.Name == "tr":
			row, more := r.row(child)
			stray = append(stray, more...)
			if len(row) > 0 {
				t.Rows = append(t.Rows, page.Row{Cells: row, From: child.Start, To: child.End})
			}
		default:
			stray = append(stray, r.alone(child)...)
		}
	}
	return stray
}

// row gathers the cells of a row, and what stands beside them.
func (r *reader) row(n *storage.Node) (row []page.Cell, stray []page.Block) {
	row = make([]page.Cell, 0, count(n, "td")+count(n, "th"))
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && (child.Name == "td" || child.Name == "th") {
			made := page.Cell{
				Head: child.Name == "th", Align: r.alignment(child), Colspan: reach(child.Attr("colspan")), Rowspan: reach(child.Attr("rowspan")),
				Kids: r.children(child), From: child.Start, To: child.End,
			}
			if made.Align == 0 && len(made.Kids) > 0 {
				made.Align = made.Kids[0].Align
			}
			if child.Attr("data-highlight-colour") != "" {
				r.flatten("colour")
			}
			row = append(row, made)
			continue
		}
		stray = append(stray, r.alone(child)...)
	}
	return row, stray
}

// count is the number of children of that name.
func count(n *storage.Node, name string) int {
	found := 0
	for c := n.First; c != nil; c = c.Next {
		if c.Name == name {
			found++
		}
	}
	return found
}

// reach reads colspan and rowspan.
func reach(value string) int {
	if value == "" {
		return 1
	}
	if n, err := strconv.Atoi(value); err == nil && n > 1 && n <= 1000 {
		return n
	}
	return 1
}
