// Package writing writes a page in Confluence's storage format.
//
// What it writes is well-formed, whatever is in the page: text and attributes are escaped, CDATA sections are split where
// their own end mark stands in the text, characters that XML cannot carry are left out. It writes those elements and
// macros only that a block or span of the page stands for.
package writing

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Options tune the writing.
type Options struct {
	// Original answers the storage format that a placeholder, as it stands in the Markdown, was made for. Without it, or
	// where it does not know or what it answers is not well-formed, placeholders are written as the text they are: they
	// name a construct without holding it, so anything else would be a guess.
	Original func(placeholder string) (storage string, ok bool)
	// Beside is storage format that will stand beside what is written: tasks get numbers that none there has.
	Beside string
}

// Write writes blocks.
func Write(blocks []page.Block, opt Options) string {
	w := newWriter(opt)
	w.number(blocks)
	w.blocks(blocks)
	return w.out.String()
}

// writer appends storage format.
type writer struct {
	out   strings.Builder
	opt   Options
	tasks int             // the highest number of a task so far
	taken map[string]bool // numbers that tasks have already
	depth int             // of marked text in marked text
	inner int             // lists and cells around, where what stands beside each other would be one paragraph
}

func newWriter(opt Options) *writer {
	w := &writer{opt: opt, taken: map[string]bool{}}
	if opt.Original != nil {
		w.opt.Original = limited(opt.Original)
	}
	w.numbered(opt.Beside)
	return w
}

// maxRestored bounds what placeholders are put back as, with what is tried in vain: a short text may name a large macro
// many times. It is far beyond what Confluence takes.
const maxRestored = 8 * storage.MaxSize

// limited is original until it has answered so many bytes.
func limited(original func(string) (string, bool)) func(string) (string, bool) {
	left := maxRestored
	return func(placeholder string) (string, bool) {
		text, ok := original(placeholder)
		if left -= len(text); left < 0 {
			return "", false
		}
		return text, ok
	}
}

func (w *writer) str(text string) { w.out.WriteString(text) }

// text writes characters, between tags or in an attribute.
func (w *writer) text(text string) { w.str(storage.Escape(clean(text))) }

// clean drops what XML cannot carry; percent-encoded addresses may hold anything.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "")
	}
	if strings.IndexFunc(text, forbidden) < 0 {
		return text
	}
	return strings.Map(func(r rune) rune {
		if forbidden(r) {
			return -1
		}
		return r
	}, text)
}

// forbidden reports characters outside of XML 1.0.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' || r == 0xfffe || r == 0xffff
}

// element writes an element around what inside writes.
func (w *writer) element(name string, inside func()) {
	w.str("<" + name + ">")
	inside()
	w.str("</" + name + ">")
}

func (w *writer) blocks(list []page.Block) {
	for i := range list {
		w.block(&list[i])
	}
}

// block writes one block.
func (w *writer) block(b *page.Block) {
	switch b.Kind {
	case page.Paragraph:
		w.paragraph(b, b.Align)
	case page.Heading:
		w.element(Level(b), func() { w.spans(b.Text) })
	case page.List:
		w.list(b)
	case page.Item:
		w.blocks(b.Kids)
	case page.Quote:
		w.element("blockquote", func() { w.blocks(b.Kids) })
	case page.Alert:
		w.panel(b.Name, b)
	case page.Details:
		w.panel("expand", b)
	case page.Code:
		w.code(b)
	case page.Rule:
		w.str("<hr />")
	case page.Grid:
		w.table(b.Table)
	case page.Frame:
		w.frame(b)
	case page.Note:
		w.note(b)
	}
}

