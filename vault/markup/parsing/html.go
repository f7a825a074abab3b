package parsing

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/reading"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// maxDetails bounds expands within expands.
const maxDetails = 20

var (
	voidTag      = regexp.MustCompile(`(?i)<(br|hr)\s*>`)
	detailsOpen  = regexp.MustCompile(`(?is)^\s*<details(?:\s+open(?:="[^"]*")?)?\s*>\s*(?:<summary>(.*?)</summary>)?\s*`)
	anchorTag    = regexp.MustCompile(`(?i)^<a\s+(?:id|name)="([^"<>]*)"\s*/?>$`)
	taskComment  = regexp.MustCompile(`^<!--\s*task\s+([0-9]{1,18})\s*-->$`)
	detailsClose = regexp.MustCompile(`(?i)^\s*</details\s*>\s*`)
)

// tag is an HTML tag among text that has its partner.
type tag struct {
	closes bool
	code   bool
	mark   page.Marks
}

// pairs finds the HTML tags among the children of a node that mean something and have their partner there too.
func (c *inlines) pairs(n ast.Node) map[ast.Node]tag {
	var found map[ast.Node]tag
	type opened struct {
		node ast.Node
		name string
		tag  tag
	}
	var open []opened
	waiting := map[string]int{}
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		raw, ok := child.(*ast.RawHTML)
		if !ok {
			continue
		}
		name, closes := tagName(rawText(raw, c.source))
		made, ok := meaning(name)
		if !ok {
			continue
		}
		if !closes {
			open = append(open, opened{child, name, made})
			waiting[name]++
			continue
		}
		// What was opened in between and never closed stays text.
		for waiting[name] > 0 {
			last := open[len(open)-1]
			open = open[:len(open)-1]
			waiting[last.name]--
			if last.name != name {
				continue
			}
			if found == nil {
				found = map[ast.Node]tag{}
			}
			found[last.node] = last.tag
			found[child] = tag{closes: true}
			break
		}
	}
	return found
}

// tagName is the name in a tag without attributes, in lower case, or "".
func tagName(text string) (name string, closes bool) {
	name, closes = strings.CutPrefix(strings.TrimSuffix(strings.TrimPrefix(text, "<"), ">"), "/")
	if len(name) > len("strike ") {
		return "", false
	}
	return strings.ToLower(strings.TrimSpace(name)), closes
}

// meaning is what a tag among text stands for; it reports false for those that stay text.
func meaning(name string) (tag, bool) {
	switch name {
	case "u", "ins":
		return tag{mark: page.Underline}, true
	case "sub":
		return tag{mark: page.Sub}, true
	case "sup":
		return tag{mark: page.Sup}, true
	case "strong", "b":
		return tag{mark: page.Strong}, true
	case "em", "i":
		return tag{mark: page.Emphasis}, true
	case "s", "del", "strike":
		return tag{mark: page.Strike}, true
	case "code", "kbd", "samp":
		return tag{code: true}, true
	}
	return tag{}, false
}

// raw adds a tag that has no partner: a line break, or text.
func (c *inlines) raw(n *ast.RawHTML, s setting) {
	text := rawText(n, c.source)
	if m := anchorTag.FindStringSubmatch(text); m != nil {
		if name := storage.Decode(m[1]); page.ValidAnchor(name) && (strings.HasSuffix(text, "/>") || c.closesAnchor(n.NextSibling())) {
			c.add(page.Span{Kind: page.Anchor, Text: name}, s)
			return
		}
	}
	if strings.EqualFold(text, "</a>") && c.opensAnchor(n.PreviousSibling()) {
		return
	}
	if lastOfTask(n) && taskComment.MatchString(text) {
		return
	}
	if name, closes := tagName(strings.Replace(text, "/>", ">", 1)); name == "br" && !closes {
		c.add(page.Span{Kind: page.Break}, s)
		return
	}
	c.words(text, s)
}

// closesAnchor reports whether a node is the end of an anchor.
func (c *inlines) closesAnchor(n ast.Node) bool {
	raw, ok := n.(*ast.RawHTML)
	return ok && strings.EqualFold(rawText(raw, c.source), "</a>")
}

// opensAnchor reports whether a node is an anchor that waits for its end.
func (c *inlines) opensAnchor(n ast.Node) bool {
	raw, ok := n.(*ast.RawHTML)
	if !ok {
		return false
	}
	m := anchorTag.FindStringSubmatch(rawText(raw, c.source))
	return m != nil && page.ValidAnchor(storage.Decode(m[1])) && !strings.HasSuffix(rawText(raw, c.source), "/>")
}

// lastOfTask reports whether a node ends the text that begins with a box.
func lastOfTask(n ast.Node) bool {
	if n.NextSibling() != nil || n.Parent() == nil {
		return false
	}
	_, ok := n.Parent().FirstChild().(*box)
	return ok
}

// taskNumber is the number that stands behind the text of a task, or "".
func (r *reader) taskNumber(text ast.Node) string {
	raw, ok := text.LastChild().(*ast.RawHTML)
	if !ok {
		return ""
	}
	if m := taskComment.FindStringSubmatch(rawText(raw, r.source)); m != nil {
		return m[1]
	}
	return ""
}

