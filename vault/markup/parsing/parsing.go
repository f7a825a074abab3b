// Package parsing reads Markdown into a page: CommonMark with GFM's tables, strikethrough, task lists and alerts, and the
// HTML that vault/markup/printing writes.
//
// goldmark finds the structure; what it means is decided here. Of raw HTML, only elements on a short list count; everything
// else stays text, as does every link or image whose address runs code. Nesting is bounded, so later steps may recurse.
package parsing

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// Parse reads Markdown. Every text is a page.
func Parse(markdown string) []page.Block {
	source := []byte(markdown)
	p := &reader{source: source, notes: labels(source)}
	return p.children(markdownParser(newBudget(len(source))).Parse(text.NewReader(source)))
}

// markdownParser is goldmark with our choice of syntax. Addresses in plain text are linked later, by [page.Settler], and
// the same way for both directions.
func markdownParser(b *budget) parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(bounded{parser.NewListParser()}, 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(bounded{parser.NewBlockquoteParser()}, 800),
			util.Prioritized(bounded{noteParser{}}, 850),
			util.Prioritized(parser.NewHTMLBlockParser(), 900),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithInlineParsers(
			util.Prioritized(boxParser{}, 10),
			util.Prioritized(tokenParser{}, 20),
			util.Prioritized(noteMarkParser{}, 30),
			util.Prioritized(emojiParser{}, 40),
			util.Prioritized(&codeSpans{InlineParser: parser.NewCodeSpanParser()}, 100),
			util.Prioritized(brackets{parser.NewLinkParser(), b}, 200),
			util.Prioritized(parser.NewAutoLinkParser(), 300),
			util.Prioritized(parser.NewRawHTMLParser(), 400),
			util.Prioritized(delimiters{parser.NewEmphasisParser(), b}, 500),
			util.Prioritized(delimiters{extension.NewStrikethroughParser(), b}, 500),
		),
		parser.WithParagraphTransformers(
			util.Prioritized(references{parser.LinkReferenceParagraphTransformer}, 100),
			util.Prioritized(tables{extension.NewTableParagraphTransformer()}, 200),
		),
	)
}

// reader makes blocks of goldmark's tree.
type reader struct {
	source  []byte
	notes   map[string]bool // the labels of footnotes that there are
	settler page.Settler
}

// block makes blocks of one node; a list's items are made by list.
func (r *reader) block(n ast.Node) []page.Block {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock:
		if r.defines(n) {
			return r.definitions(r.spans(n))
		}
		return r.paragraph(r.spans(n))
	case *ast.Heading:
		made := r.paragraph(r.spans(n))
		for i := range made {
			made[i].Kind, made[i].Level = page.Heading, n.Level
		}
		return made
	case *ast.List:
		return []page.Block{r.list(n)}
	case *ast.Blockquote:
		return r.quote(n)
	case *ast.FencedCodeBlock:
		made := page.Block{Kind: page.Code, Code: r.lines(n)}
		if n.Info != nil {
			made.Name, made.Info = page.CutInfo(string(n.Info.Segment.Value(r.source)))
		}
		return []page.Block{made}
	case *ast.CodeBlock:
		return []page.Block{{Kind: page.Code, Code: r.lines(n)}}
	case *ast.ThematicBreak:
		return []page.Block{{Kind: page.Rule}}
	case *ast.HTMLBlock:
		return r.fragment(r.html(n))
	case *extast.Table:
		return r.table(n)
	case *ast.LinkReferenceDefinition:
		return nil
	case *note:
		return []page.Block{{Kind: page.Note, Name: n.label, Kids: r.children(n)}}
	}
	return r.children(n)
}

// paragraph makes a block of spans, if there is anything to see.
func (r *reader) paragraph(spans []page.Span) []page.Block {
	if spans = r.settler.Settle(spans); len(spans) == 0 {
		return nil
	}
	return []page.Block{{Kind: page.Paragraph, Text: spans}}
}

// list makes a list; whether it was tight or loose means nothing to Confluence.
func (r *reader) list(n *ast.List) page.Block {
	made := page.Block{Kind: page.List, Ordered: n.IsOrdered(), Level: 1}
	if made.Ordered {
		made.Level = n.Start
	}
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		item := page.Block{Kind: page.Item, Kids: r.children(child)}
		if first := child.FirstChild(); first != nil {
			if box, ok := first.FirstChild().(*box); ok {
				item.Task = box.state
				item.Name = r.taskNumber(first)
			}
		}
		made.Kids = append(made.Kids, item)
	}
	return made
}

