package parsing

import (
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// budget keeps goldmark linear. Its time for emphasis and links grows with the square of what could open or close them
// within one block, and each link that fails may read its block to the end. Both are charged; once the budget, which grows
// with the length of the text, is spent, the characters stay text. People's pages use a small part of it.
type budget struct {
	left  int
	block ast.Node // the block that count is about
	count int      // delimiters and brackets in it so far
}

// newBudget is enough for some thousand delimiters in one paragraph, however short the text.
func newBudget(size int) *budget { return &budget{left: 4<<20 + 16*size} }

// spend charges for one more delimiter or bracket in a block; it reports false when nothing is left.
func (b *budget) spend(block ast.Node) bool {
	if b.block != block {
		b.block, b.count = block, 0
	}
	b.count++
	b.left -= b.count
	return b.left > 0
}

// delimiters is a parser of emphasis within a budget.
type delimiters struct {
	parser.InlineParser
	budget *budget
}

// Parse implements parser.InlineParser.
func (d delimiters) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	if !d.budget.spend(parent) {
		return nil
	}
	return d.InlineParser.Parse(parent, block, pc)
}

// brackets is the parser of links and images within a budget.
type brackets struct {
	parser.InlineParser
	budget *budget
}

// Parse implements parser.InlineParser.
func (l brackets) Parse(parent ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, at := block.PeekLine()
	closes := line[0] == ']'
	if closes && l.budget.left <= 0 || !closes && !l.budget.spend(parent) {
		return nil
	}
	lines := parent.Lines()
	if closes && (len(line) < 2 || line[1] != '(') { // a label, which goldmark looks for line by line
		l.budget.left -= lines.Len() / 4
	}
	made := l.InlineParser.Parse(parent, block, pc)
	if closes && made == nil && len(line) > 1 && (line[1] == '(' || line[1] == '[') {
		l.budget.left -= max(0, lines.At(lines.Len()-1).Stop-at.Start) / 8
	}
	return made
}

// CloseBlock implements parser.CloseBlocker, which goldmark's parser of links relies on.
func (l brackets) CloseBlock(parent ast.Node, block text.Reader, pc parser.Context) {
	if inner, ok := l.InlineParser.(parser.CloseBlocker); ok {
		inner.CloseBlock(parent, block, pc)
	}
}
