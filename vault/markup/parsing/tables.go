package parsing

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// tables makes tables of paragraphs and loses nothing of a row with more cells than there are columns, which GFM drops. Such
// a row mostly has pipes in code that nobody escaped; where that does not explain it, the last cell takes the rest.
type tables struct{ parser.ParagraphTransformer }

// Transform implements parser.ParagraphTransformer.
func (t tables) Transform(paragraph *ast.Paragraph, reader text.Reader, pc parser.Context) {
	parent, before := paragraph.Parent(), paragraph.PreviousSibling()
	lines := append([]text.Segment(nil), paragraph.Lines().Sliced(0, paragraph.Lines().Len())...)
	t.ParagraphTransformer.Transform(paragraph, reader, pc)
	made := parent.FirstChild()
	if paragraph.Parent() != nil {
		made = paragraph.NextSibling()
	} else if before != nil {
		made = before.NextSibling()
	}
	table, ok := made.(*extast.Table)
	if !ok {
		return
	}
	rest := lines[len(lines)-table.ChildCount()+1:] // those below the heading and its ruler
	for row := table.FirstChild().NextSibling(); row != nil && len(rest) > 0; row = row.NextSibling() {
		fit(row, rest[0], reader.Source())
		rest = rest[1:]
	}
}

// fit sets the cells of a row anew if its line has more than the table has columns.
func fit(row ast.Node, line text.Segment, source []byte) {
	columns := row.ChildCount()
	line = trimmed(line, source)
	if len(split(line, source, false)) <= columns {
		return
	}
	cells := split(line, source, true)
	if len(cells) > columns {
		cells[columns-1].Stop = cells[len(cells)-1].Stop
	}
	for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
		cell.SetLines(text.NewSegments())
		if len(cells) > 0 {
			cell.Lines().Append(trimmed(cells[0], source))
			cells = cells[1:]
		}
	}
}

func trimmed(s text.Segment, source []byte) text.Segment {
	s = s.TrimLeftSpace(source)
	return s.TrimRightSpace(source)
}

// split finds the cells of a line: between pipes that are not escaped and, if asked, not in code.
func split(line text.Segment, source []byte, code bool) (cells []text.Segment) {
	from, to := line.Start, line.Stop
	if from < to && source[from] == '|' {
		from++
	}
	if from < to && source[to-1] == '|' {
		to--
	}
	var last map[int]int
	if code {
		inside := text.NewSegments()
		inside.Append(text.NewSegment(from, to))
		last = backticks(inside, source)
	}
	for i := from; i < to; i++ {
		switch {
		case source[i] == '`' && code:
			size := ticks(source[i:to])
			if last[size] > i {
				i = closing(source, i+size, size)
			}
			i += size - 1
		case source[i] == '|' && (i == line.Start || source[i-1] != '\\'):
			cells = append(cells, text.NewSegment(from, i))
			from = i + 1
		}
	}
	if from < to {
		cells = append(cells, text.NewSegment(from, to))
	}
	return cells
}

// ticks is how many backticks a text begins with.
func ticks(line []byte) int { return len(line) - len(bytes.TrimLeft(line, "`")) }

// closing is where the next run of exactly so many backticks begins, which there must be.
func closing(source []byte, at, size int) int {
	for {
		at += bytes.IndexByte(source[at:], '`')
		run := ticks(source[at:])
		if run == size {
			return at
		}
		at += run
	}
}
