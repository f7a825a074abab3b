package markup_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup"
)

func TestSplit(t *testing.T) {
	const code = "```go\nfirst()\nsecond()\nthird()\n```\n"
	for _, test := range []struct {
		name, md   string
		max        int
		head, rest string
	}{
		{"all fits", "# A\n\ntext\n", 11, "# A\n\ntext\n", ""},
		{"between blocks", "# A\n\ntext one\n\ntext two\n", 20, "# A\n\ntext one\n\n", "text two\n"},
		{"characters, not bytes", "äöü\n\näöü\n", 8, "äöü\n\n", "äöü\n"},
		{"a list stays whole", "text\n\n- a\n\n  more\n\n- b\n", 16, "text\n\n", "- a\n\n  more\n\n- b\n"},
		{"code moves as a whole", "text\n\n" + code, 30, "text\n\n", code},
		{"long code is closed and opened again", code, 28, "```go\nfirst()\nsecond()\n```\n", "```go\nthird()\n```\n"},
		{"code in a quote", "> ```\n> one\n> two\n> three\n> ```\n", 25, "> ```\n> one\n> two\n> ```\n", "> ```\n> three\n> ```\n"},
		{"a blank line in code is no boundary", "```\none\n\ntwo\nthree\n```\n", 18, "```\none\n\ntwo\n```\n", "```\nthree\n```\n"},
		{"longer fences hold shorter", "````\n```\nx\n```\n\ny\n````\n\nz\n", 24, "````\n```\nx\n```\n\ny\n````\n\n", "z\n"},
		{"a table between rows", "| h |\n| - |\n| a |\n| b |\n| c |\n", 25, "| h |\n| - |\n| a |\n| b |\n", "| h |\n| - |\n| c |\n"},
		{"a long paragraph at a word", "some words that go on", 12, "some words ", "that go on"},
		{"a long word", "abcdefghij", 4, "abcd", "efghij"},
		{"lines of a list", "- one\n- two\n- three\n", 13, "- one\n- two\n", "- three\n"},
		{"no room at all", "ab", 0, "a", "b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			head, rest := markup.Split(test.md, test.max)
			if diff := cmp.Diff([]string{test.head, test.rest}, []string{head, rest}); diff != "" {
				t.Errorf("Split(%q, %d) (-want +got):\n%s", test.md, test.max, diff)
			}
		})
	}
}

