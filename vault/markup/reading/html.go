package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// htmlWords adds text of HTML that stands in Markdown, where placeholders are text.
func (b *builder) htmlWords(text string, c setting) {
	for !c.code {
		before, rest, ok := strings.Cut(text, "[[confluence:")
		inside, after, closed := strings.Cut(rest, "]]")
		if !ok || !closed {
			break
		}
		b.words(before, c)
		b.span(page.Span{Kind: page.Token, Marks: c.marks, Text: "confluence:" + page.OneLine(inside)})
		text = after
	}
	b.words(text, c)
}

// htmlPicture adds img. In Markdown, the size stands behind the alternative text and the caption is the title.
func (b *builder) htmlPicture(n *storage.Node, c setting) {
	made := &page.Image{Alt: n.Attr("alt"), Target: strings.TrimSpace(n.Attr("src"))}
	if b.r.opt.HTML {
		made.Alt, made.Size = page.CutSize(made.Alt)
		made.Caption = page.OneLine(n.Attr("title"))
	}
	if made.Target == "" || page.Dangerous(made.Target) {
		b.words(strings.TrimSpace(made.Alt+" "+made.Caption), c)
		return
	}
	b.span(page.Span{Kind: page.Picture, Marks: c.marks, Link: c.link, Image: made})
}

// htmlDetails adds details, whose summary is the title.
func (b *builder) htmlDetails(n *storage.Node) {
	made := page.Block{Kind: page.Details}
	inner := builder{r: b.r}
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "summary" && made.Title == "" {
			made.Title = page.OneLine(child.Content())
			continue
		}
		inner.walk(child, setting{})
	}
	inner.flush()
	made.Kids = inner.blocks
	b.add(made)
}

// htmlCode adds pre, whose first line in a fence stands in an attribute.
func (b *builder) htmlCode(n *storage.Node) {
	made := page.Block{Kind: page.Code, Code: lineEnds(plain(n))}
	if b.r.opt.HTML {
		made.Name, made.Info = page.CutInfo(n.Attr("data-info"))
	}
	b.add(made)
}

// markTask makes a task of an item that begins with a box.
func markTask(entry *page.Block) {
	if len(entry.Kids) == 0 || entry.Kids[0].Kind != page.Paragraph {
		return
	}
	text := entry.Kids[0].Text
	if text[0].Kind != page.Words || text[0].Link != nil || text[0].Marks != 0 {
		return
	}
	box := text[0].Text
	switch {
	case len(box) > len("[x]") && box[len("[x]")] != ' ':
		return
	case strings.HasPrefix(box, "[ ]"):
		entry.Task = ' '
	case strings.HasPrefix(box, "[x]"):
		entry.Task = 'x'
	default:
		return
	}
	if rest := strings.TrimLeft(box[len("[x]"):], " "); rest != "" {
		text[0].Text = rest
	} else {
		entry.Kids[0].Text = text[1:]
	}
	if len(entry.Kids[0].Text) == 0 {
		entry.Kids = entry.Kids[1:]
	}
}