// paragraph writes p; an image or a macro that stands alone needs none.
func (w *writer) paragraph(b *page.Block, align byte) {
	if w.inner == 0 && len(b.Text) == 1 && (b.Text[0].Kind == page.Picture || w.original(b.Text[0]) != "") && b.Text[0].Link == nil && align == 0 {
		w.spans(b.Text)
		return
	}
	w.str("<p")
	if b.Indent {
		w.str(` style="margin-left: 30.0px;"`)
	}
	switch align {
	case 'c':
		w.str(` style="text-align: center;"`)
	case 'r':
		w.str(` style="text-align: right;"`)
	case 'l':
		w.str(` style="text-align: left;"`)
	}
	w.str(">")
	w.spans(b.Text)
	w.str("</p>")
}

// list writes ul and ol. Tasks have lists of their own in Confluence, so a mixed list becomes several.
func (w *writer) list(b *page.Block) {
	if b.Ordered {
		w.items("ol", b.Level, b.Kids)
		return
	}
	for from := 0; from < len(b.Kids); {
		kind, to := kindOf(b.Kids[from].Task), from
		for to < len(b.Kids) && kindOf(b.Kids[to].Task) == kind {
			to++
		}
		switch kind {
		case taskItem:
			w.taskList(b.Kids[from:to])
		case decisionItem:
			w.decisions(b.Kids[from:to])
		default:
			w.items("ul", 1, b.Kids[from:to])
		}
		from = to
	}
}

// itemKind tells apart the items that have lists of their own.
type itemKind byte

const (
	plainItem itemKind = iota
	taskItem
	decisionItem
)

func kindOf(task byte) itemKind {
	switch task {
	case 0:
		return plainItem
	case '!', '?':
		return decisionItem
	}
	return taskItem
}

// items writes the items of ul and ol, each with paragraphs as Confluence's editor has them.
func (w *writer) items(tag string, start int, items []page.Block) {
	w.inner++
	defer func() { w.inner-- }()
	w.str("<" + tag)
	if start != 1 {
		w.str(` start="` + strconv.Itoa(start) + `"`)
	}
	w.str(">")
	for i := range items {
		w.item(&items[i])
	}
	w.str("</" + tag + ">")
}

func (w *writer) item(b *page.Block) {
	w.str("<li>")
	kids := b.Kids
	if b.Task != 0 { // Confluence has no numbered tasks
		kids = boxed(b.Task, kids)
	}
	if len(kids) == 0 {
		w.str("<p />")
	}
	w.blocks(kids)
	w.str("</li>")
}

// boxed puts the box of a task before its text.
func boxed(task byte, kids []page.Block) []page.Block {
	text := []page.Span{{Text: "[" + string(task) + "] "}}
	if len(kids) > 0 && kids[0].Kind == page.Paragraph {
		text = append(text, kids[0].Text...)
		kids = kids[1:]
	}
	return append([]page.Block{{Kind: page.Paragraph, Text: text}}, kids...)
}

// table writes a table; Confluence knows no thead.
func (w *writer) table(t *page.Table) {
	w.inner++
	defer func() { w.inner-- }()
	w.str("<table><tbody>")
	for i := range t.Rows {
		w.row(&t.Rows[i])
	}
	w.str("</tbody></table>")
}

func (w *writer) row(row *page.Row) {
	w.str("<tr>")
	for i := range row.Cells {
		w.cell(&row.Cells[i])
	}
	w.str("</tr>")
}

// cell writes td or th; alignment is one of its paragraphs.
func (w *writer) cell(c *page.Cell) {
	tag := "td"
	if c.Head {
		tag = "th"
	}
	w.str("<" + tag)
	if c.Colspan > 1 {
		w.str(` colspan="` + strconv.Itoa(c.Colspan) + `"`)
	}
	if c.Rowspan > 1 {
		w.str(` rowspan="` + strconv.Itoa(c.Rowspan) + `"`)
	}
	w.str(">")
	if len(c.Kids) == 0 {
		w.str("<p />")
	}
	for i := range c.Kids {
		if c.Kids[i].Kind == page.Paragraph {
			w.paragraph(&c.Kids[i], c.Align)
			continue
		}
		w.block(&c.Kids[i])
	}
	w.str("</" + tag + ">")
}
