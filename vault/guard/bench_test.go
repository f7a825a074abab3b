package guard_test

import (
	"context"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/guard"
)

// What the door itself costs: a read that does nothing, and a page from a
// network that answers at once.
func BenchmarkDo(b *testing.B) {
	r := newRig(b)
	ctx := as(b, ada())
	for b.Loop() {
		if _, err := read(ctx, r, says("answer", nil)); err != nil {
			b.Fatal(err)
		}
		r.audited = r.audited[:0]
	}
}

func BenchmarkPage(b *testing.B) {
	r := newRig(b)
	r.wiki()
	ctx := as(b, ada())
	op := guard.Op[string]{Tool: "tool", Run: func(ctx context.Context, w *guard.Wiki) (string, error) {
		p, err := w.PageVersion(ctx, "101", 0)
		return p.Body, err
	}}
	for b.Loop() {
		if _, err := guard.Do(ctx, r.Door, op); err != nil {
			b.Fatal(err)
		}
		r.audited, r.asked = r.audited[:0], r.asked[:0]
	}
}
