package printing

import (
	"bytes"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"strconv"
	"strings"
)

// markupWriter writes blocks as HTML, for tables that Markdown cannot carry. It never writes an empty line, which would
// end the HTML for Markdown.
type markupWriter struct {
	out    []byte
	prefix []byte
}

func (h *markupWriter) str(text string) { h.out = append(h.out, text...) }

func (h *markupWriter) newline() {
	h.out = append(h.out, '\n')
	h.out = append(h.out, h.prefix...)
}

// table writes a row per line, so that a difference between versions shows the row.
func (h *markupWriter) table(t *page.Table) {
	h.str("<table>")
	for _, row := range t.Rows {
		h.newline()
		h.str("<tr>")
		for _, c := range row.Cells {
			h.cell(c)
		}
		h.str("</tr>")
	}
	h.newline()
	h.str("</table>")
}

// cell writes what is merged and aligned as attributes that HTML has for it.
func (h *markupWriter) cell(c page.Cell) {
	tag := "td"
	if c.Head {
		tag = "th"
	}
	h.str("<" + tag)
	if c.Colspan > 1 {
		h.str(` colspan="` + strconv.Itoa(c.Colspan) + `"`)
	}
	if c.Rowspan > 1 {
		h.str(` rowspan="` + strconv.Itoa(c.Rowspan) + `"`)
	}
	switch c.Align {
	case 'c':
		h.str(` align="center"`)
	case 'r':
		h.str(` align="right"`)
	}
	h.str(">")
	h.blocks(c.Kids)
	h.str("</" + tag + ">")
}

// blocks writes one paragraph bare, more as paragraphs.
func (h *markupWriter) blocks(list []page.Block) {
	for i := range list {
		h.block(&list[i], i == 0 && (len(list) == 1 || list[1].Kind == page.List))
	}
}

// block writes one block; a bare paragraph without tags of its own.
func (h *markupWriter) block(b *page.Block, bare bool) {
	switch b.Kind {
	case page.Paragraph:
		if bare {
			h.inline(b.Text)
			return
		}
		h.wrap("p", func() { h.inline(b.Text) })
	case page.Heading:
		h.wrap("h"+strconv.Itoa(b.Level), func() { h.inline(b.Text) })
	case page.List:
		h.list(b)
	case page.Item:
		h.blocks(b.Kids)
	case page.Quote:
		h.wrap("blockquote", func() { h.blocks(b.Kids) })
	case page.Alert:
		h.str(`<blockquote data-panel="` + b.Name + `"`)
		if b.Title != "" {
			h.str(` title="` + escapeHTML(b.Title) + `"`)
		}
		h.str(">")
		h.blocks(b.Kids)
		h.str("</blockquote>")
	case page.Details:
		h.str("<details>")
		if b.Title != "" {
			h.str("<summary>" + escapeHTML(b.Title) + "</summary>")
		}
		h.blocks(b.Kids)
		h.str("</details>")
	case page.Code:
		h.code(b)
	case page.Rule:
		h.str("<hr/>")
	case page.Grid:
		h.table(b.Table)
	case page.Frame:
		h.wrap("p", func() { h.inline(token(b.Name).Text) })
		h.blocks(b.Kids)
		h.wrap("p", func() { h.inline(token(page.Closing(b.Name)).Text) })
	case page.Note:
		kids := b.Kids
		h.str("<p>" + anchor("fn-"+b.Name) + "<sup>" + b.Name + "</sup>")
		if len(kids) > 0 && kids[0].Kind == page.Paragraph {
			h.str(" ")
			h.inline(kids[0].Text)
			kids = kids[1:]
		}
		h.str("</p>")
		for i := range kids {
			h.block(&kids[i], false)
		}
	}
}

// plainBrackets keeps text from being taken for a placeholder.
func plainBrackets(text string) string {
	if !strings.Contains(text, "confluence:") {
		return text
	}
	return strings.NewReplacer("[[confluence:", "[&#91;confluence:", "[[/confluence:", "[&#91;/confluence:").Replace(text)
}

func (h *markupWriter) wrap(tag string, inside func()) {
	h.str("<" + tag + ">")
	inside()
	h.str("</" + tag + ">")
}

