package markup_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math/rand"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// wellFormed checks what we wrote with our own parser and with the standard library's.
func wellFormed(t *testing.T, body string) {
	t.Helper()
	if err := storage.Check(body); err != nil {
		t.Fatalf("written body: %v\n%s", err, body)
	}
	d := xml.NewDecoder(strings.NewReader(`<root xmlns:ac="ac" xmlns:ri="ri">` + body + `</root>`))
	d.Strict, d.Entity = true, xml.HTMLEntity // what is put back may hold them
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("written body, by encoding/xml: %v\n%s", err, body)
		}
	}
}

// stable checks that Markdown read from a page is the same after it was written and read again.
func stable(t *testing.T, body string) {
	t.Helper()
	first, err := markup.ToMarkdown(body, markup.Options{})
	if err != nil {
		t.Fatalf("ToMarkdown: %v\n%s", err, body)
	}
	original := func(placeholder string) (string, bool) {
		text, ok := first.Originals[placeholder]
		return text, ok
	}
	written, err := markup.FromMarkdown(first.Markdown, markup.Options{Original: original})
	if err != nil {
		t.Fatalf("FromMarkdown: %v", err)
	}
	wellFormed(t, written)
	again, err := markup.ToMarkdown(written, markup.Options{})
	if err != nil {
		t.Fatalf("ToMarkdown of what was written: %v", err)
	}
	if diff := cmp.Diff(first.Markdown, again.Markdown); diff != "" {
		t.Fatalf("Markdown changes when it is written and read again (-first +again):\n%s\npage:\n%s\nMarkdown:\n%s\nwritten:\n%s", diff, body, first.Markdown, written)
	}
}

// author writes random pages with everything that has a form in both directions.
type author struct {
	*rand.Rand
	out   strings.Builder
	tasks int
}

func (a *author) s(parts ...string) {
	for _, p := range parts {
		a.out.WriteString(p)
	}
}

func (a *author) pick(options ...string) string { return options[a.Intn(len(options))] }

func (a *author) word() string {
	return a.pick("alpha", "beta", "x", "*", "**", "_", "a_b_c", "__init__", "1.", "2)", "-", "+", "#", "##", "&gt;", "&lt;b&gt;", "`", "``", "~", "~~", "|", "\\", "\\\\",
		"[x]", "[ ]", "[a](b)", "![i](j)", "!", "&amp;", "&amp;amp;", "&amp;nbsp;", "https://example.org/a_b", "http://x.y/(z),", "a@b.org", "===", "---", "***", "| a | b |",
		"&lt;!--", "ä", "日本", "é́", "👍", "&nbsp;", "(", ")", "\"", "'", ":", ":-:", "--- | ---", "[!NOTE]", "[[confluence:toc#1]]", "$x$", "2024.", "\t", "\n", "&lt;/u&gt;",
		"&lt;details&gt;", "$", "{", "}", "^", "=", "~~~", "```go", "&#8203;", ".", ",", "0", "&amp;#35;", ":smile:", ":a", "b:", "[^1]", "[^", "[^1]:", ": x", "&lt;a id=\"x\"&gt;&lt;/a&gt;", "&lt;!-- task 3 --&gt;", "www.example.org", "a.", "e\u0301")
}

func (a *author) inline(depth int) {
	for range 1 + a.Intn(4) {
		switch n := a.Intn(30); {
		case n < 10 || depth <= 0:
			a.s(a.word())
			if a.Intn(2) == 0 {
				a.s(" ")
			}
		case n < 16:
			tag := a.pick("strong", "em", "u", "s", "sub", "sup", "b", "i", "del")
			a.s("<", tag, ">")
			a.inline(depth - 1)
			a.s("</", tag, ">")
		case n < 18:
			a.s("<code>", a.word(), a.pick("", " ", a.word()), "</code>")
		case n < 19:
			a.s("<br/>")
		case n < 21:
			a.link(depth)
		case n < 22:
			a.s(`<time datetime="2026-11-02"/>`)
		case n < 23:
			a.s(`<ac:structured-macro ac:name="status"><ac:parameter ac:name="colour">Green</ac:parameter><ac:parameter ac:name="title">`, a.pick("LIVE", "a b", "x*y"),
				`</ac:parameter></ac:structured-macro>`)
		case n < 24:
			a.s(`<ac:structured-macro ac:name="anchor"><ac:parameter ac:name="">`, a.pick("setup", "a &amp; b", "fn-1", "]"), `</ac:parameter></ac:structured-macro>`)
		case n < 25:
			a.s(`<ac:emoticon ac:name="`, a.pick("tick", "blue-star"), `" ac:emoji-shortname="`, a.pick(":party:", ":x_1:", "odd"), `" ac:emoji-fallback="`, a.pick("👍", ":party:"), `"/>`)
		case n < 26:
			a.s(`<ac:inline-comment-marker ac:ref="5d0c">`)
			a.inline(depth - 1)
			a.s(`</ac:inline-comment-marker>`)
		case n < 27:
			a.s(`<span style="color: rgb(191,38,0);">`)
			a.inline(depth - 1)
			a.s(`</span>`)
		case n < 28:
			a.s(`<ac:structured-macro ac:name="tooltip"><ac:rich-text-body>`)
			if a.Intn(3) > 0 {
				a.paragraph(depth - 1)
			} else {
				a.inline(depth - 1)
			}
			a.s(`</ac:rich-text-body></ac:structured-macro>`)
		case n < 29:
			a.s(`<ac:structured-macro ac:name="jira"><ac:parameter ac:name="key">OPS-`, a.pick("7", "8"), `</ac:parameter></ac:structured-macro>`)
		default:
			a.s(`<ac:image ac:alt="`, a.pick("alt", "", "a|3", "[x]", "*b*"), `" ac:width="`, a.pick("320", "", "10"), `"><ri:attachment ri:filename="`, a.pick("a.png", "b c.png", "d(e).png", "f%.png"),
				`"/></ac:image>`)
		}
	}
}

