package transfer_test

import (
	"io"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/transfer"
)

// far answers at once, in the goroutine that asks, and keeps nothing.
type far struct {
	desk  *transfer.Desk
	size  int64
	frame []byte
}

func (f *far) take(frame []byte) {
	kind, body, err := wire.KindOf(frame)
	if err != nil {
		panic(err)
	}
	switch kind {
	case wire.KindFileRead:
		var r wire.FileRange
		_ = wire.Decode(body, &r)
		f.frame = wire.EncodeChunk(f.frame[:0], wire.KindFileData, wire.Chunk{ID: r.ID}, make([]byte, 0)[:0])
		f.frame = f.frame[:len(f.frame)+r.Length]
		_ = f.desk.Frame(wire.KindFileData, f.frame[1:])
	case wire.KindFileWrite:
		c, _, _ := wire.DecodeChunk(body)
		_ = f.desk.Frame(wire.KindFileAnswer, wire.Encode(wire.KindFileAnswer, wire.FileAnswer{ID: c.ID})[1:])
	case wire.KindFileOpen:
		var o wire.FileOpen
		_ = wire.Decode(body, &o)
		_ = f.desk.Frame(wire.KindFileAnswer, wire.Encode(wire.KindFileAnswer, wire.FileAnswer{ID: o.ID, Name: "f", Size: f.size})[1:])
	default:
		var c wire.FileClose
		_ = wire.Decode(body, &c)
		_ = f.desk.Frame(wire.KindFileAnswer, wire.Encode(wire.KindFileAnswer, wire.FileAnswer{ID: c.ID})[1:])
	}
}

func newFar(size int64) *far {
	f := &far{size: size, frame: make([]byte, 0, wire.ChunkRoom)}
	f.desk = transfer.New(f.take)
	return f
}

const large = 256 << 20

func BenchmarkSource(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(large)
	for b.Loop() {
		source, err := newFar(large).desk.Open(b.Context(), "1", "/f")
		if err == nil {
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, source, make([]byte, 32<<10))
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTarget(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(large)
	piece := make([]byte, 128<<10)
	for b.Loop() {
		target, err := newFar(0).desk.Create(b.Context(), "1", wire.FileOpen{Path: "/", Name: "f"})
		if err != nil {
			b.Fatal(err)
		}
		for range large / len(piece) {
			if _, err := target.Write(piece); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := target.Keep(); err != nil {
			b.Fatal(err)
		}
	}
}
