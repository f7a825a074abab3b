package seal_test

import (
	"bytes"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// BenchmarkBox is what sealing adds to a call: a write seals its result for the
// journal, a refresh opens and seals a pair of tokens of some 2 KB each.
func BenchmarkBox(b *testing.B) {
	box, _, err := seal.NewKey(b.Context(), newKEK(b), place)
	if err != nil {
		b.Fatal(err)
	}
	plain := bytes.Repeat([]byte("x"), 2<<10)
	sealed, err := box.Seal(plain, place)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if _, err := box.Seal(plain, place); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if _, err := box.Open(sealed, place); err != nil {
				b.Fatal(err)
			}
		}
	})
}
