package markup_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	markuppage "github.com/coatcheck-mcp/coatcheck/vault/markup/page"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

// What Markdown alone can make of a page. Nothing of it runs.
var (
	harmlessElements = strings.Fields(`p h1 h2 h3 h4 h5 h6 ul ol li table tbody tr td th blockquote hr br strong em u s sub sup code a time
		ac:structured-macro ac:parameter ac:rich-text-body ac:plain-text-body ac:link ac:link-body ac:image ac:caption ac:emoticon
		ac:task-list ac:task ac:task-id ac:task-status ac:task-body ac:adf-extension ac:adf-node ac:adf-attribute ac:adf-content
		ri:page ri:blog-post ri:attachment ri:space ri:content-entity ri:user ri:url`)
	harmlessMacros     = strings.Fields(`code noformat info note tip warning panel expand status anchor mathblock mathblock-macro easy-math-block`)
	harmlessAttributes = strings.Fields(`href style start colspan rowspan datetime type key
		ac:name ac:schema-version ac:anchor ac:alt ac:width ac:height ac:emoji-shortname ac:emoji-id ac:emoji-fallback
		ri:content-title ri:space-key ri:posting-day ri:filename ri:content-id ri:account-id ri:userkey ri:username ri:value`)
)

// harmless checks that a page holds nothing but that.
func harmless(t *testing.T, body string) {
	t.Helper()
	doc, err := storage.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	var walk func(*storage.Node)
	walk = func(n *storage.Node) {
		for c := n.First; c != nil; c = c.Next {
			if c.Kind == storage.Comment {
				t.Fatalf("a comment in %s", body)
			}
			if c.Kind != storage.Element {
				continue
			}
			if !slices.Contains(harmlessElements, c.Name) {
				t.Fatalf("<%s> in %s", c.Name, body)
			}
			if name := c.Attr("ac:name"); c.Name == "ac:structured-macro" && !slices.Contains(harmlessMacros, name) {
				t.Fatalf("the macro %q in %s", name, body)
			}
			for _, a := range c.Attrs() {
				if !slices.Contains(harmlessAttributes, a.Name) {
					t.Fatalf("the attribute %s in %s", a.Name, body)
				}
			}
			for _, address := range []string{c.Attr("href"), c.Attr("ri:value")} {
				if markuppage.Dangerous(address) {
					t.Fatalf("the address %q in %s", address, body)
				}
			}
			walk(c)
		}
	}
	walk(doc.Root)
}

// TestNothingRuns writes what attacks look like. Macros, elements and addresses come only from Markdown's own syntax.
func TestNothingRuns(t *testing.T) {
	for _, md := range []string{
		"<script>alert(1)</script>", "<SCRIPT SRC=//x></SCRIPT>", "a <script>b</script> c", "<img src=x onerror=alert(1)>", `<img src="x" onerror="alert(1)"/>`,
		`<a href="javascript:alert(1)">x</a>`, "[x](javascript:alert(1))", "[x](JAVA\tSCRIPT:alert(1))", "![x](javascript:alert(1))", "<javascript:alert(1)>",
		`<ac:structured-macro ac:name="html"><ac:plain-text-body><![CDATA[<script/>]]></ac:plain-text-body></ac:structured-macro>`,
		"```html macro=\"html\"\n<script/>\n```", "```math macro=\"html\"\n<script/>\n```", "```noformat]]></ac:plain-text-body>\nx\n```", "```\n]]><script/>\n```",
		"> [!HTML] x\n> y", `> [!NOTE"] x`, "<details><summary><script>x</script></summary></details>", `<blockquote data-panel="html"><p>x</p></blockquote>`,
		`<table><tr><td style="background:url(javascript:x)" onclick="x"><iframe src="x"></iframe></td></tr></table>`, `<pre data-info="html macro=&quot;html&quot;">x</pre>`,
		"[x](confluence-status:\"><script/>)", "[x](confluence-page:\"/><script/>)", "[@x](confluence-user:\"/><script/>)", "<confluence-date:2026-01-01\"><script/>",
		`<a id="&quot;><script>"></a>`, "[^\"><script>]: x", "[[confluence:html#1 <script>]]", "[[confluence:html#1]]\n\n```\n<script/>\n```\n\n[[/confluence:html#1]]",
		":\"><script>:", "<!-- <script>x</script> -->", "- [ ] x <!-- task 1\"><script> -->", "&lt;script&gt;", "\\<script>", "<svg/onload=alert(1)>", "<style>@import 'x'</style>",
		"<object data=x>", "<form action=x><input></form>", "<base href=x>", "<meta http-equiv=refresh content=0>", "<link rel=stylesheet href=x>", "<math><mi xlink:href=\"data:x\">",
		"![x](data:text/html,<script>)", "[x](data:text/html;base64,x)", "[x](vbscript:x)", "[x](file:///etc/passwd)", "term\n: <script>x</script>",
	} {
		written, err := markup.FromMarkdown(md, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, written)
		after, _, err := markup.Rewrite("<p>before</p>", md, markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, after)
		after, _, err = markup.Rewrite("<ul><li>before</li></ul><table><tbody><tr><td>x</td></tr></tbody></table>", "- "+md+"\n\n| |\n| --- |\n| "+strings.ReplaceAll(md, "\n", " ")+" |", markup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, after)
	}
}
