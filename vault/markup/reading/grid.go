package reading

import "strings"

// grid writes a table: with pipes where Markdown can carry it, else as HTML.
func (e *emitter) grid(t *table) {
	if !t.simple() {
		h := markupWriter{out: e.out, prefix: e.prefix}
		h.table(t)
		e.out = h.out
		return
	}
	rows := t.rows
	width := 0
	for _, row := range rows {
		width = max(width, len(row))
	}
	var head []cell
	if allHead(rows[0]) {
		head, rows = rows[0], rows[1:]
	}
	// Without a heading row, a column of headings shows as bold text; the way back knows.
	boldFirst := head == nil
	e.row(head, width, false)
	e.newline()
	e.str("|")
	for i := range width {
		e.str(rulerOf(t, i))
	}
	for _, row := range rows {
		e.newline()
		e.row(row, 0, boldFirst)
	}
}

func rulerOf(t *table, column int) string {
	var a byte
	for i, row := range t.rows {
		if column >= len(row) {
			continue
		}
		if here := row[column].align; i > 0 && here != a && !row[column].void() {
			return " --- |"
		} else if i == 0 {
			a = here
		}
	}
	switch a {
	case 'l':
		return " :-- |"
	case 'c':
		return " :-: |"
	case 'r':
		return " --: |"
	}
	return " --- |"
}

func (c cell) void() bool { return len(c.kids) == 0 }

func allHead(row []cell) bool {
	for _, c := range row {
		if !c.head {
			return false
		}
	}
	return true
}

// simple reports whether pipes can carry the table: no merged cells, nothing but paragraphs in them, headings only in the
// first row or, if all of the first column is, there.
func (t *table) simple() bool {
	for i, row := range t.rows {
		for j, c := range row {
			if c.colspan > 1 || c.rowspan > 1 {
				return false
			}
			for k := range c.kids {
				if c.kids[k].kind != paragraph {
					return false
				}
			}
			if c.head && i > 0 && (j > 0 || allHead(t.rows[0])) {
				return false
			}
			if c.head && i == 0 && j > 0 && !allHead(row) {
				return false
			}
		}
	}
	if !allHead(t.rows[0]) {
		for _, row := range t.rows {
			if row[0].head != t.rows[0][0].head {
				return false
			}
		}
	}
	return true
}

// row writes the cells of a row, at least width.
func (e *emitter) row(cells []cell, width int, boldFirst bool) {
	e.cell = true
	e.str("|")
	for i := range max(len(cells), width) {
		e.str(" ")
		if i < len(cells) {
			e.cellText(cells[i], boldFirst && i == 0 && cells[i].head)
		}
		if e.out[len(e.out)-1] != ' ' {
			e.str(" ")
		}
		e.str("|")
	}
	e.cell = false
}

func (e *emitter) cellText(c cell, bold bool) {
	var spans []span
	for i := range c.kids {
		if i > 0 {
			spans = append(spans, span{kind: lineBreak})
		}
		spans = append(spans, c.kids[i].text...)
	}
	if bold {
		for i := range spans {
			if spans[i].kind != lineBreak {
				spans[i].marks |= strong
			}
		}
		loosen(spans)
		spans = merge(spans)
	}
	e.inline(spans, false)
	// A backslash before the pipe would escape it.
	if n := len(e.out); n > 0 && e.out[n-1] == '\\' && !strings.HasSuffix(string(e.out[max(0, n-2):]), `\\`) {
		e.str(" ")
	}
}
