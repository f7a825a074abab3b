package tools_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// large is a page of many sections, with letters of all sizes.
func large() string {
	var b strings.Builder
	b.WriteString("<p>Before</p>")
	for i := range 60 {
		fmt.Fprintf(&b, "<h2>Part %d</h2><p>Ünïcode 数字 text %d, %s.</p><h3>Details</h3><p>%s</p>", i, i, strings.Repeat("wörds ", 20), strings.Repeat("数", 100))
	}
	return b.String()
}

// Whatever the view and the budget, the parts keep to it and are together the
// view without one.
func TestViewsKeepToTheirBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Large", "<h1>All</h1>"+large())
		c := r.connect()
		for _, view := range []object{{"view": "full"}, {"view": "chunk"}, {"section": "all"}, {"view": "outline"}, {"search": "part"}} {
			whole := c.call("confluence_get_page", with(view, object{"page": id, "max_chars": 100000})).field("markdown")
			for _, budget := range []object{{"max_chars": 1000}, {"max_tokens": 300}, {"max_chars": 2000, "max_tokens": 5000}} {
				var got strings.Builder
				a := c.call("confluence_get_page", with(view, with(budget, object{"page": id})))
				for n := 0; n < 200; n++ {
					text := a.field("markdown")
					got.WriteString(text)
					if most, ok := budget["max_chars"].(int); ok && utf8.RuneCountInString(text) > most {
						t.Errorf("%v: a part has %d characters", view, utf8.RuneCountInString(text))
					}
					if most, ok := budget["max_tokens"].(int); ok && tokens(text) > most {
						t.Errorf("%v: a part has about %d tokens", view, tokens(text))
					}
					next := a.field("next_cursor")
					if next == "<nil>" {
						break
					}
					if !strings.Contains(a.field("part"), "are shown") {
						t.Errorf("%v: nothing says what was left out: %s", view, a.field("part"))
					}
					a = c.call("confluence_get_page", object{"cursor": next})
				}
				if got.String() != whole || whole == "" {
					t.Errorf("%v within %v: the parts have %d bytes, the whole %d", view, budget, got.Len(), len(whole))
				}
			}
		}
	})
}

func with(a, b object) object {
	all := object{}
	for _, o := range []object{a, b} {
		for name, value := range o {
			all[name] = value
		}
	}
	return all
}

// tokens is a generous estimate.
func tokens(text string) int {
	n := 0.0
	for _, c := range text {
		if c < utf8.RuneSelf {
			n += 0.25
		} else {
			n++
		}
	}
	return int(n)
}

// An edit elsewhere does not change the id of a section, and one that was read
// before is still found by it.
func TestSectionIDsAreStable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Large", large())
		c := r.connect()
		read := func() string {
			return c.call("confluence_get_page", object{"page": id, "section": "details~7"}).field("markdown")
		}
		before := read()
		if again := read(); before != again || !strings.HasPrefix(before, "### Details") {
			t.Errorf("%q, then %q", before, again)
		}
		c.call("confluence_edit_page", object{"page": id, "expected_version": 1, "operation": "prepend", "body": "# New\n\ntext"})
		c.call("confluence_edit_page", object{"page": id, "expected_version": 2, "operation": "replace_section", "section": "part-3", "body": "other\n\n### Details\n\nshort"})
		if after := read(); after != before {
			t.Errorf("%q became %q", before, after)
		}
	})
}
