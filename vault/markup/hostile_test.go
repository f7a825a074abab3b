package markup_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// A conversion of what follows takes well under a second on an idle machine; what grows with the square of its input would
// take minutes.
const (
	patience = 10 * time.Second
	large    = 5 << 20 // as large as a page's body gets
	small    = 64 << 10
)

func timed(t *testing.T, what string, size int, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > patience*time.Duration(1+size/(1<<20)) {
		t.Errorf("%.40q took %v", what, took)
	}
}

func TestReadingIsLinear(t *testing.T) {
	for _, s := range []struct {
		before, repeated, after string
		size                    int
	}{
		{"", realisticSection, "", large},
		{"<p>", "words and more words ", "</p>", small},
		{"<p>", "*a_ ", "</p>", small},
		{"<p>", "<b>a</b><i>b</i>", "</p>", small},
		{"<p>", "<b>a</b> <a href=\"x\">c</a>", "</p>", small},
		{"<p><a href=\"x\">", "<b>a</b>", "</a></p>", small},
		{"<p>", "<br/>", "</p>", small},
		{"<p>", "[[confluence:", "</p>", small},
		{"<p>", "http://a", "</p>", small},
		{"<p>", "&amp;", "</p>", small},
		{"<code>", "`", "</code>", small},
		{"<h1>", "#", "</h1>", small},
		{"", "<ac:x/>", "", small},
		{"<ul>", "<li>a</li>", "</ul>", small},
		{"<table>", "<tr><td>a</td></tr>", "</table>", small},
		{"<table><tr>", "<td>a</td>", "</tr></table>", small},
		{"<table><tr><td>", "<ul><li>a</li></ul>", "</td></tr></table>", small},
		{"<ac:structured-macro ac:name=\"x\"><ac:parameter ac:name=\"a\">", "] ]]", "</ac:parameter></ac:structured-macro>", small},
		{"<ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[", "`\n", "]]></ac:plain-text-body></ac:structured-macro>", small},
		{strings.Repeat("<blockquote>", 200), "<p>a</p>", strings.Repeat("</blockquote>", 200), small},
		{"", strings.Repeat("<ul><li>", 100) + "a" + strings.Repeat("</li></ul>", 100), "", small},
		{strings.Repeat("<table><tr><td><p>x</p>", 60), "<p>a</p>", strings.Repeat("</td></tr></table>", 60), small},
	} {
		body := s.before + strings.Repeat(s.repeated, s.size/len(s.repeated)) + s.after
		timed(t, s.before+s.repeated, s.size, func() {
			read, err := markup.ToMarkdown(body, markup.Options{})
			if err != nil {
				t.Errorf("%.40q: %v", s.repeated, err)
			}
			if len(read.Markdown) > 8*len(body) {
				t.Errorf("%.40q: %d bytes became %d", s.repeated, len(body), len(read.Markdown))
			}
		})
	}
}

func TestReadingRefusesDepth(t *testing.T) {
	for _, tag := range []string{"p", "ul", "blockquote", "table", "strong", "ac:rich-text-body"} {
		_, err := markup.ToMarkdown(strings.Repeat("<"+tag+">", 10_000)+strings.Repeat("</"+tag+">", 10_000), markup.Options{})
		if _, ok := errors.AsType[*storage.Error](err); !ok {
			t.Errorf("10,000 × <%s>: %v, want a storage.Error", tag, err)
		}
	}
	deep := strings.Repeat(`{"type":"blockquote","content":[`, 9_000)
	read, err := markup.ToMarkdown(`{"type":"doc","content":[`+deep+`{"type":"text","text":"found"}`+strings.Repeat("]}", 9_000)+`]}`, markup.Options{})
	if err != nil || !strings.Contains(read.Markdown, "found") {
		t.Errorf("a deep ADF body: %v, %.80q", err, read.Markdown)
	}
}

func TestWritingIsLinear(t *testing.T) {
	for _, s := range []string{
		"[", "](", "[a](b", "[a](<b", "*a ", "_a*", "**a", "`a``", "> ", "- ", "<a ", "<!--", "![", "[a][", "~~a", "a|", "\\", "<u>", "<u></b>", "<b><u>",
		"[[confluence:", "<details>\n\n", "\n\n- a\n", "  - a\n", "[a]: b\n\n", "a*b**", "https://", "x\\\n", "```\n", "| `\\|` |\n|---|\n", "[![a](b)", "> - ", "&amp",
		":a1:", ":", "[^a]", "[^a]: b\n", "a\n: b\n\n", "[[confluence:x#1]]", "[[confluence:x#1]]\n\n", "[[/confluence:x#1]]\n\n", "<a id=\"x\">", "<a id=\"x\"></a>", "- [ ] a <!-- task 1 -->\n",
		"[^a]: ", "    [^a]: b\n", "| a |\n|---|\n", "`|", "|``",
	} {
		md := strings.Repeat(s, small/len(s))
		timed(t, s, small, func() {
			written, err := markup.FromMarkdown(md, markup.Options{})
			if err != nil {
				t.Error(err)
			}
			wellFormed(t, written)
		})
	}
}

