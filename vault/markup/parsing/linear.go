package parsing

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// maxReferences is how many lines goldmark sees at once of a paragraph that may begin with definitions of links: its time
// grows with the square of their number.
const maxReferences = 256

// references takes definitions of links, [label]: address, off the beginning of a paragraph, some at a time.
type references struct{ parser.ParagraphTransformer }

// Transform implements parser.ParagraphTransformer.
func (r references) Transform(paragraph *ast.Paragraph, reader text.Reader, pc parser.Context) {
	lines := paragraph.Lines()
	all := lines.Sliced(0, lines.Len())
	for len(all) > maxReferences {
		end := maxReferences
		for end < min(2*maxReferences, len(all)) && !bytes.HasPrefix(all[end].Value(reader.Source()), []byte("[")) {
			end++ // what begins on one line may go on in the next
		}
		part := ast.NewParagraph()
		part.Lines().AppendAll(all[:end])
		paragraph.Parent().InsertBefore(paragraph.Parent(), paragraph, part)
		r.ParagraphTransformer.Transform(part, reader, pc)
		if all = all[end:]; part.Parent() == nil {
			continue
		}
		part.Parent().RemoveChild(part.Parent(), part)
		rest := text.NewSegments() // in which no definition begins
		rest.AppendAll(part.Lines().Sliced(0, part.Lines().Len()))
		rest.AppendAll(all)
		paragraph.SetLines(rest)
		return
	}
	rest := text.NewSegments()
	rest.AppendAll(all)
	paragraph.SetLines(rest)
	r.ParagraphTransformer.Transform(paragraph, reader, pc)
}

// codeSpans is a parser of code in a text that knows beforehand whether the code has an end: goldmark's own reads on to the
// end of its block for each beginning without one.
type codeSpans struct {
	parser.InlineParser
	block ast.Node
	last  map[int]int // where the last run of so many backticks begins in block
}

// Parse implements parser.InlineParser.
func (c *codeSpans) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if c.block != parent {
		c.block, c.last = parent, backticks(parent.Lines(), block.Source())
	}
	line, at := block.PeekLine()
	size := ticks(line)
	if c.last[size] > at.Start {
		return c.InlineParser.Parse(parent, block, pc)
	}
	block.Advance(size)
	return ast.NewTextSegment(at.WithStop(at.Start + size))
}

// backticks finds where the last run of each length begins.
func backticks(lines *text.Segments, source []byte) map[int]int {
	last := map[int]int{}
	for n := range lines.Len() {
		line := lines.At(n)
		for i := line.Start; i < line.Stop; i++ {
			from := i
			for i < line.Stop && source[i] == '`' {
				i++
			}
			if i > from {
				last[i-from] = from
			}
		}
	}
	return last
}
