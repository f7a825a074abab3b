package conversion_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/conversion"
)

// TestBothConvert makes sure that what is compared does the same kind of work.
func TestBothConvert(t *testing.T) {
	page := conversion.Page(1)
	for name, convert := range map[string]func(string) (string, error){"ours": conversion.Ours, "pipeline": conversion.Pipeline} {
		md, err := convert(page)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, want := range []string{"## Rollout of the gateway", "**all traffic**", "```", "| Host", "func drain"} {
			if !strings.Contains(md, want) {
				t.Errorf("%s has no %q:\n%s", name, want, md)
			}
		}
	}
}

func BenchmarkOurs(b *testing.B)     { bench(b, conversion.Ours) }
func BenchmarkPipeline(b *testing.B) { bench(b, conversion.Pipeline) }

func bench(b *testing.B, convert func(string) (string, error)) {
	page := conversion.Page(256 << 10)
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := convert(page); err != nil {
			b.Fatal(err)
		}
	}
}
