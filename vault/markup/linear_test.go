package markup_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

func written(t *testing.T, markdown string) string {
	t.Helper()
	got, err := markup.FromMarkdown(markdown, markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, got)
	return got
}

// Many definitions of links in one paragraph are all found, on one line or on two, and so is the text behind them.
func TestManyDefinitions(t *testing.T) {
	for _, form := range []string{"[l%d]: https://e.org/%[1]d\n", "[l%d]: https://e.org/%[1]d\n  'a title'\n", " [l%d]:\nhttps://e.org/%[1]d\n"} {
		var md strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&md, form, i)
		}
		got := written(t, md.String()+"[a][l0]\n[b][l511]\n[c][l999]\n\n[d][l700]")
		want := `<p><a href="https://e.org/0">a</a> <a href="https://e.org/511">b</a> <a href="https://e.org/999">c</a></p><p><a href="https://e.org/700">d</a></p>`
		if got != want {
			t.Errorf("%q: %.300s", form, got)
		}
	}
	text := strings.Repeat("[no definition\n", 1000)
	if got, want := written(t, text), "<p>"+strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))+"</p>"; got != want {
		t.Errorf("text became %.300s", got)
	}
}

// Eight times as many definitions take about eight times as long, not sixty-four.
func TestDefinitionsAreLinear(t *testing.T) {
	for _, s := range []string{"[a]: b\n", "[a]: b\n(x\n"} {
		var took [2]time.Duration
		for i, size := range []int{32 << 10, 256 << 10} {
			text, start := strings.Repeat(s, size/len(s)), time.Now()
			written(t, text)
			took[i] = time.Since(start)
		}
		if took[1] > patience && took[1] > 30*took[0] {
			t.Errorf("%q took %v", s, took)
		}
	}
}

// Backticks that end nothing are text, wherever they stand.
func TestBackticks(t *testing.T) {
	for markdown, want := range map[string]string{
		"`a` ``b` `c``":       "<p><code>a</code> <code>b` `c</code></p>",
		"``a` `b`":            "<p>``a b`</p>",
		"\\``a`":              "<p>`<code>a</code></p>",
		"\\```a`` b`":         "<p>`<code>a</code> b`</p>",
		"`a\nb`\n\n`c":        "<p><code>a b</code></p><p>`c</p>",
		"# `a`` `b\n\n``c``":  "<h1><code>a`` </code>b</h1><p><code>c</code></p>",
		"> ``a\n> b`` c`":     "<blockquote><p><code>a b</code> c`</p></blockquote>",
		"[`a](b) ``c`](d) ``": "<p><a href=\"d\"><code>a](b) ``c</code></a> ``</p>",
	} {
		if got := written(t, markdown); got != want {
			t.Errorf("%q: %s, want %s", markdown, got, want)
		}
	}
}
