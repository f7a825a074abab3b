package markup_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

func FuzzToMarkdown(f *testing.F) {
	for seed := range int64(20) {
		f.Add(page(seed))
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
		if strings.Contains(first.Markdown, "](javascript:") || strings.Contains(first.Markdown, "<script") {
			t.Errorf("a script in %q", first.Markdown)
		}
		written, err := markup.FromMarkdown(first.Markdown, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wellFormed(t, written)
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
		for _, bad := range []string{"<script", "javascript:alert", `ac:name="html"`} {
			// Only as text or as words in it, never as an element or an address.
			if strings.Contains(written, bad) && !strings.Contains(md, bad) {
				t.Errorf("%q in %s", bad, written)
			}
		}
		stable(t, written)
	})
}
