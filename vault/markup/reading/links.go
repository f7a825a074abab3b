package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/address"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// anchor adds <a>.
func (b *builder) anchor(n *storage.Node, c setting) {
	href := strings.TrimSpace(n.Attr("href"))
	if href == "" {
		if name := n.Attr("id"); b.r.opt.HTML && page.ValidAnchor(name) {
			b.span(page.Span{Kind: page.Anchor, Marks: c.marks, Text: name})
		}
		b.inside(n, c)
		return
	}
	if day, ok := strings.CutPrefix(href, "confluence-date:"); ok && b.r.opt.HTML && page.ValidDay(day) {
		b.span(page.Span{Kind: page.Date, Marks: c.marks, Text: day})
		return
	}
	if label, ok := strings.CutPrefix(href, "confluence-footnote:"); ok && b.r.opt.HTML && page.ValidLabel(label) {
		b.span(page.Span{Kind: page.Footnote, Marks: c.marks, Text: label})
		return
	}
	if page.Dangerous(href) || !b.r.opt.HTML && strings.HasPrefix(href, "confluence-") {
		// Never a link: the Markdown may be shown by a program that follows it. And what a page calls by our own
		// schemes must not become a mention or a macro when it is written back.
		b.inside(n, c)
		b.words(" ("+href+")", c)
		return
	}
	b.linked(n, href, href, c)
}

// linked adds the inside of n as a link, or fallback if there is nothing to see inside.
func (b *builder) linked(n *storage.Node, target, fallback string, c setting) {
	if c.link != nil {
		b.r.flatten("link in a link")
	} else {
		c.link = &page.Link{Target: target}
	}
	from, at := len(b.spans), b.at
	blocks := len(b.blocks)
	if n != nil {
		b.inside(n, c)
	}
	if len(b.blocks) == blocks && !visible(b.spans[min(from, len(b.spans)):]) {
		b.at = at
		b.words(fallback, c)
	}
}

// visible reports whether there is anything to click on.
func visible(spans []page.Span) bool {
	for _, s := range spans {
		if s.Kind != page.Break && (s.Kind > page.Break || strings.TrimSpace(s.Text) != "") {
			return true
		}
	}
	return false
}

// internal adds ac:link.
func (b *builder) internal(n *storage.Node, c setting) {
	target, fallback := address.Target(n, n.Attr("ac:anchor"), b.r.opt.UserName)
	body := n.Child("ac:link-body")
	if body == nil {
		body = n.Child("ac:plain-text-link-body")
	}
	if target == "" {
		b.inside(n, c)
		return
	}
	if label, ok := b.refers(n, target); ok && c.link == nil {
		b.span(page.Span{Kind: page.Footnote, Marks: c.marks &^ page.Sup, Text: label})
		return
	}
	b.linked(body, target, fallback, c)
}

// picture adds ac:image. Its size goes with the alternative text, as "alt|320x200".
func (b *builder) picture(n *storage.Node, c setting) {
	target, _ := address.Target(n, "", b.r.opt.UserName)
	made := &page.Image{Alt: n.Attr("ac:alt"), Target: target}
	made.Size = pixels(n.Attr("ac:width"))
	if height := pixels(n.Attr("ac:height")); height != "" {
		made.Size += "x" + height
	}
	if caption := n.Child("ac:caption"); caption != nil {
		made.Caption = page.OneLine(caption.Content())
	}
	if target == "" || page.Dangerous(target) {
		b.token("image", strings.TrimSpace(made.Alt+" "+target+" "+made.Caption), n.Raw(), c)
		return
	}
	for _, a := range n.Attrs() {
		switch a.Name {
		case "ac:align", "ac:layout", "ac:border", "ac:thumbnail", "ac:style":
			b.r.flatten("image layout")
		}
	}
	b.span(page.Span{Kind: page.Picture, Marks: c.marks, Link: c.link, Image: made})
}

// date adds <time>.
func (b *builder) date(n *storage.Node, c setting) {
	if day := n.Attr("datetime"); page.ValidDay(day) && c.link == nil {
		b.span(page.Span{Kind: page.Date, Marks: c.marks, Text: day})
		return
	}
	b.words(n.Attr("datetime"), c)
	b.inside(n, c)
}

// pixels is a length without its unit, or "" if it is not a plain number.
func pixels(length string) string {
	length = strings.TrimSuffix(strings.TrimSpace(length), "px")
	length, _, _ = strings.Cut(length, ".")
	if length == "" || len(length) > 5 || strings.Trim(length, "0123456789") != "" {
		return ""
	}
	return length
}