// TestSplitCoversEverything cuts long pages into parts and looks for each word again.
func TestSplitCoversEverything(t *testing.T) {
	read, err := markup.ToMarkdown(strings.Repeat(realisticSection, 4), markup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int{1, 7, 40, 200, 1000, 5000} {
		parts := 0
		var all strings.Builder
		for head, rest := markup.Split(read.Markdown, limit); ; head, rest = markup.Split(rest, limit) {
			if n := utf8.RuneCountInString(head); n > limit {
				t.Fatalf("limit %d: a part has %d characters", limit, n)
			}
			if limit >= 200 && strings.Count("\n"+head, "\n```")%2 != 0 {
				t.Errorf("limit %d: a fence is left open in %q", limit, head)
			}
			parts++
			all.WriteString(head)
			if rest == "" {
				break
			}
		}
		if parts < len(read.Markdown)/(limit+1) {
			t.Errorf("limit %d: %d parts of %d bytes", limit, parts, len(read.Markdown))
		}
		at := 0
		got := strings.Join(strings.Fields(all.String()), "")
		for _, c := range strings.Join(strings.Fields(read.Markdown), "") {
			i := strings.IndexRune(got[at:], c)
			if i < 0 {
				t.Fatalf("limit %d: text is missing behind %q", limit, got[max(0, at-40):at])
			}
			at += i + utf8.RuneLen(c)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "```\na\n```\n", "> ```x\n> y", "- ```\n  a\n", "| a |\n|---|\n| b |\n", "äöü ß", "~~~~\n~~~\n", "1. ```\n\n\n"} {
		f.Add(s, 5)
	}
	f.Fuzz(func(t *testing.T, md string, limit int) {
		head, rest := markup.Split(md, limit)
		if utf8.ValidString(md) && utf8.RuneCountInString(head) > max(limit, 1) {
			t.Errorf("Split(%q, %d): head %q is too long", md, limit, head)
		}
		if md != "" && head == "" || rest != "" && len(rest) >= len(md) {
			t.Errorf("Split(%q, %d) goes nowhere: %q, %q", md, limit, head, rest)
		}
		if rest == "" && head != md {
			t.Errorf("Split(%q, %d) drops text: %q", md, limit, head)
		}
	})
}

func TestDiff(t *testing.T) {
	for _, test := range []struct {
		name, before, after string
		max                 int
		want                string
	}{
		{"nothing", "a\nb\n", "a\nb\n", 100, ""},
		{"one line", "a\nb\nc\n", "a\nB\nc\n", 100, "  a\n- b\n+ B\n  c\n"},
		{"from nothing", "", "a\nb\n", 100, "+ a\n+ b\n"},
		{"to nothing", "a\n", "", 100, "- a\n"},
		{"context", "1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\n5\n6\nseven\n", 100, "  …\n  5\n  6\n- 7\n+ seven\n"},
		{"two places", "a\n1\n2\n3\n4\n5\n6\nz\n", "A\n1\n2\n3\n4\n5\n6\nZ\n", 100, "- a\n+ A\n  1\n  2\n  …\n  5\n  6\n- z\n+ Z\n"},
		{"a line in between", "a\nb\n", "a\nx\nb\n", 100, "  a\n+ x\n  b\n"},
		{"moved", "a\nb\nc\nd\n", "b\nc\nd\na\n", 100, "- a\n  b\n  c\n  d\n+ a\n"},
		{"a block moves past equal lines", "x\n\ny\n\nz\n", "x\n\nz\n", 100, "  x\n  \n- y\n- \n  z\n"},
		{"limit", "a\n", "b\nc\nd\ne\n", 9, "- a\n+ b\n… and 3 more changed lines\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, markup.Diff(test.before, test.after, test.max)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A block of very many lines is gone through once.
func TestSplitIsLinear(t *testing.T) {
	text := strings.Repeat("a\n", 1<<20)
	timed(t, "lines", 0, func() {
		if head, rest := markup.Split(text, len(text)-1); head+rest != text || len(rest) != 2 {
			t.Errorf("%d and %d bytes", len(head), len(rest))
		}
	})
}

func TestDiffOfLongLines(t *testing.T) {
	before := strings.Repeat("word ", 300) + "old" + strings.Repeat(" tail", 300)
	after := strings.Repeat("word ", 300) + "new" + strings.Repeat(" tail", 300)
	got := markup.Diff(before, after, 2000)
	if !strings.Contains(got, "old tail") || !strings.Contains(got, "new tail") || len(got) > 1000 {
		t.Errorf("the change does not show in %d bytes: %s", len(got), got)
	}
}

// FuzzDiff applies differences: taking all lines but those that came gives the old text, all but those that went the new.
func FuzzDiff(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd")
	f.Add("x\nx\ny\nx", "x\ny\ny\nx")
	f.Fuzz(func(t *testing.T, before, after string) {
		if len(before)+len(after) > 300 || strings.Contains(before+after, "…") {
			return
		}
		diff := markup.Diff(before, after, 1<<20)
		if strings.Contains(diff, "  …\n") {
			return // lines that stayed are left out
		}
		var old, now []string
		for line := range strings.Lines(diff) {
			text := strings.TrimSuffix(line[2:], "\n")
			if line[0] != '+' {
				old = append(old, text)
			}
			if line[0] != '-' {
				now = append(now, text)
			}
		}
		if before != after && (strings.Join(old, "\n") != strings.TrimRight(before, "\n") || strings.Join(now, "\n") != strings.TrimRight(after, "\n")) {
			t.Errorf("Diff(%q, %q) = %q", before, after, diff)
		}
	})
}
