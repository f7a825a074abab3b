package reading

import (
	"bytes"
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

func (h *markupWriter) table(t *table) {
	h.str("<table>")
	for _, row := range t.rows {
		h.newline()
		h.str("<tr>")
		for _, c := range row {
			h.cell(c)
		}
		h.str("</tr>")
	}
	h.newline()
	h.str("</table>")
}

func (h *markupWriter) cell(c cell) {
	tag := "td"
	if c.head {
		tag = "th"
	}
	h.str("<" + tag)
	if c.colspan > 1 {
		h.str(` colspan="` + strconv.Itoa(c.colspan) + `"`)
	}
	if c.rowspan > 1 {
		h.str(` rowspan="` + strconv.Itoa(c.rowspan) + `"`)
	}
	switch c.align {
	case 'c':
		h.str(` align="center"`)
	case 'r':
		h.str(` align="right"`)
	}
	h.str(">")
	h.blocks(c.kids)
	h.str("</" + tag + ">")
}

// blocks writes one paragraph bare, more as paragraphs.
func (h *markupWriter) blocks(list []block) {
	for i := range list {
		h.block(&list[i], i == 0 && (len(list) == 1 || list[1].kind == listKind))
	}
}

func (h *markupWriter) block(b *block, bare bool) {
	switch b.kind {
	case paragraph:
		if bare {
			h.inline(b.text)
			return
		}
		h.wrap("p", func() { h.inline(b.text) })
	case heading:
		h.wrap("h"+strconv.Itoa(b.level), func() { h.inline(b.text) })
	case list:
		h.list(b)
	case item:
		h.blocks(b.kids)
	case quote:
		h.wrap("blockquote", func() { h.blocks(b.kids) })
	case alert:
		h.str(`<blockquote data-panel="` + b.name + `"`)
		if b.title != "" {
			h.str(` title="` + escapeHTML(b.title) + `"`)
		}
		h.str(">")
		h.blocks(b.kids)
		h.str("</blockquote>")
	case details:
		h.str("<details>")
		if b.title != "" {
			h.str("<summary>" + escapeHTML(b.title) + "</summary>")
		}
		h.blocks(b.kids)
		h.str("</details>")
	case code:
		h.code(b)
	case rule:
		h.str("<hr/>")
	case grid:
		h.table(b.table)
	}
}

func (h *markupWriter) wrap(tag string, inside func()) {
	h.str("<" + tag + ">")
	inside()
	h.str("</" + tag + ">")
}

func (h *markupWriter) list(b *block) {
	tag := "ul"
	if b.ordered {
		tag = "ol"
	}
	h.str("<" + tag)
	if b.ordered && b.level != 1 {
		h.str(` start="` + strconv.Itoa(b.level) + `"`)
	}
	h.str(">")
	for i := range b.kids {
		h.str("<li>")
		if task := b.kids[i].task; task != 0 {
			h.str("[" + string(task) + "] ")
		}
		h.blocks(b.kids[i].kids)
		h.str("</li>")
	}
	h.str("</" + tag + ">")
}

func (h *markupWriter) code(b *block) {
	h.str("<pre")
	if b.name != "" || b.info != "" {
		h.str(` data-info="` + escapeHTML(strings.TrimSpace(b.name+" "+b.info)) + `"`)
	}
	h.str(">")
	// Line ends beside an empty line are written as references.
	lines := strings.Split(b.code, "\n")
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
func (h *markupWriter) inline(spans []span) {
	var open marks
	var at *link
	closeAll := func() {
		for m := strike; m > 0; m >>= 1 {
			if open&m != 0 {
				h.str("</" + tagOf(m) + ">")
			}
		}
		open = 0
	}
	for i := range spans {
		s := &spans[i]
		if s.marks != open || s.link != at {
			closeAll()
			if s.link != at && at != nil {
				h.str("</a>")
			}
			if s.link != at && s.link != nil {
				h.str(`<a href="` + escapeHTML(s.link.target) + `">`)
			}
			at = s.link
			for m := marks(1); m <= strike; m <<= 1 {
				if s.marks&m != 0 {
					h.str("<" + tagOf(m) + ">")
				}
			}
			open = s.marks
		}
		h.span(s)
	}
	closeAll()
	if at != nil {
		h.str("</a>")
	}
}

func tagOf(m marks) string {
	switch m {
	case strong:
		return "strong"
	case emphasis:
		return "em"
	case strike:
		return "s"
	}
	return (&layer{mark: m}).tag()
}

func (h *markupWriter) span(s *span) {
	switch s.kind {
	case words:
		h.str(escapeHTML(s.text))
	case literal:
		h.str("<code>" + escapeHTML(s.text) + "</code>")
	case lineBreak:
		h.str("<br/>")
	case picture:
		h.str(`<img src="` + escapeHTML(s.image.target) + `" alt="` + escapeHTML(oneLine(s.image.alt)))
		if s.image.size != "" {
			h.str("|" + escapeHTML(s.image.size))
		}
		h.str(`"`)
		if s.image.caption != "" {
			h.str(` title="` + escapeHTML(s.image.caption) + `"`)
		}
		h.str("/>")
	case auto:
		h.str(`<a href="` + escapeHTML(s.text) + `">` + escapeHTML(strings.TrimPrefix(s.text, "confluence-date:")) + "</a>")
	case token:
		h.str(escapeHTML("[[" + s.text + "]]"))
	}
	if bytes.HasSuffix(h.out, []byte("\n")) {
		h.out = h.out[:len(h.out)-1]
	}
}