// rawText is the source of a tag.
func rawText(n *ast.RawHTML, source []byte) string {
	var out strings.Builder
	for i := range n.Segments.Len() {
		segment := n.Segments.At(i)
		out.Write(segment.Value(source))
	}
	return out.String()
}

// html is the source of an HTML block.
func (r *reader) html(n *ast.HTMLBlock) string {
	text := r.lines(n)
	if n.HasClosure() {
		text += "\n" + string(n.ClosureLine.Value(r.source))
	}
	return strings.TrimRight(text, "\n")
}

// frame is an expand that is open while siblings are walked.
type frame struct {
	title  string
	opener string // its source, shown as text should it never be closed
	blocks []page.Block
}

func (r *reader) children(n ast.Node) []page.Block { return r.siblings(n.FirstChild()) }

// siblings makes blocks of a node and those behind it. An expand begins in one HTML block and ends in another.
func (r *reader) siblings(first ast.Node) []page.Block {
	frames := make([]frame, 1, 4)
	for n := first; n != nil; n = n.NextSibling() {
		top := &frames[len(frames)-1]
		block, ok := n.(*ast.HTMLBlock)
		if !ok {
			top.blocks = append(top.blocks, r.block(n)...)
			continue
		}
		frames = r.htmlBlock(r.html(block), frames)
	}
	for len(frames) > 1 {
		last := frames[len(frames)-1]
		frames = frames[:len(frames)-1]
		top := &frames[len(frames)-1]
		top.blocks = append(append(top.blocks, r.asText(last.opener)...), last.blocks...)
	}
	return page.Enclose(frames[0].blocks)
}

// htmlBlock works off the beginnings and ends of expands in an HTML block; what remains is taken as a whole.
func (r *reader) htmlBlock(source string, frames []frame) []frame {
	if made, ok := r.wellFormed(source); ok {
		top := &frames[len(frames)-1]
		top.blocks = append(top.blocks, made...)
		return frames
	}
	for source != "" {
		if at := detailsOpen.FindStringSubmatchIndex(source); at != nil && len(frames) <= maxDetails {
			opened := frame{opener: source[:at[1]]}
			if at[2] >= 0 {
				opened.title = summary(source[at[2]:at[3]])
			}
			frames = append(frames, opened)
			source = source[at[1]:]
			continue
		}
		if at := detailsClose.FindStringIndex(source); at != nil && len(frames) > 1 {
			last := frames[len(frames)-1]
			frames = frames[:len(frames)-1]
			top := &frames[len(frames)-1]
			top.blocks = append(top.blocks, page.Block{Kind: page.Details, Title: last.title, Kids: page.Enclose(last.blocks)})
			source = source[at[1]:]
			continue
		}
		top := &frames[len(frames)-1]
		top.blocks = append(top.blocks, r.fragment(source)...)
		break
	}
	return frames
}

// summary is the text of a summary without its tags.
func summary(source string) string {
	doc, err := storage.Parse(source)
	if err != nil {
		return page.OneLine(source)
	}
	return page.OneLine(doc.Root.Content())
}

// fragment takes HTML that is well-formed and holds nothing but elements on our list, and leaves all other as text.
func (r *reader) fragment(source string) []page.Block {
	if made, ok := r.wellFormed(source); ok {
		return made
	}
	return r.asText(source)
}

// wellFormed reads HTML with the parser of storage format; it reports false for what may not become part of a page.
func (r *reader) wellFormed(source string) ([]page.Block, bool) {
	doc, err := storage.Parse(voidTag.ReplaceAllString(source, "<$1/>"))
	if err != nil || !allowed(doc.Root) {
		return nil, false
	}
	return reading.Read(doc, reading.Options{HTML: true}).Blocks, true
}

// asText makes a paragraph of HTML that stays text.
func (r *reader) asText(source string) []page.Block {
	var spans []page.Span
	for line := range strings.SplitSeq(strings.TrimSpace(source), "\n") {
		if spans != nil {
			spans = append(spans, page.Span{Kind: page.Break})
		}
		spans = append(spans, page.Span{Text: line})
	}
	return r.paragraph(spans)
}

// allowed reports whether everything below n may become part of a page.
func allowed(n *storage.Node) bool {
	for child := n.First; child != nil; child = child.Next {
		switch child.Kind {
		case storage.Text:
		case storage.Element:
			if !allowedElement(child.Name) || !allowed(child) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// allowedElement is the list: what people write by hand and what vault/markup/printing writes. Nothing on it runs, loads
// or has a prefix.
func allowedElement(name string) bool {
	switch name {
	case "table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "colgroup", "col",
		"p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "details", "summary", "pre", "hr",
		"br", "strong", "b", "em", "i", "u", "ins", "s", "del", "strike", "sub", "sup", "code", "kbd", "samp", "tt", "span", "small", "mark",
		"a", "img":
		return true
	}
	return false
}
