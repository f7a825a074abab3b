package markup_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

func FuzzToMarkdown(f *testing.F) {
	for seed := range int64(20) {
		f.Add(page(seed))
	}
	for _, body := range goldenPages(f) {
		f.Add(body)
	}
	for _, s := range []string{
		"", "a", "<p>a</p>", "<p><strong>a</strong>b</p>", "<ac:unknown><p>x</p></ac:unknown>", `<ac:structured-macro ac:name="x"/>`,
		"<table><tr><td colspan=\"2\"><ul><li>a</li></ul></td></tr></table>", `{"type":"doc","version":1,"content":[]}`, "<p>&#13;&#9;</p>",
		`<ac:link><ri:page ri:content-title="&lt;&#10;]]"/></ac:link>`, `<a href=" java&#10;script:x">y</a>`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		first, err := markup.ToMarkdown(body, markup.Options{})
		if err != nil {
			return
		}
		written, err := markup.FromMarkdown(first.Markdown, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, written)
		harmless(t, written)
	})
}

func FuzzFromMarkdown(f *testing.F) {
	for seed := range int64(20) {
		read, err := markup.ToMarkdown(page(seed), markup.Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(read.Markdown)
	}
	for _, body := range goldenPages(f) {
		read, err := markup.ToMarkdown(body, markup.Options{})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(read.Markdown)
	}
	for _, s := range []string{
		"<script>alert(1)</script>", "[x](javascript:alert(1))", "<details>\n<summary>a</summary>\n\nb\n\n</details>", "- [ ] a\n- b", "> [!NOTE] x\n> y",
		"<ac:structured-macro ac:name=\"html\"/>", "| a |\n|---|\n| b |", "a\x00b\x07", "```\n]]>\n```", "<table><tr><td><b>x</td></tr></table>", "[[confluence:toc#1]]",
		"![a](data:image/png;base64,AAAA)", "<https://example.org>", "1. [x] a", "&#x1;&#0;",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, md string) {
		written, err := markup.FromMarkdown(md, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, written)
		harmless(t, written)
		stable(t, written)
	})
}

// FuzzRewrite holds the laws of writing a page anew: what was not edited keeps its bytes; an edit beside a page leaves all of
// that page's bytes alone; what comes out is well-formed and reads as what was edited.
func FuzzRewrite(f *testing.F) {
	for seed := range int64(20) {
		f.Add(page(seed), "A new **text**.")
	}
	for _, body := range goldenPages(f) {
		f.Add(body, "- [ ] task\n\n| a |\n| --- |\n| b |")
	}
	f.Add("a<p>b</p>c", "[[confluence:toc#1]]")
	f.Add("<table><tr><td>a<ul><li>b</li></ul></td></tr></table>", "<details>\n\nx\n\n</details>")
	f.Add(`<p>a <ac:inline-comment-marker ac:ref="1">b</ac:inline-comment-marker></p>`, "[^1]: note")
	f.Fuzz(func(t *testing.T, body, more string) {
		doc, err := markup.ToMarkdown(body, markup.Options{})
		if err != nil || strings.HasPrefix(strings.TrimSpace(body), "{") {
			return
		}
		if after := rewrite(t, body, doc.Markdown); after != body {
			t.Fatalf("bytes changed:\n%s", cmp.Diff(body, after))
		}
		after, _, err := markup.Rewrite(body, doc.Markdown+"\n"+more, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, after)
		if plain := wordOnly(more); plain != "" {
			after, lost, err := markup.Rewrite(body, doc.Markdown+"\n"+plain+"\n", markup.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(lost) > 0 || !keeps(after, body) {
				t.Fatalf("lost %q, bytes changed:\n%s", lost, cmp.Diff(body, after))
			}
		}
	})
}

// wordOnly keeps the letters of a text.
func wordOnly(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, text)
}

// keeps reports whether after is before with one piece put in somewhere.
func keeps(after, before string) bool {
	n := 0
	for n < len(before) && n < len(after) && before[n] == after[n] {
		n++
	}
	return strings.HasSuffix(after, before[n:])
}

// goldenPages are the pages of the golden files.
func goldenPages(tb testing.TB) []string {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no golden files (%v)", err)
	}
	long, err := filepath.Glob("testdata/pages/*.txtar")
	if err != nil {
		tb.Fatal(err)
	}
	var pages []string
	for _, file := range append(files, long...) {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".storage") {
				pages = append(pages, strings.TrimSuffix(string(f.Data), "\n"))
			}
		}
	}
	return pages
}
