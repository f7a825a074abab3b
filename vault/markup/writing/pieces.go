package writing

import (
	"strconv"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Pieces writes parts of a page one by one: for a page of which the rest stays as it is. It is for one goroutine.
type Pieces struct{ w *writer }

// NewPieces begins to write. Tasks without a number get one that none of the blocks has.
func NewPieces(opt Options, pages ...[]page.Block) *Pieces {
	p := &Pieces{newWriter(opt)}
	for _, blocks := range pages {
		p.w.number(blocks)
	}
	return p
}

// take is what was written since the last time.
func (p *Pieces) take() string {
	text := p.w.out.String()
	p.w.out.Reset()
	return text
}

// Keep notes the number of a task that stays as it is, so that no other gets it.
func (p *Pieces) Keep(task string) { p.w.taken[task] = true }

// Block writes a block; inner says that it stands in a list or a cell.
func (p *Pieces) Block(b *page.Block, inner bool) string {
	p.w.inner = 0
	if inner {
		p.w.inner = 1
	}
	p.w.block(b)
	p.w.inner = 0
	return p.take()
}

// Item writes an item of a list of its kind, and Row and Cell parts of a table.
func (p *Pieces) Item(b *page.Block) string {
	p.w.inner = 1
	switch kindOf(b.Task) {
	case taskItem:
		p.w.task(b)
	case decisionItem:
		p.w.decision(b)
	default:
		p.w.item(b)
	}
	p.w.inner = 0
	return p.take()
}

// Row writes a row of a table.
func (p *Pieces) Row(row *page.Row) string {
	p.w.inner = 1
	p.w.row(row)
	p.w.inner = 0
	return p.take()
}

// Cell writes a cell of a table.
func (p *Pieces) Cell(c *page.Cell) string {
	p.w.inner = 1
	p.w.cell(c)
	p.w.inner = 0
	return p.take()
}

// Spans writes text inside of marks that are open.
func (p *Pieces) Spans(spans []page.Span, outer page.Marks) string {
	p.w.marked(spans, outer)
	return p.take()
}

// Text writes characters.
func (p *Pieces) Text(text string) string {
	p.w.text(text)
	return p.take()
}

// Plain writes the text of a body that holds no markup.
func (p *Pieces) Plain(text string) string {
	p.w.cdata(text)
	return p.take()
}

// SameKind reports whether two items may stand in one list.
func SameKind(a, b *page.Block) bool { return kindOf(a.Task) == kindOf(b.Task) }

// Level is the element of a heading.
func Level(b *page.Block) string { return "h" + strconv.Itoa(min(max(b.Level, 1), 6)) }

func wellFormed(text string) bool { return storage.Check(text) == nil }
