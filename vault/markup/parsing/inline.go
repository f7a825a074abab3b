package parsing

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

// maxInline bounds emphasis within emphasis; marks that repeat mean nothing, so no page comes near it.
const maxInline = 100

// setting is what surrounds an inline node.
type setting struct {
	marks page.Marks
	code  bool
	link  *page.Link
	depth int
}

// inlines collects the spans of a block.
type inlines struct {
	source []byte
	notes  map[string]bool
	cell   bool // of a table
	spans  []page.Span
	// text gathers words until something else comes: goldmark cuts text at every character that might have meant something.
	text  strings.Builder
	style setting
}

// spans collects what is in a block of text. Ends of lines are line ends in the text still.
func (r *reader) spans(n ast.Node) []page.Span {
	c := inlines{source: r.source, notes: r.notes, cell: n.Kind() == extast.KindTableCell}
	c.inside(n, setting{})
	c.flush()
	return c.spans
}

// words adds text. Neighbours that look alike are joined before anything looks at them.
func (c *inlines) words(text string, s setting) {
	if text == "" {
		return
	}
	if s.marks != c.style.marks || s.code != c.style.code || s.link != c.style.link {
		c.flush()
		c.style = s
	}
	c.text.WriteString(text)
}

// flush ends the run of words at hand.
func (c *inlines) flush() {
	if c.text.Len() == 0 {
		return
	}
	kind := page.Words
	if c.style.code {
		kind = page.Literal
	}
	c.spans = append(c.spans, page.Span{Kind: kind, Marks: c.style.marks, Link: c.style.link, Text: c.text.String()})
	c.text.Reset()
}

// add adds an object among the words.
func (c *inlines) add(s page.Span, at setting) {
	c.flush()
	s.Marks, s.Link = at.marks, at.link
	c.spans = append(c.spans, s)
}

// inside walks the children of a node. HTML counts where a tag has its partner among them.
func (c *inlines) inside(n ast.Node, s setting) {
	if s.depth++; s.depth > maxInline {
		c.words(c.plain(n), s)
		return
	}
	tags := c.pairs(n)
	outer := s
	var open []setting
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		tag, ok := tags[child]
		switch {
		case ok && tag.closes:
			s, open = open[len(open)-1], open[:len(open)-1]
		case ok:
			open = append(open, s)
			s.marks |= tag.mark
			s.code = s.code || tag.code
		default:
			s.depth = outer.depth
			c.node(child, s)
		}
	}
}

// node adds one inline node.
func (c *inlines) node(n ast.Node, s setting) {
	switch n := n.(type) {
	case *ast.Text:
		c.line(n, s)
	case *ast.String:
		c.words(string(n.Value), s)
	case *ast.CodeSpan:
		s.code = true
		c.flush() // two code spans beside each other are two
		text := strings.ReplaceAll(c.plain(n), "\n", " ")
		if c.cell { // GFM: a bar is escaped in code too; what goldmark does about it takes quadratic time
			text = strings.ReplaceAll(text, `\|`, "|")
		}
		c.words(text, s)
	case *ast.Emphasis:
		if n.Level == 2 {
			s.marks |= page.Strong
		} else {
			s.marks |= page.Emphasis
		}
		c.inside(n, s)
	case *extast.Strikethrough:
		s.marks |= page.Strike
		c.inside(n, s)
	case *ast.Link:
		target := decode(n.Destination)
		if target != "" && !page.Dangerous(target) {
			s.link = &page.Link{Target: target}
		}
		if n.FirstChild() == nil {
			c.words(target, s)
		}
		c.inside(n, s)
	case *ast.AutoLink:
		c.auto(n, s)
	case *ast.Image:
		c.image(n, s)
	case *ast.RawHTML:
		c.raw(n, s)
	case *token:
		c.add(page.Span{Kind: page.Token, Text: page.OneLine(decode(n.text))}, s)
	case *noteMark:
		if label := string(n.label); c.notes[label] {
			c.add(page.Span{Kind: page.Footnote, Text: label}, s)
		} else {
			c.words("[^"+label+"]", s)
		}
	case *emoji:
		if s.code || s.link != nil {
			c.words(string(n.text), s)
		} else {
			c.add(page.Span{Kind: page.Emoji, Text: string(n.text)}, s)
		}
	case *box:
	default:
		c.inside(n, s)
	}
}

// line adds text, and the end of its line.
func (c *inlines) line(n *ast.Text, s setting) {
	value := n.Segment.Value(c.source)
	if n.IsRaw() || s.code {
		c.words(string(value), s)
	} else {
		c.words(decode(value), s)
	}
	if n.HardLineBreak() {
		c.add(page.Span{Kind: page.Break}, s)
	} else if n.SoftLineBreak() {
		c.words("\n", s)
	}
}

// auto adds <address>: a link, a date, or text where no scheme on the web is meant.
func (c *inlines) auto(n *ast.AutoLink, s setting) {
	text := string(n.Label(c.source))
	target := string(n.URL(c.source))
	if n.AutoLinkType == ast.AutoLinkEmail && !strings.HasPrefix(strings.ToLower(target), "mailto:") {
		target = "mailto:" + target
	}
	if day, ok := strings.CutPrefix(target, "confluence-date:"); ok && page.ValidDay(day) {
		c.add(page.Span{Kind: page.Date, Text: day}, setting{marks: s.marks})
		return
	}
	switch scheme, _, _ := strings.Cut(strings.ToLower(target), ":"); scheme {
	case "http", "https", "mailto", "ftp":
		s.link = &page.Link{Target: target}
	default: // an element with a prefix, say
		text = "<" + text + ">"
	}
	c.words(text, s)
}

// image adds an image, or its alternative text where the address is not one to load.
func (c *inlines) image(n *ast.Image, s setting) {
	alt := page.OneLine(c.plain(n))
	made := &page.Image{Target: decode(n.Destination), Caption: page.OneLine(decode(n.Title))}
	if made.Target == "" || page.Dangerous(made.Target) {
		c.words(alt, s)
		return
	}
	made.Alt, made.Size = page.CutSize(alt)
	c.add(page.Span{Kind: page.Picture, Image: made}, s)
}

// plain is the text below a node, without recursion.
func (c *inlines) plain(top ast.Node) string {
	var out strings.Builder
	for n := top.FirstChild(); n != nil; {
		switch n := n.(type) {
		case *ast.Text:
			value := n.Segment.Value(c.source)
			if n.IsRaw() || n.Parent().Kind() == ast.KindCodeSpan {
				out.Write(value)
			} else {
				out.WriteString(decode(value))
			}
			if n.SoftLineBreak() || n.HardLineBreak() {
				out.WriteByte('\n')
			}
		case *ast.AutoLink:
			out.Write(n.Label(c.source))
		case *ast.RawHTML:
			out.WriteString(rawText(n, c.source))
		case *token:
			out.WriteString("[[" + decode(n.text) + "]]")
		case *noteMark:
			out.WriteString("[^" + string(n.label) + "]")
		case *emoji:
			out.Write(n.text)
		}
		if child := n.FirstChild(); child != nil {
			n = child
			continue
		}
		for n != top && n.NextSibling() == nil {
			n = n.Parent()
		}
		if n == top {
			break
		}
		n = n.NextSibling()
	}
	return out.String()
}
