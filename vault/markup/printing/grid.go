package printing

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// grid writes a table: with pipes where Markdown can carry it, else as HTML.
func (e *emitter) grid(t *page.Table) {
	if !Pipes(t) {
		h := markupWriter{out: e.out, prefix: e.prefix}
		h.table(t)
		e.out = h.out
		return
	}
	rows := t.Rows
	width := 0
	for _, row := range rows {
		width = max(width, len(row.Cells))
	}
	var head []page.Cell
	if allHead(rows[0].Cells) {
		head, rows = rows[0].Cells, rows[1:]
	}
	// Without a heading row, a column of headings shows as bold text; the way back knows.
	boldFirst := head == nil
	e.row(head, width, false)
	e.newline()
	e.str("|")
	for i := range width {
		e.str(" " + Ruler(t, i) + " |")
	}
	for _, row := range rows {
		e.newline()
		e.row(row.Cells, width, boldFirst)
	}
}

// Ruler is the part of the line below the headings that aligns a column, if its cells agree.
func Ruler(t *page.Table, column int) string {
	var a byte
	known := false
	for _, row := range t.Rows {
		if column >= len(row.Cells) || void(row.Cells[column]) {
			continue
		}
		here := row.Cells[column].Align
		if known && here != a {
			return "---"
		}
		a, known = here, true
	}
	switch a {
	case 'l':
		return ":--"
	case 'c':
		return ":-:"
	case 'r':
		return "--:"
	}
	return "---"
}

func void(c page.Cell) bool { return len(c.Kids) == 0 }

// allHead reports whether a row is one of headings.
func allHead(row []page.Cell) bool {
	for _, c := range row {
		if !c.Head {
			return false
		}
	}
	return true
}

// Pipes reports whether pipes can carry the table: no merged cells, nothing but paragraphs in them, headings only in the
// first row or, if all of the first column is, there.
func Pipes(t *page.Table) bool {
	for i, row := range t.Rows {
		for j, c := range row.Cells {
			if c.Colspan > 1 || c.Rowspan > 1 {
				return false
			}
			for k := range c.Kids {
				if c.Kids[k].Kind != page.Paragraph {
					return false
				}
			}
			if c.Head && i > 0 && (j > 0 || allHead(t.Rows[0].Cells)) {
				return false
			}
			if c.Head && i == 0 && j > 0 && !allHead(row.Cells) {
				return false
			}
		}
	}
	if first := t.Rows[0].Cells; !allHead(first) {
		for _, row := range t.Rows {
			if row.Cells[0].Head != first[0].Head {
				return false
			}
		}
	}
	return true
}

// row writes the cells of a row, and empty ones up to width: parsers drop what is more than the first row has.
func (e *emitter) row(cells []page.Cell, width int, boldFirst bool) {
	e.cell = true
	e.str("|")
	for i := range width {
		e.str(" ")
		if i < len(cells) {
			e.cellText(cells[i], boldFirst && i == 0 && cells[i].Head)
		}
		if e.out[len(e.out)-1] != ' ' {
			e.str(" ")
		}
		e.str("|")
	}
	e.cell = false
}

// cellText writes the content of a cell in one line; paragraphs become lines.
func (e *emitter) cellText(c page.Cell, bold bool) {
	var spans []page.Span
	for i := range c.Kids {
		if i > 0 {
			spans = append(spans, page.Span{Kind: page.Break})
		}
		spans = append(spans, c.Kids[i].Text...)
	}
	if bold {
		for i := range spans {
			if spans[i].Kind != page.Break {
				spans[i].Marks |= page.Strong
			}
		}
	}
	if bold || len(c.Kids) > 1 {
		var s page.Settler
		spans = s.Settle(spans)
	}
	e.inline(spans, false)
	// A backslash before the pipe would escape it.
	if n := len(e.out); n > 0 && e.out[n-1] == '\\' && !strings.HasSuffix(string(e.out[max(0, n-2):]), `\\`) {
		e.str(" ")
	}
}
