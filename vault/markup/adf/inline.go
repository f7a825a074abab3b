package adf

import (
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// inline makes spans of an inline node; it reports false for blocks.
func (r *reader) inline(n *node) ([]page.Span, bool) {
	var s page.Span
	switch n.Type {
	case "text":
		s = page.Span{Text: n.Text}
	case "hardBreak":
		s = page.Span{Kind: page.Break}
	case "mention":
		s = page.Span{Text: "@" + strings.TrimPrefix(n.attr("text"), "@"), Link: &page.Link{Target: "confluence-user:" + url.PathEscape(n.attr("id"))}}
	case "emoji":
		s = page.Span{Text: first(n.attr("text"), n.attr("shortName"))}
	case "date":
		s = page.Span{Kind: page.Date, Text: day(n.attr("timestamp"))}
		if !page.ValidDay(s.Text) {
			s = r.placeholder("date", n.attr("timestamp"))
		}
	case "status":
		s = page.Span{Text: page.OneLine(n.attr("text")), Link: &page.Link{Target: "confluence-status:" + colour(n.attr("color"))}}
	case "inlineCard", "blockCard", "embedCard":
		s = linked(page.Span{Text: n.attr("url")}, n.attr("url"))
	case "media", "mediaInline":
		s = r.media(n)
	case "placeholder", "inlineExtension":
		s = r.placeholder(first(n.attr("extensionKey"), n.Type), meaning(n))
	default:
		return nil, false
	}
	for i := range n.Marks {
		s = r.mark(s, &n.Marks[i])
	}
	return []page.Span{s}, true
}

// first is the first of several texts that is not empty.
func first(options ...string) string {
	for _, text := range options {
		if text != "" {
			return text
		}
	}
	return ""
}

// colour is the lozenge's colour as the status macro calls it.
func colour(name string) string {
	switch name {
	case "purple", "blue", "red", "yellow", "green":
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return "Grey"
}

// linked makes a span a link, unless its address is one that no program should open.
func linked(s page.Span, target string) page.Span {
	switch {
	case target == "":
	case page.Dangerous(target) || strings.HasPrefix(target, "confluence-"):
		s.Text += " (" + target + ")"
	default:
		s.Link = &page.Link{Target: target}
	}
	return s
}

// mark sets a span in a mark. Marks that Markdown has no form for are noted.
func (r *reader) mark(s page.Span, m *node) page.Span {
	switch m.Type {
	case "strong":
		s.Marks |= page.Strong
	case "em":
		s.Marks |= page.Emphasis
	case "underline":
		s.Marks |= page.Underline
	case "strike":
		s.Marks |= page.Strike
	case "subsup":
		s.Marks |= page.Sub
		if m.attr("type") == "sup" {
			s.Marks = s.Marks&^page.Sub | page.Sup
		}
	case "code":
		if s.Kind == page.Words && s.Text != "" {
			s.Kind = page.Literal
		}
	case "link":
		if s.Link == nil {
			s = linked(s, m.attr("href"))
		}
	case "textColor", "backgroundColor":
		r.flatten("colour")
	case "annotation":
		r.flatten("inline comment")
	}
	return s
}

// media makes an image. A file of the page is known by its id only.
func (r *reader) media(n *node) page.Span {
	made := &page.Image{Alt: n.attr("alt"), Target: n.attr("url")}
	if made.Target == "" || page.Dangerous(made.Target) {
		return r.placeholder("media", strings.TrimSpace(n.attr("alt")+" "+n.attr("id")))
	}
	return page.Span{Kind: page.Picture, Image: made}
}
