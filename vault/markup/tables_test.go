package markup_test

import (
	"strings"
	"testing"
)

// GFM drops cells for which there is no column. They are text that somebody wrote, mostly code with pipes in it.
func TestRowsLoseNothing(t *testing.T) {
	for row, want := range map[string]string{
		"| `a | b` | union |":                "<p><code>a | b</code></p>·<p>union</p>",
		"| `a|b` | `c||d` |":                 "<p><code>a|b</code></p>·<p><code>c||d</code></p>",
		"`a|b` | ``c`|`` ":                   "<p><code>a|b</code></p>·<p><code>c`|</code></p>",
		"| one | two | three | four |":       "<p>one</p>·<p>two | three | four</p>",
		"| one | two | `a|b` |":              "<p>one</p>·<p>two | <code>a|b</code></p>",
		"| one | `two | three |":             "<p>one</p>·<p>`two | three</p>",
		"| `one | two` | three | four` | x|": "<p><code>one | two</code></p>·<p>three | four` | x</p>",
		"| one \\| a | two | |":              "<p>one | a</p>·<p>two |</p>",
		"| `a|b` |":                          "<p>`a</p>·<p>b`</p>", // as many cells as columns, as GFM has it
		"| one |":                            "<p>one</p>·<p />",
	} {
		for _, around := range []string{"", "> ", "- "} {
			md := around + strings.ReplaceAll("| h | h |\n| - | - |\n"+row+"\n| x | y |", "\n", "\n"+strings.ReplaceAll(around, "-", " "))
			_, got, _ := strings.Cut(written(t, md), "</th></tr><tr><td>")
			got, behind, _ := strings.Cut(got, "</td></tr>")
			if got = strings.ReplaceAll(got, "</td><td>", "·"); got != want || !strings.HasPrefix(behind, "<tr><td><p>x</p></td><td><p>y</p></td></tr>") {
				t.Errorf("%q: %s and %s, want %s", md, got, behind, want)
			}
		}
	}
}