// quote makes a quote, or an alert of one that begins with [!NOTE].
func (r *reader) quote(n *ast.Blockquote) []page.Block {
	first, ok := n.FirstChild().(*ast.Paragraph)
	if !ok || first.Lines().Len() == 0 {
		return []page.Block{{Kind: page.Quote, Kids: r.children(n)}}
	}
	line := first.Lines().At(0)
	word, _, _ := strings.Cut(strings.TrimPrefix(string(line.Value(r.source)), "[!"), "]")
	macro := panelOf(word)
	if macro == "" || line.Start+2 >= len(r.source) || string(r.source[line.Start:line.Start+2]) != "[!" {
		return []page.Block{{Kind: page.Quote, Kids: r.children(n)}}
	}
	title, rest := cutLine(r.spans(first))
	_, title, _ = strings.Cut(title, "]")
	made := page.Block{Kind: page.Alert, Name: macro, Title: page.OneLine(title)}
	made.Kids = append(r.paragraph(rest), r.siblings(first.NextSibling())...)
	return []page.Block{made}
}

// panelOf is the macro that an alert stands for, or "".
func panelOf(alert string) string {
	switch word := strings.ToUpper(alert); word {
	case "NOTE":
		return "info"
	case "TIP":
		return "tip"
	case "WARNING", "IMPORTANT":
		return "note"
	case "CAUTION":
		return "warning"
	case "INFO", "PANEL":
		return strings.ToLower(word)
	}
	return ""
}

// cutLine parts the text of the first line from the spans behind it.
func cutLine(spans []page.Span) (first string, rest []page.Span) {
	var out strings.Builder
	for i, s := range spans {
		if s.Kind == page.Break {
			return out.String(), spans[i+1:]
		}
		text, behind, ends := strings.Cut(s.Text, "\n")
		out.WriteString(text)
		if ends && s.Kind == page.Words {
			s.Text = behind
			return out.String(), append([]page.Span{s}, spans[i+1:]...)
		}
	}
	return out.String(), nil
}

// table makes a table. A first row without text is how printing shows that there is no heading row; then a first column in
// bold is a column of headings.
func (r *reader) table(n *extast.Table) []page.Block {
	made := &page.Table{}
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		_, head := row.(*extast.TableHeader)
		var cells []page.Cell
		for child := row.FirstChild(); child != nil; child = child.NextSibling() {
			cell := page.Cell{Head: head, Colspan: 1, Rowspan: 1, Kids: r.paragraph(r.spans(child))}
			if c, ok := child.(*extast.TableCell); ok {
				cell.Align = alignOf(c.Alignment)
			}
			cells = append(cells, cell)
		}
		made.Rows = append(made.Rows, page.Row{Cells: cells})
	}
	if len(made.Rows) > 1 && empty(made.Rows[0].Cells) {
		made.Rows = made.Rows[1:]
		headColumn(made)
	}
	return []page.Block{{Kind: page.Grid, Table: made}}
}

// alignOf is the alignment of a column.
func alignOf(a extast.Alignment) byte {
	switch a {
	case extast.AlignLeft:
		return 'l'
	case extast.AlignCenter:
		return 'c'
	case extast.AlignRight:
		return 'r'
	}
	return 0
}

// empty reports whether a row has no text.
func empty(cells []page.Cell) bool {
	for _, c := range cells {
		if len(c.Kids) > 0 {
			return false
		}
	}
	return true
}

// headColumn makes headings of the first column if all its text is bold.
func headColumn(t *page.Table) {
	if len(t.Rows[0].Cells) < 2 {
		return // a heading of nothing
	}
	seen := false
	for _, row := range t.Rows {
		for _, kid := range row.Cells[0].Kids {
			for _, s := range kid.Text {
				if s.Kind != page.Break && s.Marks&page.Strong == 0 {
					return
				}
				seen = true
			}
		}
	}
	if !seen {
		return
	}
	for i := range t.Rows {
		first := &t.Rows[i].Cells[0]
		first.Head = true
		for _, kid := range first.Kids {
			for j := range kid.Text {
				kid.Text[j].Marks &^= page.Strong
			}
		}
	}
}

// lines is the content of a code block.
func (r *reader) lines(n ast.Node) string {
	var out strings.Builder
	lines := n.Lines()
	for i := range lines.Len() {
		line := lines.At(i)
		out.Write(line.Value(r.source))
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// decode resolves backslashes and references.
func decode(raw []byte) string {
	s := string(raw)
	if !strings.ContainsAny(s, `\&`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && util.IsPunct(s[i+1]) {
			i++
		} else if value, size := storage.Reference(s[i:]); size > 0 {
			out.WriteString(value)
			i += size - 1
			continue
		}
		out.WriteByte(s[i])
	}
	return out.String()
}
