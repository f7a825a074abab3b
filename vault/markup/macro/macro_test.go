package macro_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/macro"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/storage"
)

func first(t *testing.T, source string) *storage.Node {
	t.Helper()
	doc, err := storage.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Root.First
}

func TestParts(t *testing.T) {
	n := first(t, `<ac:structured-macro ac:name="x"><ac:parameter ac:name="">a</ac:parameter><ac:parameter ac:name="title">T &amp; U</ac:parameter>
<ac:rich-text-body><p>one</p></ac:rich-text-body></ac:structured-macro>`)
	if got := macro.Value(n, "title"); got != "T & U" {
		t.Errorf("title is %q", got)
	}
	if macro.Value(n, "") != "a" || macro.Value(n, "none") != "" || macro.Parameter(n, "none") != nil || macro.Parameter(n, "title") == nil {
		t.Error("parameters are mixed up")
	}
	if body := macro.Body(n); body == nil || body.Content() != "one" {
		t.Errorf("body is %v", body)
	}
	for _, source := range []string{
		`<ac:structured-macro ac:name="x"/>`,
		`<ac:structured-macro ac:name="x">text<ac:rich-text-body/></ac:structured-macro>`,
		`<ac:structured-macro ac:name="x"><ac:rich-text-body/><ac:plain-text-body/></ac:structured-macro>`,
	} {
		if macro.Body(first(t, source)) != nil {
			t.Errorf("%s has one body", source)
		}
	}
}

func TestRuns(t *testing.T) {
	for _, name := range []string{"html", "HTML", "style", "sql", "iframe", "html-bobswift", "aura-html", "custom_css"} {
		if !macro.Runs(name) {
			t.Errorf("%s does not run", name)
		}
	}
	for _, name := range []string{"code", "plantuml", "info", "description", "jscharts", ""} {
		if macro.Runs(name) {
			t.Errorf("%s runs", name)
		}
	}
}

func TestStandsAlone(t *testing.T) {
	for source, want := range map[string]bool{
		`<x/>`:          true,
		`<p><x/></p>`:   false,
		`<td><x/></td>`: false,
		`<ac:rich-text-body><x/></ac:rich-text-body>`: true,
		`<ac:layout><x/></ac:layout>`:                 false,
		`<p><ac:layout/></p>`:                         true,
	} {
		n := first(t, source)
		if n.First != nil {
			n = n.First
		}
		if got := macro.StandsAlone(n); got != want {
			t.Errorf("%s: %v", source, got)
		}
	}
}
