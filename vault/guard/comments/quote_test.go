package comments_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/comments"
)

// A quote is found where a reader sees it.
func TestFind(t *testing.T) {
	const body = `<h1>We ship</h1><p>We ship on <strong>Mon</strong>day, we&nbsp;ship &amp; test.</p>` +
		`<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">We ship secretly</ac:parameter><ac:rich-text-body><p>We <ac:inline-comment-marker ac:ref="x">ship</ac:inline-comment-marker> it</p></ac:rich-text-body></ac:structured-macro>` +
		`<ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[We ship code]]></ac:plain-text-body></ac:structured-macro>` +
		`<table><tbody><tr><td>We</td><td>ship</td></tr></tbody></table><p>a a a</p>`
	for quote, want := range map[string][]string{
		"We ship on Monday":  {"We ship on Monday 0/1"},
		"We ship":            {"We ship 0/3", "We ship 1/3", "We ship 2/3"},
		"we ship & test.":    {"we\u00a0ship & test. 0/1"},
		"**We** `ship` it":   {"We ship it 0/1"},
		"  We\n ship   it  ": {"We ship it 0/1"},
		"ship":               {"ship 0/5", "ship 1/5", "ship 2/5", "ship 3/5", "ship 4/5"},
		"a a":                {"a a 0/1"},
		"We ship secretly":   nil,
		"We ship code":       nil,
		"We ship We ship":    nil,
		"test. We":           nil,
		" ":                  nil,
		"":                   nil,
	} {
		var got []string
		for _, m := range comments.Find(body, quote) {
			got = append(got, fmt.Sprintf("%s %d/%d", m.Text, m.Index, m.Of))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", quote, diff)
		}
	}
	if found := comments.Find("<p>not well-formed", "not"); found != nil {
		t.Error(found)
	}
	if found := comments.Find("<p>one two three four</p>", "two three"); len(found) != 1 || found[0].Around != "one »two three« four" {
		t.Errorf("%+v", found)
	}
}

// Many matches and long runs of blanks cost no more than their length.
func TestFindIsLinear(t *testing.T) {
	began := time.Now()
	for _, text := range []string{strings.Repeat("a ", 1<<20), strings.Repeat("a", 1<<21), "a" + strings.Repeat(" ", 1<<21) + "b"} {
		if found := comments.Find("<p>"+text+"</p>", "a a b c d e f"); found != nil {
			t.Error(len(found))
		}
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Error(took)
	}
}

// FuzzFind: whatever is quoted from whatever page, a match is text of the page,
// and its index is one of its count.
func FuzzFind(f *testing.F) {
	f.Add("<p>We ship on <b>Monday</b></p>", "ship on Monday")
	f.Add("<p>a&nbsp;a a</p><p>a a</p>", "a a")
	f.Add("<p>\xff é</p>", "é")
	f.Fuzz(func(t *testing.T, body, quote string) {
		counts := map[string]int{}
		found := comments.Find(body, quote)
		for _, m := range found {
			counts[m.Text]++
		}
		for _, m := range found {
			if m.Text == "" || m.Index < 0 || m.Index >= m.Of || m.Of != counts[m.Text] {
				t.Errorf("%+v in %q", m, body)
			}
		}
	})
}
