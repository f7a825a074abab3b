package typo_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/typo"
)

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"vault", "vault", 0}, {"valt", "vault", 1}, {"kitten", "sitting", 3}, {"ab", "ba", 2},
	} {
		if got := typo.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
