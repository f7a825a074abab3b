package reading

import (
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// anchor adds <a>.
func (b *builder) anchor(n *storage.Node, c context) {
	href := strings.TrimSpace(n.Attr("href"))
	if href == "" {
		b.inside(n, c)
		return
	}
	if dangerous(href) {
		// Never a link: the Markdown may be shown by a program that follows it.
		b.inside(n, c)
		b.words(" ("+href+")", c)
		return
	}
	b.linked(n, href, href, c)
}

// dangerous reports whether a program that opens the address runs code.
func dangerous(href string) bool {
	scheme, _, ok := strings.Cut(href, ":")
	if !ok {
		return false
	}
	scheme = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToLower(scheme))
	return scheme == "javascript" || scheme == "data" || scheme == "vbscript"
}

// linked adds the inside of n as a link, or fallback if there is nothing to see inside.
func (b *builder) linked(n *storage.Node, target, fallback string, c context) {
	c.link = &link{target}
	from := len(b.spans)
	blocks := len(b.blocks)
	if n != nil {
		b.inside(n, c)
	}
	if len(b.blocks) == blocks && !visible(b.spans[min(from, len(b.spans)):]) {
		b.words(fallback, c)
	}
}

func visible(spans []span) bool {
	for _, s := range spans {
		if s.kind != lineBreak && (s.kind > lineBreak || strings.TrimSpace(s.text) != "") {
			return true
		}
	}
	return false
}

// internal adds ac:link.
func (b *builder) internal(n *storage.Node, c context) {
	target, fallback := b.target(n, n.Attr("ac:anchor"))
	body := n.Child("ac:link-body")
	if body == nil {
		body = n.Child("ac:plain-text-link-body")
	}
	if target == "" {
		b.inside(n, c)
		return
	}
	b.linked(body, target, fallback, c)
}

// target makes a readable address of what an element points to, and the text to show for it.
func (b *builder) target(n *storage.Node, anchor string) (address, text string) {
	for child := n.First; child != nil; child = child.Next {
		if child.Kind != storage.Element {
			continue
		}
		if address, text = b.resource(child); address != "" {
			break
		}
	}
	if anchor != "" {
		if text == "" {
			text = anchor
		}
		address += "#" + escapePart(anchor, "")
	}
	return address, text
}

// resource reads the ri: elements.
func (b *builder) resource(n *storage.Node) (address, text string) {
	switch n.Name {
	case "ri:page":
		title := n.Attr("ri:content-title")
		return "confluence-page:" + place(n.Attr("ri:space-key"), title), title
	case "ri:blog-post":
		title := n.Attr("ri:content-title")
		day := n.Attr("ri:posting-day")
		return "confluence-blog:" + place(n.Attr("ri:space-key"), strings.Trim(day+"/"+title, "/")), title
	case "ri:attachment":
		name := n.Attr("ri:filename")
		address = "confluence-attachment:" + escapePart(name, "")
		if page := n.Child("ri:page"); page != nil {
			address += "?page=" + place(page.Attr("ri:space-key"), page.Attr("ri:content-title"))
		}
		return address, name
	case "ri:space":
		key := n.Attr("ri:space-key")
		return "confluence-space:" + escapePart(key, ""), key
	case "ri:content-entity":
		id := n.Attr("ri:content-id")
		return "confluence-content:" + escapePart(id, ""), id
	case "ri:url":
		return n.Attr("ri:value"), n.Attr("ri:value")
	case "ri:user":
		return b.user(n)
	}
	return "", ""
}

func (b *builder) user(n *storage.Node) (address, text string) {
	id, prefix := n.Attr("ri:account-id"), "confluence-user:"
	if id == "" {
		id, prefix = n.Attr("ri:userkey"), "confluence-userkey:"
	}
	if id == "" {
		id, prefix = n.Attr("ri:username"), "confluence-username:"
	}
	text = "@user"
	if b.r.opt.UserName != nil {
		if name := b.r.opt.UserName(id); name != "" {
			text = "@" + name
		}
	}
	return prefix + escapePart(id, ""), text
}

// place is SPACE/Title, or Title where the space is the page's own.
func place(space, title string) string {
	if space == "" {
		return escapePart(title, "/")
	}
	return escapePart(space, "/") + "/" + escapePart(title, "")
}

// escapePart percent-encodes what would be read as part of the address' structure.
func escapePart(text, also string) string {
	if !strings.ContainsAny(text, "%#?<>\\\n\t"+also) {
		return text
	}
	const hex = "0123456789ABCDEF"
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if strings.IndexByte("%#?<>\\", c) >= 0 || c < ' ' || strings.IndexByte(also, c) >= 0 {
			out.WriteByte('%')
			out.WriteByte(hex[c>>4])
			out.WriteByte(hex[c&15])
			continue
		}
		out.WriteByte(c)
	}
	return out.String()
}

// picture adds ac:image. Its size goes with the alternative text, as "alt|320x200".
func (b *builder) picture(n *storage.Node, c context) {
	target, _ := b.target(n, "")
	made := &image{alt: n.Attr("ac:alt"), target: target}
	made.size = n.Attr("ac:width")
	if height := n.Attr("ac:height"); height != "" {
		made.size += "x" + height
	}
	if caption := n.Child("ac:caption"); caption != nil {
		made.caption = oneLine(caption.Content())
	}
	if target == "" || dangerous(target) {
		b.token("image", strings.TrimSpace(made.alt+" "+target+" "+made.caption), c)
		return
	}
	b.span(span{kind: picture, marks: c.marks, link: c.link, image: made})
}

// date adds <time>.
func (b *builder) date(n *storage.Node, c context) {
	if day := n.Attr("datetime"); day != "" && !strings.ContainsAny(day, " <>\t\n") {
		b.span(span{kind: auto, marks: c.marks, text: "confluence-date:" + day})
		return
	}
	b.inside(n, c)
}
