package rewriting

import (
	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/printing"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/writing"
)

// write writes a part that is new.
func (r *rewriter) write(p part, inner bool) string {
	switch {
	case p.row != nil:
		return r.pieces.Row(p.row)
	case p.cell != nil:
		return r.pieces.Cell(p.cell)
	case p.block.Kind == page.Item:
		return r.pieces.Item(p.block)
	}
	return r.pieces.Block(p.block, inner)
}

// part writes what a part became: with the bytes that it had, as far as possible.
func (r *rewriter) part(was, edited part, in area) string {
	var text string
	var ok bool
	below := area{depth: in.depth + 1, inner: in.inner, pipes: in.pipes}
	switch {
	case was.row != nil:
		text, ok = r.row(was.row, edited.row, below)
	case was.cell != nil:
		text, ok = r.cell(was.cell, edited.cell, below)
	default:
		text, ok = r.block(was.block, edited.block, below)
	}
	if !ok {
		return r.write(edited, in.inner)
	}
	return text
}

// block writes what a block became. It reports false where it has to be written as a whole.
func (r *rewriter) block(was, edited *page.Block, in area) (string, bool) {
	if was.Kind == page.Paragraph || was.Kind == page.Heading {
		return r.text(was, edited, in)
	}
	n := r.element(was.From, was.To)
	if was.Kind == page.Item {
		return r.item(was, edited, in)
	}
	if n == nil {
		return "", false
	}
	switch was.Kind {
	case page.Rule:
		return n.Raw(), true
	case page.List:
		return r.list(n, was, edited, in)
	case page.Grid:
		return r.table(n, was.Table, edited.Table, in)
	case page.Code:
		return r.code(n, was, edited)
	case page.Quote, page.Alert, page.Details, page.Frame:
		return r.frame(n, was, edited, in)
	}
	return "", false
}

// around writes an element whose body changed: everything up to its inside, the new inside, everything behind.
func (r *rewriter) around(n, body *storage.Node, inside string) string {
	return r.source[n.Start:body.InnerStart] + inside + r.source[body.InnerEnd:n.End]
}

// code writes what the code in a macro became.
func (r *rewriter) code(n *storage.Node, was, edited *page.Block) (string, bool) {
	if n.Name == "pre" && n.InnerStart < n.End && edited.Name+edited.Info == "" {
		return r.around(n, n, r.pieces.Text(edited.Code)), true
	}
	body := n.Child("ac:plain-text-body")
	if body == nil || was.Name != edited.Name || was.Info != edited.Info {
		return "", false
	}
	return r.around(n, body, r.pieces.Plain(edited.Code)), true
}

// frame writes what is in a quote, a panel, an expand or a frame anew.
func (r *rewriter) frame(n *storage.Node, was, edited *page.Block, in area) (string, bool) {
	if n.Name == "p" || was.Kind == page.Alert && was.Name != edited.Name {
		return "", false
	}
	body := reading.Body(n)
	if body == nil || body.InnerStart == n.End { // <blockquote/> has no inside
		return "", false
	}
	if body.Name == "ac:plain-text-body" {
		return r.around(n, body, r.pieces.Plain(writing.Plain(edited.Kids))), true
	}
	in.from, in.to, in.inner = body.InnerStart, body.InnerEnd, false
	inside, ok := r.region(blockParts(was.Kids), blockParts(edited.Kids), in)
	if !ok {
		return "", false
	}
	head := r.source[n.Start:body.InnerStart]
	if was.Title != edited.Title {
		if head, ok = r.titled(n, body, edited.Title); !ok {
			return "", false
		}
	}
	tail := r.source[body.InnerEnd:n.End]
	if fallback := n.Child("ac:adf-fallback"); fallback != nil && fallback.Start >= body.InnerEnd { // it repeats what was
		tail = r.source[body.InnerEnd:fallback.Start] + r.source[fallback.End:n.End]
	}
	return head + inside + tail, true
}

// titled is what is before the body of a macro, with another title.
func (r *rewriter) titled(n, body *storage.Node, title string) (string, bool) {
	value := macro.Parameter(n, "title")
	if n.Name == "ac:adf-extension" {
		value = macro.Attribute(n.Child("ac:adf-node"), "title")
	}
	if value == nil || title == "" || value.End > body.Start || value.InnerStart == value.End {
		return "", false
	}
	return r.source[n.Start:value.InnerStart] + r.pieces.Text(title) + r.source[value.InnerEnd:body.InnerStart], true
}

// list writes what the items of a list became.
func (r *rewriter) list(n *storage.Node, was, edited *page.Block, in area) (string, bool) {
	body := n
	if n.Name == "ac:adf-extension" {
		body = n.Child("ac:adf-node")
	}
	if body == nil || was.Ordered && was.Level != edited.Level || len(was.Kids) == 0 || n.Child("ac:adf-fallback") != nil {
		return "", false
	}
	for i := range edited.Kids {
		if !writing.SameKind(&edited.Kids[i], &was.Kids[0]) || was.Ordered && edited.Kids[i].Task != 0 {
			return "", false
		}
	}
	in.from, in.to, in.inner = body.InnerStart, body.InnerEnd, true
	inside, ok := r.region(blockParts(was.Kids), blockParts(edited.Kids), in)
	return r.around(n, body, inside), ok
}

