package matching_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/markup/matching"
)

func TestMatch(t *testing.T) {
	for name, test := range map[string]struct {
		a, b string
		want []matching.Pair
	}{
		"nothing":        {"", "", nil},
		"the same":       {"a b", "a b", []matching.Pair{{0, 0}, {1, 1}}},
		"one in between": {"a c", "a b c", []matching.Pair{{0, 0}, {1, 2}}},
		"moved":          {"a b c d", "d a b c", []matching.Pair{{0, 1}, {1, 2}, {2, 3}}},
		"no two alike":   {"a b", "c d", nil},
		"repeated":       {"x a x", "x x a x", []matching.Pair{{0, 0}, {1, 2}, {2, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, matching.Match(strings.Fields(test.a), strings.Fields(test.b))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzMatch makes sure that pairs are of equal elements and never cross, and that what both begin or end with is found.
func FuzzMatch(f *testing.F) {
	f.Add("a b c", "b c d")
	f.Add("x x x y", "x y x")
	f.Fuzz(func(t *testing.T, first, second string) {
		a, b := strings.Split(first, " "), strings.Split(second, " ")
		last := matching.Pair{A: -1, B: -1}
		pairs := matching.Match(a, b)
		for _, p := range pairs {
			if p.A <= last.A || p.B <= last.B || a[p.A] != b[p.B] {
				t.Fatalf("%v behind %v in %q and %q", p, last, a, b)
			}
			last = p
		}
		if a[0] == b[0] && (len(pairs) == 0 || pairs[0] != (matching.Pair{})) {
			t.Fatalf("%q and %q begin with the same", a, b)
		}
		if first == second && len(pairs) != len(a) {
			t.Fatalf("%d pairs of %d", len(pairs), len(a))
		}
	})
}
