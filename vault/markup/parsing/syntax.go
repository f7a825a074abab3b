package parsing

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
)

// maxNesting bounds goldmark's tree of lists, items and quotes.
const maxNesting = 80

// bounded is a parser of containers that opens none beyond the bound: the marks stay text.
type bounded struct{ parser.BlockParser }

// Open implements parser.BlockParser.
func (b bounded) Open(parent ast.Node, reader text.Reader, pc parser.Context) (ast.Node, parser.State) {
	depth := 0
	for n := parent; n != nil; n = n.Parent() {
		if depth++; depth > maxNesting {
			return nil, parser.NoChildren
		}
	}
	return b.BlockParser.Open(parent, reader, pc)
}

// box is the check box of a task.
type box struct {
	ast.BaseInline
	state byte // ' ' or 'x', '!' or '?'
}

// Kind implements ast.Node.
func (*box) Kind() ast.NodeKind { return 0 }

// Dump implements ast.Node.
func (b *box) Dump(source []byte, level int) { ast.DumpHelper(b, source, level, nil, nil) }

// boxParser reads [ ] and [x], [!] and [?] for decisions, at the beginning of an item. Unlike goldmark's, it leaves [x](address) alone.
type boxParser struct{}

// Trigger implements parser.InlineParser.
func (boxParser) Trigger() []byte { return []byte{'['} }

// Parse implements parser.InlineParser.
func (boxParser) Parse(parent ast.Node, block text.Reader, _ parser.Context) ast.Node {
	item, ok := parent.Parent().(*ast.ListItem)
	if !ok || item.FirstChild() != parent || parent.HasChildren() {
		return nil
	}
	if kind := parent.Kind(); kind != ast.KindTextBlock && kind != ast.KindParagraph {
		return nil
	}
	line, _ := block.PeekLine()
	if len(line) < 3 || line[2] != ']' || len(line) > 3 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(line[3])) {
		return nil
	}
	made := &box{state: line[1]}
	switch line[1] {
	case ' ', 'x', '!', '?':
	case 'X':
		made.state = 'x'
	default:
		return nil
	}
	block.Advance(3)
	return made
}

// token is a placeholder.
type token struct {
	ast.BaseInline
	text []byte // undecoded, between the brackets
}

// Kind implements ast.Node.
func (*token) Kind() ast.NodeKind { return 0 }

// Dump implements ast.Node.
func (t *token) Dump(source []byte, level int) { ast.DumpHelper(t, source, level, nil, nil) }

// tokenParser reads [[confluence:toc#1]] and [[/confluence:excerpt#2]].
type tokenParser struct{}

// Trigger implements parser.InlineParser.
func (tokenParser) Trigger() []byte { return []byte{'['} }

// Parse implements parser.InlineParser.
func (tokenParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if !bytes.HasPrefix(line, []byte("[[confluence:")) && !bytes.HasPrefix(line, []byte("[[/confluence:")) {
		return nil
	}
	for i := 2; i < len(line) && i < 4096; i++ {
		switch line[i] {
		case '\\':
			i++
		case '[':
			return nil
		case ']':
			if i+1 >= len(line) || line[i+1] != ']' {
				return nil
			}
			block.Advance(i + 2)
			return &token{text: line[2:i]}
		}
	}
	return nil
}