func TestWritingBoundsDepth(t *testing.T) {
	for _, s := range []string{">", "- ", "1. ", "> - ", "*", "[", "<details>\n\n", "<u>"} {
		written, err := markup.FromMarkdown(strings.Repeat(s, 10_000)+"found", markup.Options{})
		if err != nil || !strings.Contains(written, "found") {
			t.Errorf("10,000 × %q: %v", s, err)
		}
		wellFormed(t, written)
		if _, err := markup.ToMarkdown(written, markup.Options{}); err != nil {
			t.Errorf("10,000 × %q cannot be read again: %v", s, err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	body := strings.Repeat("a", storage.MaxSize+1)
	if _, err := markup.ToMarkdown(body, markup.Options{}); !errors.Is(err, markup.ErrTooLarge) {
		t.Errorf("ToMarkdown: %v, want ErrTooLarge", err)
	}
	if _, err := markup.FromMarkdown(body, markup.Options{}); !errors.Is(err, markup.ErrTooLarge) {
		t.Errorf("FromMarkdown: %v, want ErrTooLarge", err)
	}
}

func TestForbiddenCharacters(t *testing.T) {
	got, err := markup.FromMarkdown("a\x00b\x07c\xff\uffffd\n\n```x\x01\ne\x02]]>f\n```\n\n[g](http://h\x03i)", markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `<p>abcd</p><ac:structured-macro ac:name="code" ac:schema-version="1"><ac:parameter ac:name="language">x</ac:parameter><ac:plain-text-body>` +
		`<![CDATA[e]]]]><![CDATA[>f]]></ac:plain-text-body></ac:structured-macro><p><a href="http://hi">g</a></p>`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	wellFormed(t, got)
}

func TestOriginalsAreChecked(t *testing.T) {
	for original, want := range map[string]string{
		`<ac:structured-macro ac:name="toc" />`: `<ac:structured-macro ac:name="toc" />`,
		"<ac:broken>":                           "<p>[[confluence:toc#1]]</p>",
		"</p>":                                  "<p>[[confluence:toc#1]]</p>",
		"":                                      "<p>[[confluence:toc#1]]</p>",
	} {
		got, err := markup.FromMarkdown("[[confluence:toc#1]]", markup.Options{Original: func(placeholder string) (string, bool) {
			return original, placeholder == "[[confluence:toc#1]]"
		}})
		if err != nil || got != want {
			t.Errorf("original %q: %q, %v, want %q", original, got, err, want)
		}
	}
}

// A short text that names a large macro many times makes no text that is many times as large.
func TestPlaceholdersAreBounded(t *testing.T) {
	macro := `<ac:structured-macro ac:name="x"><ac:parameter ac:name="a">` + strings.Repeat("a", 100<<10) + `</ac:parameter></ac:structured-macro>`
	read, err := markup.ToMarkdown(macro, markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	many := strings.Repeat(read.Markdown+"\n", 2000)
	written, err := markup.FromMarkdown(many, markup.Options{Original: read.Lookup(nil)})
	if most := 8*storage.MaxSize + 4*len(many); err != nil || len(written) > most {
		t.Errorf("%d bytes became %d, %v", len(many), len(written), err)
	}
	after, _, err := markup.Rewrite(macro, many, markup.Options{})
	if most := 8*storage.MaxSize + 4*len(many); err != nil || len(after) > most {
		t.Errorf("rewritten, %d bytes became %d, %v", len(many), len(after), err)
	}
}

// TestRewritingIsLinear edits large pages at one place, or everywhere.
func TestRewritingIsLinear(t *testing.T) {
	for _, s := range []struct{ before, repeated, after string }{
		{"", "<p>a</p>", ""}, {"", "a<br/>", ""}, {"<p>", "a <strong>b</strong> ", "</p>"}, {"<ul>", "<li>a</li>", "</ul>"}, {"", "<ul><li>a</li></ul>", ""},
		{"<table><tbody>", "<tr><td>a</td><td>b</td></tr>", "</tbody></table>"}, {"<table><tbody><tr>", "<td>a</td>", "</tr></tbody></table>"},
		{"<p>", `<ac:inline-comment-marker ac:ref="1">a</ac:inline-comment-marker>`, "</p>"}, {"<p>", `<span style="color: red;">a</span>`, "</p>"},
		{"", `<ac:structured-macro ac:name="toc"/>`, ""}, {"", `<ac:structured-macro ac:name="excerpt"><ac:rich-text-body><p>a</p></ac:rich-text-body></ac:structured-macro>`, ""},
		{"<p>", `<a href="https://example.org">a</a>`, "</p>"}, {"<p>", "&amp;", "</p>"}, {"", "<p>x<hr/>y</p>", ""},
	} {
		body := s.before + strings.Repeat(s.repeated, small/2/len(s.repeated)) + s.after
		read, err := markup.ToMarkdown(body, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		half := len(read.Markdown) / 2
		for name, edited := range map[string]string{
			"at the end": read.Markdown + "\nmore\n", "everywhere": strings.ReplaceAll(read.Markdown, "a", "b c"), "the first half": read.Markdown[half:], "nothing left": "",
		} {
			timed(t, name+": "+s.before+s.repeated, small/2, func() {
				after, _, err := markup.Rewrite(body, edited, markup.Options{})
				if err != nil {
					t.Error(err)
				}
				wellFormed(t, after)
			})
		}
	}
}

func TestRewritingBoundsDepth(t *testing.T) {
	for _, tag := range []string{"blockquote", "ul><li", "ac:layout-cell", "div", "strong", "span"} {
		opening, closing := "<"+tag+">", ""
		for _, name := range strings.Split(tag, "><") {
			closing = "</" + name + ">" + closing
		}
		n := 250 / strings.Count(closing, "<")
		body := strings.Repeat(opening, n) + "<p>found</p>" + strings.Repeat(closing, n)
		read, err := markup.ToMarkdown(body, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		after, _, err := markup.Rewrite(body, strings.Replace(read.Markdown, "found", "changed", 1), markup.Options{})
		if err != nil || !strings.Contains(after, "changed") {
			t.Errorf("%s: %v, %.80q", tag, err, after)
		}
		wellFormed(t, after)
	}
}