func (a *author) link(depth int) {
	body := func() {
		if a.Intn(3) > 0 {
			a.s("<ac:link-body>")
			a.inline(depth - 1)
			a.s("</ac:link-body>")
		}
		a.s("</ac:link>")
	}
	switch a.Intn(6) {
	case 0, 1:
		a.s(`<a href="`, a.pick("https://example.org/a_b", "https://example.org/(x", "mailto:a@b.org", "/wiki/x y", "https://a/?b=1&amp;amp=2", "#top", "https://a/|b", "javascript:alert(1)"), `">`)
		a.inline(depth - 1)
		a.s("</a>")
	case 2:
		a.s(`<ac:link ac:anchor="`, a.pick("", "x", "a b"), `"><ri:page ri:space-key="`, a.pick("", "OPS"), `" ri:content-title="`, a.pick("Title", "A/B", "What? #1", "50% (a)", "&lt;x&gt;"), `"/>`)
		body()
	case 3:
		a.s(`<ac:link><ri:attachment ri:filename="`, a.pick("a.txt", "b c.txt"), `"/>`)
		body()
	case 4:
		a.s(`<ac:link><ri:user ri:account-id="557058:`, a.pick("a", "b-c"), `"/></ac:link>`)
	default:
		a.s(`<ac:link><ri:blog-post ri:content-title="GA" ri:posting-day="2026/05/01"/>`)
		body()
	}
}

func (a *author) paragraph(depth int) {
	a.s("<p>")
	a.inline(depth)
	a.s("</p>")
}

func (a *author) blocks(depth int) {
	for range 1 + a.Intn(3) {
		a.block(depth)
	}
}

