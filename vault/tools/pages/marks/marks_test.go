package marks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
	"github.com/coatcheck-mcp/coatcheck/vault/tools/pages/marks"
)

const (
	toc     = `<ac:structured-macro ac:name="toc" />`
	excerpt = `<ac:structured-macro ac:name="excerpt" ac:macro-id="%d"><ac:rich-text-body><p>%[1]d</p></ac:rich-text-body></ac:structured-macro>`
)

func markdown(t *testing.T, body string) string {
	t.Helper()
	doc, err := markup.ToMarkdown(body, markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Markdown
}

// Both ends of a frame have the number that the page gives them, and go back to
// that of the part.
func TestRename(t *testing.T) {
	part := "<h1>A</h1>" + fmt.Sprintf(excerpt, 1) + fmt.Sprintf(excerpt, 2)
	whole := toc + part
	ofPart, ofWhole := marks.Of(part), marks.Of(whole)
	read := markdown(t, part)
	_, want, _ := strings.Cut(markdown(t, whole), "# A")
	got := ofWhole.Rename(read, ofPart)
	if diff := cmp.Diff("# A"+want, got); diff != "" {
		t.Errorf("as the page names them (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(read, ofPart.Rename(got, ofWhole)); diff != "" {
		t.Errorf("and back (-want +got):\n%s", diff)
	}
	const foreign = "[[confluence:toc#9 x]] [[/confluence:excerpt#9]]"
	if got := ofPart.Rename(foreign, ofWhole); got != foreign {
		t.Errorf("what nobody knows became %s", got)
	}
}

// Many placeholders that a page does not have are no more work than many that
// it has.
func TestUnknownMarksAreLinear(t *testing.T) {
	var body, text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&body, `<ac:structured-macro ac:name="x%d" />`, i)
		fmt.Fprintf(&text, "[[confluence:y#%d]]\n", i)
	}
	known := marks.Of(body.String())
	began := time.Now()
	if got := known.Rename(text.String(), known); got != text.String() {
		t.Error("something was renamed")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}
