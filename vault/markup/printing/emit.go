// Package printing writes a page as Markdown: CommonMark with GFM's tables, strikethrough, task lists and alerts.
//
// Text is escaped where Markdown would take it for markup, and no more. Where CommonMark's rules leave no room for its own
// marks (a bold word part beside punctuation), and for tables that pipes cannot carry, HTML is written that
// vault/markup/parsing takes back. Time and output are linear: what is nested deeper than a dozen levels is shown at that
// level.
package printing

import (
	"bytes"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"strconv"
	"strings"
)

// maxDepth bounds nested quotes, lists and expands. What is nested deeper is shown at that depth.
const maxDepth = 12

// Print writes blocks as Markdown. It ends with a line end, unless there is nothing to write.
func Print(blocks []page.Block) string {
	e := emitter{out: make([]byte, 0, size(blocks))}
	e.line.emitter = &e
	e.blocks(blocks, false)
	if len(e.out) > 0 {
		e.out = append(e.out, '\n')
	}
	return string(e.out)
}

// emitter writes Markdown.
type emitter struct {
	out    []byte
	prefix []byte // before each line: "> ", two spaces for a list, …
	depth  int    // of containers around
	cell   bool   // inside a pipe table
	tail   string // behind the paragraph that comes next
	line   inliner
}

// size is about how long blocks become, in bytes.
func size(blocks []page.Block) int {
	n := 0
	for i := range blocks {
		b := &blocks[i]
		n += 24 + len(b.Title) + len(b.Name) + len(b.Info) + len(b.Code) + size(b.Kids)
		for j := range b.Text {
			n += 8 + len(b.Text[j].Text)
			if l := b.Text[j].Link; l != nil {
				n += len(l.Target)
			}
		}
		if b.Table == nil {
			continue
		}
		for _, row := range b.Table.Rows {
			for j := range row.Cells {
				n += size(row.Cells[j].Kids)
			}
		}
	}
	return n
}

func (e *emitter) str(text string) { e.out = append(e.out, text...) }

// newline begins a line.
func (e *emitter) newline() {
	e.out = append(e.out, '\n')
	e.out = append(e.out, e.prefix...)
}

// blank puts an empty line in between and begins a line.
func (e *emitter) blank() {
	e.out = append(e.out, '\n')
	e.out = append(e.out, bytes.TrimRight(e.prefix, " ")...)
	e.newline()
}

// blocks writes blocks below each other, starting on the line at hand.
func (e *emitter) blocks(list []page.Block, tight bool) {
	if e.depth >= maxDepth {
		list = unframe(list, nil)
	}
	e.depth++
	defer func() { e.depth-- }()
	var again markers
	for i := range list {
		if i > 0 && tight {
			e.newline()
		} else if i > 0 {
			e.blank()
		}
		e.block(&list[i], i > 0 || len(e.prefix) == 0, again.next(list, i))
	}
}

// unframe replaces containers by what is in them.
func unframe(list, out []page.Block) []page.Block {
	for i := range list {
		switch b := &list[i]; b.Kind {
		case page.Frame:
			out = append(out, token(b.Name))
			out = append(unframe(b.Kids, out), token(page.Closing(b.Name)))
		case page.List, page.Item, page.Quote, page.Alert, page.Details, page.Note:
			if b.Title != "" {
				out = append(out, page.Block{Kind: page.Paragraph, Text: []page.Span{{Text: b.Title}}})
			}
			out = unframe(b.Kids, out)
		default:
			out = append(out, *b)
		}
	}
	return out
}

// token is a paragraph with nothing but a placeholder.
func token(inside string) page.Block {
	return page.Block{Kind: page.Paragraph, Text: []page.Span{{Kind: page.Token, Text: inside}}}
}

// markers alternates the bullets of lists that follow each other, which would be one list otherwise.
type markers struct{ other bool }

