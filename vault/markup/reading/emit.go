package reading

import (
	"bytes"
	"strconv"
	"strings"
)

// maxPrefix bounds what stands before each line of nested quotes and lists. What is nested deeper is shown at that depth.
const maxPrefix = 40

// emitter writes Markdown.
type emitter struct {
	out    []byte
	prefix []byte // before each line: "> ", two spaces for a list, …
	cell   bool   // inside a pipe table
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
func (e *emitter) blocks(list []block, tight bool) {
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

// markers alternates the bullets of lists that follow each other, which would be one list otherwise.
type markers struct{ other bool }

func (m *markers) next(list []block, i int) bool {
	if list[i].kind != listKind {
		return false
	}
	m.other = i > 0 && list[i-1].kind == listKind && list[i-1].ordered == list[i].ordered && !m.other
	return m.other
}

const listKind = list

// block writes one block. fresh says that it does not stand on the line of a list's bullet.
func (e *emitter) block(b *block, fresh, other bool) {
	switch b.kind {
	case paragraph:
		e.inline(b.text, true)
	case heading:
		e.heading(b)
	case list:
		e.list(b, other)
	case item:
		e.blocks(b.kids, false)
	case quote:
		e.inset("> ", func() {
			e.str("> ")
			e.blocks(b.kids, false)
		})
	case alert:
		e.alert(b)
	case details:
		e.str("<details>")
		if b.title != "" {
			e.newline()
			e.str("<summary>" + escapeHTML(b.title) + "</summary>")
		}
		if len(b.kids) > 0 {
			e.blank()
			e.blocks(b.kids, false)
		}
		e.blank()
		e.str("</details>")
	case code:
		e.code(b)
	case rule:
		if fresh {
			e.str("---")
		} else {
			e.str("___")
		}
	case grid:
		e.grid(b.table)
	}
}

// inset writes something whose further lines begin with more. Beyond the limit they do not.
func (e *emitter) inset(more string, write func()) {
	size := len(e.prefix)
	e.prefix = append(e.prefix, more...)
	write()
	e.prefix = e.prefix[:size]
}

func (e *emitter) deep() bool { return len(e.prefix) >= maxPrefix }

func (e *emitter) heading(b *block) {
	for range b.level {
		e.out = append(e.out, '#')
	}
	e.out = append(e.out, ' ')
	start := len(e.out)
	cell := e.cell
	e.inline(b.text, false)
	e.cell = cell
	// A closing run of # would be taken for decoration.
	text := e.out[start:]
	if bare := bytes.TrimRight(text, "#"); len(bare) < len(text) && (len(bare) == 0 || bare[len(bare)-1] == ' ') {
		e.out = append(e.out[:start+len(bare)], '\\')
		e.out = append(e.out, strings.Repeat("#", len(text)-len(bare))...)
	}
}

func (e *emitter) alert(b *block) {
	e.inset("> ", func() {
		e.str("> [!" + AlertName(b.name) + "]")
		if b.title != "" {
			e.str(" ")
			e.text(b.title, around{before: ' ', after: '\n'})
		}
		if len(b.kids) == 0 {
			return
		}
		if b.kids[0].kind == paragraph {
			e.newline()
		} else {
			e.blank()
		}
		e.blocks(b.kids, false)
	})
}

// AlertName is the alert that stands for a macro: GitHub's word where there is one of like colour, else the macro's own.
func AlertName(macro string) string {
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

func (e *emitter) code(b *block) {
	fence, mark := 3, byte('`')
	if strings.IndexByte(b.info, '`') >= 0 || strings.IndexByte(b.name, '`') >= 0 {
		mark = '~' // the words behind a fence of backticks must hold none
	}
	run := 0
	for i := 0; i < len(b.code); i++ {
		if b.code[i] != mark {
			run = 0
			continue
		}
		run++
		fence = max(fence, run+1)
	}
	bar := strings.Repeat(string(mark), fence)
	e.str(bar)
	e.str(b.name)
	if b.info != "" {
		if b.name != "" {
			e.str(" ")
		}
		e.str(b.info)
	}
	if b.code != "" {
		for line := range strings.SplitSeq(b.code, "\n") {
			if line == "" {
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

func (e *emitter) list(b *block, other bool) {
	tight := tightList(b)
	number := b.level
	if number+len(b.kids) > 999_999_999 {
		number = 1
	}
	for i := range b.kids {
		if i > 0 && tight {
			e.newline()
		} else if i > 0 {
			e.blank()
		}
		e.item(&b.kids[i], marker(b.ordered, other, number+i), tight)
	}
}

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

func (e *emitter) item(b *block, bullet string, tight bool) {
	if e.deep() {
		// As an own paragraph, without bullet: the words count.
		if len(b.kids) > 0 {
			e.blocks(b.kids, false)
		} else {
			e.str("\u200b")
		}
		return
	}
	e.inset("               "[:len(bullet)], func() {
		if len(b.kids) == 0 && b.task == 0 {
			e.str(strings.TrimRight(bullet, " "))
			return
		}
		e.str(bullet)
		if b.task != 0 {
			e.str("[" + string(b.task) + "]")
			if len(b.kids) == 0 {
				return
			}
			if b.kids[0].kind != paragraph {
				e.taskBlocks(b.kids)
				return
			}
			e.str(" ")
		}
		e.blocks(b.kids, tight)
	})
}

// taskBlocks writes the content of a task that does not begin with text.
func (e *emitter) taskBlocks(kids []block) {
	e.str(" \u200b")
	e.blank()
	e.blocks(kids, false)
}

// tightList reports whether a list needs no empty lines: each item is one paragraph, with at most a tight list below it.
func tightList(b *block) bool {
	for i := range b.kids {
		kids := b.kids[i].kids
		if len(kids) > 0 && kids[0].kind == paragraph {
			kids = kids[1:]
		}
		if len(kids) > 1 || len(kids) == 1 && (kids[0].kind != list || !tightList(&kids[0])) {
			return false
		}
		// Only a list that begins with 1 may interrupt a paragraph.
		if len(kids) == 1 && len(b.kids[i].kids) == 2 && kids[0].ordered && kids[0].level != 1 {
			return false
		}
		if len(kids) == 1 && b.kids[i].task != 0 && len(b.kids[i].kids) == 1 {
			return false
		}
	}
	return true
}
