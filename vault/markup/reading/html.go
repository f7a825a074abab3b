package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// htmlWords adds text of HTML that stands in Markdown. Placeholders are text there; text that only looks like one has its
// second bracket escaped.
func (b *builder) htmlWords(n *storage.Node, c setting) {
	raw := n.Raw()
	for !c.code {
		before, rest, ok := cutPlaceholder(raw)
		inside, after, closed := strings.Cut(rest, "]]")
		if !ok || !closed {
			break
		}
		b.words(storage.Decode(before), c)
		b.span(page.Span{Kind: page.Token, Marks: c.marks, Link: c.link, Text: page.OneLine(storage.Decode(inside))})
		raw = after
	}
	b.words(storage.Decode(raw), c)
}

// cutPlaceholder finds the brackets that begin a placeholder.
func cutPlaceholder(raw string) (before, rest string, found bool) {
	for at := 0; ; at += 2 {
		i := strings.Index(raw[at:], "[[")
		if i < 0 {
			return raw, "", false
		}
		at += i
		rest = raw[at+2:]
		if strings.HasPrefix(rest, "confluence:") || strings.HasPrefix(rest, "/confluence:") {
			return raw[:at], rest, true
		}
	}
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
	inner := b.r.begin(n)
	for child := n.First; child != nil; child = child.Next {
		if child.Kind == storage.Element && child.Name == "summary" && made.Title == "" {
			made.Title = page.OneLine(child.Content())
			continue
		}
		inner.child = child
		inner.walk(child, setting{})
	}
	made.Kids = page.Enclose(inner.end())
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

// taskOf reads the state of a task that is an item of a list.
func taskOf(item *storage.Node) byte {
	switch item.Attr("data-task") {
	case "done":
		return 'x'
	case "open":
		return ' '
	case "decided":
		return '!'
	case "undecided":
		return '?'
	}
	return 0
}