// next reports whether the list at i, if it is one, takes the other marker.
func (m *markers) next(list []page.Block, i int) bool {
	if list[i].Kind != page.List {
		return false
	}
	m.other = i > 0 && list[i-1].Kind == page.List && list[i-1].Ordered == list[i].Ordered && !m.other
	return m.other
}

// block writes one block. fresh says that it does not stand on the line of a list's bullet.
func (e *emitter) block(b *page.Block, fresh, other bool) {
	switch b.Kind {
	case page.Paragraph:
		tail := e.tail
		e.tail = ""
		e.inline(b.Text, true)
		e.str(tail)
	case page.Heading:
		e.heading(b)
	case page.List:
		e.list(b, other)
	case page.Item:
		e.blocks(b.Kids, false)
	case page.Quote:
		e.inset("> ", func() {
			e.str("> ")
			e.blocks(b.Kids, false)
		})
	case page.Alert:
		e.alert(b)
	case page.Details:
		e.str("<details>")
		if b.Title != "" {
			e.newline()
			e.str("<summary>" + escapeHTML(b.Title) + "</summary>")
		}
		if len(b.Kids) > 0 {
			e.blank()
			e.blocks(b.Kids, false)
		}
		e.blank()
		e.str("</details>")
	case page.Code:
		e.code(b)
	case page.Rule:
		if fresh {
			e.str("---")
		} else {
			e.str("___")
		}
	case page.Grid:
		e.grid(b.Table)
	case page.Frame:
		e.frame(b)
	case page.Note:
		e.str("[^" + b.Name + "]: ")
		if len(b.Kids) == 0 || b.Kids[0].Kind != page.Paragraph {
			e.str(nothing)
		}
		e.inset("    ", func() {
			if len(b.Kids) > 0 && b.Kids[0].Kind != page.Paragraph {
				e.blank()
			}
			e.blocks(b.Kids, false)
		})
	}
}

// frame writes blocks between two placeholders.
func (e *emitter) frame(b *page.Block) {
	opening, closing := token(b.Name), token(page.Closing(b.Name))
	e.inline(opening.Text, true)
	e.blank()
	e.blocks(b.Kids, false)
	e.blank()
	e.inline(closing.Text, true)
}

// inset writes something whose further lines begin with more.
func (e *emitter) inset(more string, write func()) {
	size := len(e.prefix)
	e.prefix = append(e.prefix, more...)
	write()
	e.prefix = e.prefix[:size]
}

// heading writes a heading in one line: breaks in it become tags.
func (e *emitter) heading(b *page.Block) {
	for range b.Level {
		e.out = append(e.out, '#')
	}
	e.out = append(e.out, ' ')
	start := len(e.out)
	cell := e.cell
	e.inline(b.Text, false)
	e.cell = cell
	// A closing run of # would be taken for decoration.
	text := e.out[start:]
	if bare := bytes.TrimRight(text, "#"); len(bare) < len(text) && (len(bare) == 0 || bare[len(bare)-1] == ' ') {
		e.out = append(e.out[:start+len(bare)], '\\')
		e.out = append(e.out, strings.Repeat("#", len(text)-len(bare))...)
	}
}

// alert writes a panel. Its title stands behind the mark, where GitHub shows it as text and we read it back.
func (e *emitter) alert(b *page.Block) {
	e.inset("> ", func() {
		e.str("> [!" + alertName(b.Name) + "]")
		if b.Title != "" {
			e.str(" ")
			e.text(b.Title, around{before: ' ', after: '\n'})
		}
		if len(b.Kids) == 0 {
			return
		}
		if b.Kids[0].Kind == page.Paragraph {
			e.newline()
		} else {
			e.blank()
		}
		e.blocks(b.Kids, false)
	})
}

// alertName is the alert that stands for a macro: GitHub's word where there is one of like colour, else the macro's own.
func alertName(macro string) string {
	switch macro {
	case "info":
		return "NOTE"
	case "tip":
		return "TIP"
	case "note":
		return "WARNING"
	case "warning":
		return "CAUTION"
	}
	return strings.ToUpper(macro)
}

