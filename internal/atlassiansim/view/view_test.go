package view_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/view"
)

func body(storage string) string {
	return string(view.Body(storage, "ENG", func(string) string { return "Ada <b>" }))
}

func TestBody(t *testing.T) {
	for storage, want := range map[string]string{
		"<p>a &amp; <strong>b</strong></p>":           "<p>a &amp; <strong>b</strong></p>",
		`<td colspan="2" onclick="x()">1</td>`:        "<td colspan=2>1</td>",
		`<td colspan="2 onclick=x">1</td>`:            "<td>1</td>",
		`<script>alert(1)</script><p>x</p>`:           "<p>x</p>",
		`<a href="javascript:alert(1)">x</a>`:         "x",
		`<a href="https://a.example/?q=&quot;">x</a>`: `<a rel="noreferrer" href="https://a.example/?q=&#34;">x</a>`,
		`<ac:structured-macro ac:name="code"><ac:parameter ac:name="title">T&lt;</ac:parameter><ac:plain-text-body><![CDATA[a < b]]></ac:plain-text-body></ac:structured-macro>`: `<p class="caption">T&lt;</p><pre>a &lt; b</pre>`,
		`<ac:structured-macro ac:name="note"><ac:rich-text-body><p>x</p></ac:rich-text-body></ac:structured-macro>`:                                                              `<div class="box note"><p>x</p></div>`,
		`<ac:structured-macro ac:name="status"><ac:parameter ac:name="colour">Green</ac:parameter><ac:parameter ac:name="title">LIVE</ac:parameter></ac:structured-macro>`:       `<span class="lozenge green">LIVE</span>`,
		`<ac:structured-macro ac:name="expand"><ac:parameter ac:name="title">Why</ac:parameter><ac:rich-text-body>x</ac:rich-text-body></ac:structured-macro>`:                   `<details><summary>Why</summary>x</details>`,
		`<ac:structured-macro ac:name="to&lt;c"/>`: `<p class="macro">to&lt;c</p>`,
		`<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>x</ac:task-body></ac:task></ac:task-list>`: `<ul class="tasks"><li>☑ x</li></ul>`,
		`<ac:link><ri:user ri:account-id="1"/></ac:link>`:                                                                       `<span class="mention">@Ada &lt;b&gt;</span>`,
		`<ac:link><ri:page ri:content-title="A &amp; B"/></ac:link>`:                                                            `<a href="/wiki/display/ENG/A+%26+B">A &amp; B</a>`,
		`<ac:link><ri:space ri:space-key="HR"/><ac:plain-text-link-body><![CDATA[People]]></ac:plain-text-link-body></ac:link>`: `<a href="/wiki/spaces/HR">People</a>`,
		`<ac:image ac:alt="&lt;i&gt;"><ri:attachment ri:filename="x.png"/></ac:image>`:                                          `<figure>&lt;i&gt;</figure>`,
		"": "",
	} {
		if got := body(storage); got != want {
			t.Errorf("%s\n shows %s\n want  %s", storage, got, want)
		}
	}
}

// FuzzBody: whatever a page holds, no script and no handler gets out.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{"<p>x</p>", "<script>x</script>", `<a href="javascript:x">y</a>`, `<td colspan="1">`, "<ac:link><ri:page/></ac:link>", `<ac:structured-macro ac:name="status"/>`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, storage string) {
		got := strings.ToLower(body(storage))
		for _, bad := range []string{"<script", "<iframe", "<img", "<svg", `href="javascript`, `href="data`} {
			if strings.Contains(got, bad) {
				t.Errorf("%q shows %q", storage, got)
			}
		}
	})
}