// item writes what an item became. A list that stands beside the item, not in it, belongs to it all the same.
func (r *rewriter) item(was, edited *page.Block, in area) (string, bool) {
	n := r.nodes[was.From]
	if n == nil || n.Kind != storage.Element || n.End > was.To || edited.Name != "" && edited.Name != was.Name {
		return "", false
	}
	body := n
	head := r.source[n.Start:n.InnerStart]
	switch n.Name {
	case "li":
	case "ac:task":
		state := n.Child("ac:task-status")
		body = n.Child("ac:task-body")
		if body == nil || state == nil || state.End > body.Start || body.InnerStart == n.End {
			return "", false
		}
		head = r.source[n.Start:body.InnerStart]
		if was.Task != edited.Task {
			head = r.source[n.Start:state.InnerStart] + writing.State(edited.Task) + r.source[state.InnerEnd:body.InnerStart]
		}
		if was.Name != "" {
			r.pieces.Keep(was.Name)
		}
	case "ac:adf-node":
		body = n.Child("ac:adf-content")
		if body == nil || was.Task != edited.Task {
			return "", false
		}
		head = r.source[n.Start:body.InnerStart]
	default:
		return "", false
	}
	if body.InnerStart == body.End { // <li/> has no inside
		return "", false
	}
	kids, beside := was.Kids, []page.Block(nil)
	for len(kids) > 0 && kids[len(kids)-1].From >= n.End {
		kids, beside = kids[:len(kids)-1], was.Kids[len(kids)-1:]
	}
	split := len(edited.Kids) - len(beside)
	if split < 0 {
		return "", false
	}
	in.inner = true
	in.from, in.to = body.InnerStart, body.InnerEnd
	inside, ok := r.region(blockParts(kids), blockParts(edited.Kids[:split]), in)
	if !ok {
		return "", false
	}
	in.from, in.to = n.End, was.To
	behind, ok := r.region(blockParts(beside), blockParts(edited.Kids[split:]), in)
	return head + inside + r.source[body.InnerEnd:n.End] + behind, ok
}

// table writes what the rows of a table became.
func (r *rewriter) table(n *storage.Node, was, edited *page.Table, in area) (string, bool) {
	pipes := printing.Pipes(was)
	if pipes != printing.Pipes(edited) || len(was.Rows) == 0 {
		return "", false
	}
	columns := width(was)
	for i := 0; pipes && i < max(columns, width(edited)); i++ {
		if printing.Ruler(was, i) != printing.Ruler(edited, i) && i < columns {
			return "", false
		}
	}
	in.pipes = pipes
	in.from, in.to, in.inner = was.Rows[0].From, was.Rows[len(was.Rows)-1].To, true
	if in.from < n.InnerStart || in.to > n.InnerEnd {
		return "", false
	}
	inside, ok := r.region(rowParts(was.Rows, pipes), rowParts(edited.Rows, pipes), in)
	head := r.source[n.Start:in.from]
	if widths := n.Child("colgroup"); widths != nil && widths.End <= in.from && columns != width(edited) {
		head = r.source[n.Start:widths.Start] + r.source[widths.End:in.from]
	}
	return head + inside + r.source[in.to:n.End], ok
}

// width is the number of columns of a table.
func width(t *page.Table) int {
	widest := 0
	for _, row := range t.Rows {
		columns := 0
		for _, c := range row.Cells {
			columns += c.Colspan
		}
		widest = max(widest, columns)
	}
	return widest
}

// row writes what the cells of a row became: each cell what the one in its place was, if there are as many.
func (r *rewriter) row(was, edited *page.Row, in area) (string, bool) {
	n := r.element(was.From, was.To)
	if n == nil || len(was.Cells) == 0 {
		return "", false
	}
	in.from, in.to = n.InnerStart, n.InnerEnd
	old, now := cellParts(was.Cells, in.pipes), cellParts(edited.Cells, in.pipes)
	if len(old) != len(now) {
		inside, ok := r.region(old, now, in)
		return r.around(n, n, inside), ok
	}
	groups, ok := r.groups(old, in)
	if !ok || len(groups) != len(old) {
		return "", false
	}
	e := emission{rewriter: r, area: in, at: n.Start}
	for i := range old {
		e.copy(old[i].from)
		if old[i].key == now[i].key && sameFrame(old[i].cell, now[i].cell) {
			e.copy(old[i].to)
			continue
		}
		e.out.WriteString(r.part(old[i], now[i], in))
		e.at = old[i].to
	}
	e.copy(n.End)
	return e.out.String(), true
}

// sameFrame reports whether two cells are of the same kind and size.
func sameFrame(a, b *page.Cell) bool {
	return a.Head == b.Head && a.Colspan == b.Colspan && a.Rowspan == b.Rowspan
}

// cell writes what is in a cell anew.
func (r *rewriter) cell(was, edited *page.Cell, in area) (string, bool) {
	n := r.element(was.From, was.To)
	if n == nil || !sameFrame(was, edited) || n.InnerStart == n.End || !in.pipes && was.Align != edited.Align && was.Align+edited.Align != 'l' {
		return "", false
	}
	kids := edited.Kids
	if len(was.Kids) > 1 && len(kids) == 1 {
		kids = lines(kids[0], len(was.Kids))
	}
	in.from, in.to, in.inner = n.InnerStart, n.InnerEnd, true
	inside, ok := r.region(blockParts(was.Kids), blockParts(kids), in)
	return r.around(n, n, inside), ok
}

// lines parts a paragraph at its breaks, if that makes as many as are wanted: Markdown has one line for a cell.
func lines(b page.Block, wanted int) []page.Block {
	if b.Kind != page.Paragraph {
		return []page.Block{b}
	}
	out := []page.Block{{Kind: page.Paragraph}}
	for _, s := range b.Text {
		if s.Kind == page.Break {
			out = append(out, page.Block{Kind: page.Paragraph})
			continue
		}
		last := &out[len(out)-1]
		last.Text = append(last.Text, s)
	}
	if len(out) != wanted {
		return []page.Block{b}
	}
	for i := range out {
		if len(out[i].Text) == 0 {
			return []page.Block{b}
		}
	}
	return out
}