// code writes a fence that is longer than all runs of its mark within the code.
func (e *emitter) code(b *page.Block) {
	fence, mark := 3, byte('`')
	if strings.IndexByte(b.Info, '`') >= 0 || strings.IndexByte(b.Name, '`') >= 0 {
		mark = '~' // the words behind a fence of backticks must hold none
	}
	run := 0
	for i := 0; i < len(b.Code); i++ {
		if b.Code[i] != mark {
			run = 0
			continue
		}
		run++
		fence = max(fence, run+1)
	}
	bar := strings.Repeat(string(mark), fence)
	e.str(bar)
	e.str(b.Name)
	if b.Info != "" {
		if b.Name != "" {
			e.str(" ")
		}
		e.str(b.Info)
	}
	if b.Code != "" {
		for line := range strings.SplitSeq(b.Code, "\n") {
			// In a list, goldmark drops the space of a line that holds nothing else.
			if line == "" || len(e.prefix) > 0 && strings.Trim(line, " \t") == "" {
				e.out = append(e.out, '\n')
				e.out = append(e.out, bytes.TrimRight(e.prefix, " ")...)
				continue
			}
			e.newline()
			e.str(line)
		}
	}
	e.newline()
	e.str(bar)
}

// list writes the items of a list; other asks for the second kind of marker.
func (e *emitter) list(b *page.Block, other bool) {
	tight := tightList(b, e.depth)
	number := b.Level
	if number+len(b.Kids) > 999_999_999 {
		number = 1
	}
	for i := range b.Kids {
		if i > 0 && tight {
			e.newline()
		} else if i > 0 {
			e.blank()
		}
		e.item(&b.Kids[i], marker(b.Ordered, other, number+i), tight)
	}
}

// marker is what stands before an item.
func marker(ordered, other bool, number int) string {
	switch {
	case ordered && other:
		return strconv.Itoa(number) + ") "
	case ordered:
		return strconv.Itoa(number) + ". "
	case other:
		return "* "
	}
	return "- "
}

// nothing stands where Markdown wants some text and there is none.
const nothing = "&nbsp;"

func (e *emitter) item(b *page.Block, bullet string, tight bool) {
	e.inset("               "[:len(bullet)], func() {
		e.str(bullet)
		if b.Task != 0 {
			e.str("[" + string(b.Task) + "] ")
		}
		if b.Task != 0 && b.Name != "" {
			e.tail = " <!-- task " + b.Name + " -->"
		}
		// A bare bullet could be taken for a line under a heading, or for a rule.
		if len(b.Kids) == 0 || b.Task != 0 && b.Kids[0].Kind != page.Paragraph {
			e.str(nothing + e.tail)
			e.tail = ""
			if len(b.Kids) == 0 {
				return
			}
			e.blank()
		}
		e.blocks(b.Kids, tight)
	})
}

// tightList reports whether a list needs no empty lines: each item is one paragraph, with at most a tight list below it.
func tightList(b *page.Block, depth int) bool {
	for i := range b.Kids {
		kids := b.Kids[i].Kids
		if len(kids) > 0 && kids[0].Kind == page.Paragraph {
			kids = kids[1:]
		}
		if len(kids) > 1 || len(kids) == 1 && (kids[0].Kind != page.List || depth >= maxDepth || !tightList(&kids[0], depth+1)) {
			return false
		}
		// Only a list that begins with 1 may interrupt a paragraph.
		if len(kids) == 1 && len(b.Kids[i].Kids) == 2 && kids[0].Ordered && kids[0].Level != 1 {
			return false
		}
		if len(kids) == 1 && b.Kids[i].Task != 0 && len(b.Kids[i].Kids) == 1 {
			return false
		}
	}
	return true
}