func (a *author) block(depth int) {
	n := a.Intn(24)
	if depth <= 0 {
		n = a.Intn(8)
	}
	switch n {
	default:
		a.paragraph(3)
	case 4:
		tag := "h" + strconv.Itoa(1+a.Intn(6))
		a.s("<", tag, ">")
		a.inline(2)
		a.s("</", tag, ">")
	case 5:
		a.s("<hr/>")
	case 6:
		a.s(`<ac:structured-macro ac:name="`, a.pick("code", "noformat"), `"><ac:parameter ac:name="language">`, a.pick("go", "", "c++", "a b", "x=y"), `</ac:parameter><ac:parameter ac:name="title">`,
			a.pick("", "main.go", `a "b" \ &amp; c`, "x`y"), `</ac:parameter><ac:parameter ac:name="linenumbers">`, a.pick("true", "false"), `</ac:parameter><ac:plain-text-body><![CDATA[`,
			a.pick("a", "```\nx\n```", "\tx\n\n  y", "a]]", "", "\n", "x\n", "~~~\n", "a\n\n\nb", "  a"), `]]></ac:plain-text-body></ac:structured-macro>`)
	case 8, 9, 10:
		a.list(depth)
	case 11:
		a.s("<blockquote>")
		a.blocks(depth - 1)
		a.s("</blockquote>")
	case 12:
		a.s(`<ac:structured-macro ac:name="`, a.pick("info", "note", "tip", "warning", "panel", "expand"), `">`)
		if a.Intn(2) == 0 {
			a.s(`<ac:parameter ac:name="title">`, a.pick("Careful", "a *b* &lt;c&gt;", "x [y](z)"), `</ac:parameter>`)
		}
		a.s("<ac:rich-text-body>")
		a.blocks(depth - 1)
		a.s("</ac:rich-text-body></ac:structured-macro>")
	case 13, 14, 15:
		a.table(depth)
	case 16:
		a.s("<ac:task-list>")
		for range 1 + a.Intn(3) {
			a.tasks++
			a.s("<ac:task><ac:task-id>", strconv.Itoa(a.tasks), "</ac:task-id><ac:task-status>", a.pick("complete", "incomplete"), "</ac:task-status><ac:task-body>")
			if a.Intn(4) > 0 {
				a.inline(2)
			}
			if a.Intn(4) == 0 {
				a.block(depth - 1)
			}
			a.s("</ac:task-body></ac:task>")
		}
		a.s("</ac:task-list>")
	case 17:
		a.s("<ac:layout><ac:layout-section ac:type=\"two_equal\"><ac:layout-cell>")
		a.blocks(depth - 1)
		a.s("</ac:layout-cell><ac:layout-cell>")
		a.blocks(depth - 1)
		a.s("</ac:layout-cell></ac:layout-section></ac:layout>")
	case 19, 20:
		a.s(`<ac:structured-macro ac:name="`, a.pick("excerpt", "details", "section", "x y"), `"><ac:parameter ac:name="name">`, a.pick("sla", "a]]b"), `</ac:parameter><ac:rich-text-body>`)
		a.blocks(depth - 1)
		a.s("</ac:rich-text-body></ac:structured-macro>")
	case 21:
		a.s(`<ac:adf-extension><ac:adf-node type="decision-list">`)
		for range 1 + a.Intn(3) {
			a.s(`<ac:adf-node type="decision-item"><ac:adf-attribute key="state">`, a.pick("DECIDED", "UNDECIDED"), `</ac:adf-attribute><ac:adf-content>`)
			a.inline(2)
			a.s(`</ac:adf-content></ac:adf-node>`)
		}
		a.s(`</ac:adf-node></ac:adf-extension>`)
	case 22:
		a.s(`<ac:structured-macro ac:name="plantuml"><ac:plain-text-body><![CDATA[`, a.pick("a -> b", "", "```\n", "x\n\ny"), `]]></ac:plain-text-body></ac:structured-macro>`)
	case 23:
		a.s(`<p><ac:structured-macro ac:name="anchor"><ac:parameter ac:name="">fn-1</ac:parameter></ac:structured-macro><sup>1</sup> `)
		a.inline(2)
		a.s(`</p><p>see <sup><ac:link ac:anchor="fn-1"><ac:link-body>1</ac:link-body></ac:link></sup></p>`)
	case 18:
		a.s("<pre>", a.word(), "\n", a.word(), "</pre>")
	}
}

func (a *author) list(depth int) {
	tag := a.pick("ul", "ol")
	a.s("<", tag)
	if tag == "ol" && a.Intn(3) == 0 {
		a.s(` start="`, a.pick("0", "3", "99"), `"`)
	}
	a.s(">")
	for range 1 + a.Intn(3) {
		a.s("<li>")
		switch a.Intn(5) {
		case 0:
			a.inline(2)
		case 1:
			a.inline(1)
			a.list(depth - 1)
		case 2:
			a.paragraph(2)
		case 3:
			if depth > 0 {
				a.blocks(depth - 1)
			}
		}
		a.s("</li>")
	}
	a.s("</", tag, ">")
}

func (a *author) table(depth int) {
	columns, headRow, headColumn := 1+a.Intn(3), a.Intn(3) > 0, a.Intn(3) == 0
	a.s("<table><tbody>")
	for row := range 1 + a.Intn(3) {
		a.s("<tr>")
		for column := range columns {
			tag := "td"
			if headRow && row == 0 || headColumn && column == 0 {
				tag = "th"
			}
			a.s("<", tag)
			if a.Intn(30) == 0 {
				a.s(` colspan="2"`)
			}
			a.s(">")
			switch a.Intn(10) {
			case 0:
			case 1:
				a.s(`<p style="text-align: center;">c</p>`)
			case 2:
				if a.Intn(3) == 0 {
					a.blocks(depth - 2)
				}
			case 3:
				a.paragraph(1)
				a.paragraph(1)
			default:
				a.paragraph(2)
			}
			a.s("</", tag, ">")
		}
		a.s("</tr>")
	}
	a.s("</tbody></table>")
}

func page(seed int64) string {
	a := author{Rand: rand.New(rand.NewSource(seed))}
	a.blocks(3)
	return a.out.String()
}

func TestMarkdownIsStable(t *testing.T) {
	for seed := range int64(400) {
		stable(t, page(seed))
	}
}
