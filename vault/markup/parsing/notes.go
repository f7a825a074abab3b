package parsing

import (
	"bytes"
	"regexp"
	"unicode"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// noteStart is the beginning of a footnote: [^label]: text.
var noteStart = regexp.MustCompile(`^\[\^([A-Za-z0-9_.-]{1,60})\]:[ \t]*`)

// noteLine is a line that may begin one, behind the marks of lists and quotes.
var noteLine = regexp.MustCompile(`(?m)^[ \t>*+\-0-9.)]*\[\^([A-Za-z0-9_.-]{1,60})\]:`)

// noteAnchor is the anchor of one inside a table that is written as HTML.
var noteAnchor = regexp.MustCompile(`<a id="fn-([A-Za-z0-9_.-]{1,60})"></a><sup>`)

// labels are those of all footnotes in a text. What only looks like one, in code, does no harm.
func labels(source []byte) map[string]bool {
	if !bytes.Contains(source, []byte("[^")) {
		return nil
	}
	found := map[string]bool{}
	for _, line := range []*regexp.Regexp{noteLine, noteAnchor} {
		for _, m := range line.FindAllSubmatch(source, -1) {
			found[string(m[1])] = true
		}
	}
	return found
}

// note is a footnote.
type note struct {
	ast.BaseBlock
	label string
}

// Kind implements ast.Node.
func (*note) Kind() ast.NodeKind { return 0 }

// Dump implements ast.Node.
func (n *note) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// noteParser reads footnotes. Their further lines stand four columns from the left. Unlike goldmark's own, it leaves them
// where they are.
type noteParser struct{}

// Trigger implements parser.BlockParser.
func (noteParser) Trigger() []byte { return []byte{'['} }

// Open implements parser.BlockParser.
func (noteParser) Open(_ ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	line, _ := reader.PeekLine()
	at := pc.BlockOffset()
	if at < 0 || at >= len(line) {
		return nil, parser.NoChildren
	}
	m := noteStart.FindSubmatch(line[at:])
	if m == nil {
		return nil, parser.NoChildren
	}
	reader.Advance(at + len(m[0]))
	return &note{label: string(m[1])}, parser.HasChildren
}

// Continue implements parser.BlockParser.
func (noteParser) Continue(_ ast.Node, reader text.Reader, _ parser.Context) parser.State {
	line, _ := reader.PeekLine()
	if util.IsBlank(line) {
		return parser.Continue | parser.HasChildren
	}
	at, padding := util.IndentPosition(line, reader.LineOffset(), 4)
	if at < 0 {
		return parser.Close
	}
	reader.AdvanceAndSetPadding(at, padding)
	return parser.Continue | parser.HasChildren
}

// Close implements parser.BlockParser.
func (noteParser) Close(ast.Node, text.Reader, parser.Context) {}

// CanInterruptParagraph implements parser.BlockParser.
func (noteParser) CanInterruptParagraph() bool { return true }

// CanAcceptIndentedLine implements parser.BlockParser.
func (noteParser) CanAcceptIndentedLine() bool { return false }

// noteMark is [^label] in a text.
type noteMark struct {
	ast.BaseInline
	label []byte
}

// Kind implements ast.Node.
func (*noteMark) Kind() ast.NodeKind { return 0 }

// Dump implements ast.Node.
func (n *noteMark) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// noteMarkParser reads them.
type noteMarkParser struct{}

// Trigger implements parser.InlineParser.
func (noteMarkParser) Trigger() []byte { return []byte{'['} }

// Parse implements parser.InlineParser.
func (noteMarkParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if len(line) < 4 || line[1] != '^' {
		return nil
	}
	end := bytes.IndexByte(line[:min(len(line), 64)], ']')
	if end < 0 || !page.ValidLabel(string(line[2:end])) {
		return nil
	}
	block.Advance(end + 1)
	return &noteMark{label: line[2:end]}
}

// emoji is the short name of an emoji.
type emoji struct {
	ast.BaseInline
	text []byte
}

// Kind implements ast.Node.
func (*emoji) Kind() ast.NodeKind { return 0 }

// Dump implements ast.Node.
func (n *emoji) Dump(source []byte, level int) { ast.DumpHelper(n, source, level, nil, nil) }

// emojiParser reads :short_name: that stands beside no letter.
type emojiParser struct{}

// Trigger implements parser.InlineParser.
func (emojiParser) Trigger() []byte { return []byte{':'} }

// Parse implements parser.InlineParser.
func (emojiParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	end := page.EmojiEnd(string(line[:min(len(line), 70)]))
	if end == 0 || wordRune(block.PrecendingCharacter()) {
		return nil
	}
	block.Advance(end)
	return &emoji{text: line[:end]}
}

// wordRune reports what is neither space nor punctuation to CommonMark.
func wordRune(r rune) bool { return !unicode.IsSpace(r) && !unicode.IsPunct(r) && !unicode.IsSymbol(r) }
