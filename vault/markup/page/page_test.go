package page_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/page"
)

func TestSettle(t *testing.T) {
	link := &page.Link{Target: "x"}
	for _, test := range []struct {
		name     string
		in, want []page.Span
	}{
		{"nothing", []page.Span{{Text: " \n"}, {Kind: page.Break}, {Text: "\u00a0"}}, nil},
		{"space collapses", []page.Span{{Text: " a \n b "}, {Text: " c\t"}}, []page.Span{{Text: "a b c"}}},
		{"space leaves marks", []page.Span{{Text: " a ", Marks: page.Strong}, {Text: "b"}}, []page.Span{{Text: "a", Marks: page.Strong}, {Text: " b"}}},
		{"space within marks stays", []page.Span{{Text: "a ", Marks: page.Strong}, {Text: "b", Marks: page.Strong | page.Sub}},
			[]page.Span{{Text: "a ", Marks: page.Strong}, {Text: "b", Marks: page.Strong | page.Sub}}},
		{"neighbours become one", []page.Span{{Text: "a", Link: link}, {Text: "b", Link: link}, {Text: "c"}}, []page.Span{{Text: "ab", Link: link}, {Text: "c"}}},
		{"space around breaks goes", []page.Span{{Text: "a "}, {Kind: page.Break}, {Text: " b"}, {Kind: page.Break}}, []page.Span{{Text: "a"}, {Kind: page.Break}, {Text: "b"}}},
		{"code keeps its space", []page.Span{{Kind: page.Literal, Text: " a\nb "}}, []page.Span{{Kind: page.Literal, Text: " a b "}}},
		{"code without text is space", []page.Span{{Text: "a"}, {Kind: page.Literal, Text: " "}, {Text: "b"}}, []page.Span{{Text: "a b"}}},
		{"addresses become links", []page.Span{{Text: "see (https://a.b/c_(d)), or xhttp://no http:// end"}}, []page.Span{
			{Text: "see ("}, {Text: "https://a.b/c_(d)", Link: &page.Link{Target: "https://a.b/c_(d)"}}, {Text: "), or xhttp://no http:// end"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s page.Settler
			got := s.Settle(test.in)
			if len(got) == 0 {
				got = nil
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again := s.Settle(append([]page.Span(nil), got...))
			if len(again) == 0 {
				again = nil
			}
			if diff := cmp.Diff(got, again); diff != "" {
				t.Errorf("settling again changes it (-first +again):\n%s", diff)
			}
		})
	}
}

func TestDangerous(t *testing.T) {
	for address, want := range map[string]bool{
		"https://example.org": false, "mailto:a@b.org": false, "/wiki/x": false, "#x": false, "confluence-page:A": false, "a:b": false,
		"javascript:x": true, " JavaScript:x": true, "java\tscript:x": true, "java\u200bscript:x": true, "vbscript:x": true, "data:text/html,x": true, "blob:x": true, "file:///etc/passwd": true,
	} {
		if got := page.Dangerous(address); got != want {
			t.Errorf("Dangerous(%q) = %v", address, got)
		}
	}
}

func TestCuts(t *testing.T) {
	for text, want := range map[string][2]string{"a|320": {"a", "320"}, "a|320x200": {"a", "320x200"}, "|x200": {"", "x200"}, "a|b": {"a|b", ""}, "a|3|": {"a|3", ""}, "a": {"a", ""}} {
		if alt, size := page.CutSize(text); alt != want[0] || size != want[1] {
			t.Errorf("CutSize(%q) = %q, %q", text, alt, size)
		}
	}
	for line, want := range map[string][2]string{"go": {"go", ""}, "go  collapse": {"go", "collapse"}, `title="x y"`: {"", `title="x y"`}, "collapse": {"", "collapse"}, "": {"", ""}} {
		if language, info := page.CutInfo(line); language != want[0] || info != want[1] {
			t.Errorf("CutInfo(%q) = %q, %q", line, language, info)
		}
	}
	if got := page.OneLine(" a\n b ]]] c "); got != "a b ] ] ] c" {
		t.Errorf("OneLine: %q", got)
	}
}