// list writes items; the state of tasks is an attribute.
func (h *markupWriter) list(b *page.Block) {
	tag := "ul"
	if b.Ordered {
		tag = "ol"
	}
	h.str("<" + tag)
	if b.Ordered && b.Level != 1 {
		h.str(` start="` + strconv.Itoa(b.Level) + `"`)
	}
	h.str(">")
	for i := range b.Kids {
		h.str("<li")
		if state := taskState(b.Kids[i].Task); state != "" {
			h.str(` data-task="` + state + `"`)
			if id := b.Kids[i].Name; id != "" {
				h.str(` data-task-id="` + id + `"`)
			}
		}
		h.str(">")
		h.blocks(b.Kids[i].Kids)
		h.str("</li>")
	}
	h.str("</" + tag + ">")
}

// taskState is the word for the state of a task.
func taskState(task byte) string {
	switch task {
	case 'x':
		return "done"
	case ' ':
		return "open"
	case '!':
		return "decided"
	case '?':
		return "undecided"
	}
	return ""
}

// code writes pre; what stands behind a fence is an attribute.
func (h *markupWriter) code(b *page.Block) {
	h.str("<pre")
	if b.Name != "" || b.Info != "" {
		h.str(` data-info="` + escapeHTML(strings.TrimSpace(b.Name+" "+b.Info)) + `"`)
	}
	h.str(">")
	// Line ends beside an empty line are written as references.
	lines := strings.Split(b.Code, "\n")
	for i, line := range lines {
		if i > 0 && (strings.TrimSpace(line) == "" || strings.TrimSpace(lines[i-1]) == "" || len(h.prefix) > 0) {
			h.str("&#10;")
		} else if i > 0 {
			h.out = append(h.out, '\n')
		}
		h.str(escapeHTML(line))
	}
	h.str("</pre>")
}

// inline writes spans, each in its own tags.
func (h *markupWriter) inline(spans []page.Span) {
	var open page.Marks
	var at *page.Link
	closeAll := func() {
		for m := page.Strike; m > 0; m >>= 1 {
			if open&m != 0 {
				h.str("</" + tagOf(m) + ">")
			}
		}
		open = 0
	}
	for i := range spans {
		s := &spans[i]
		if s.Marks != open || s.Link != at {
			closeAll()
			if s.Link != at && at != nil {
				h.str("</a>")
			}
			if s.Link != at && s.Link != nil {
				h.str(`<a href="` + escapeHTML(s.Link.Target) + `">`)
			}
			at = s.Link
			for m := page.Marks(1); m <= page.Strike; m <<= 1 {
				if s.Marks&m != 0 {
					h.str("<" + tagOf(m) + ">")
				}
			}
			open = s.Marks
		}
		h.span(s)
	}
	closeAll()
	if at != nil {
		h.str("</a>")
	}
}

// tagOf is the element of a mark.
func tagOf(m page.Marks) string {
	switch m {
	case page.Strong:
		return "strong"
	case page.Emphasis:
		return "em"
	case page.Strike:
		return "s"
	}
	return (&layer{mark: m}).tag()
}

func (h *markupWriter) span(s *page.Span) {
	switch s.Kind {
	case page.Words:
		h.str(plainBrackets(escapeHTML(s.Text)))
	case page.Literal:
		h.str("<code>" + escapeHTML(s.Text) + "</code>")
	case page.Break:
		h.str("<br/>")
	case page.Picture:
		h.str(`<img src="` + escapeHTML(s.Image.Target) + `" alt="` + escapeHTML(altText(s.Image)))
		h.str(`"`)
		if s.Image.Caption != "" {
			h.str(` title="` + escapeHTML(s.Image.Caption) + `"`)
		}
		h.str("/>")
	case page.Date:
		h.str(`<a href="confluence-date:` + escapeHTML(s.Text) + `">` + escapeHTML(s.Text) + "</a>")
	case page.Token:
		h.str(escapeHTML("[[" + s.Text + "]]"))
	case page.Anchor:
		h.str(anchor(s.Text))
	case page.Footnote:
		h.str(`<a href="confluence-footnote:` + s.Text + `">` + s.Text + `</a>`)
	case page.Emoji:
		h.str(s.Text)
	}
	if bytes.HasSuffix(h.out, []byte("\n")) {
		h.out = h.out[:len(h.out)-1]
	}
}
