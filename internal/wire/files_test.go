package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

func TestChunksCarryTheirBytes(t *testing.T) {
	data := bytes.Repeat([]byte{0xa5}, wire.FileChunk)
	sent := wire.Chunk{ID: 1 << 63, Handle: 7, Offset: 1 << 40}
	buffer := make([]byte, 0, wire.ChunkRoom)
	frame := wire.EncodeChunk(buffer, wire.KindFileWrite, sent, data)
	if cap(frame) != cap(buffer) {
		t.Errorf("a chunk of %d bytes did not fit into %d", len(frame), cap(buffer))
	}
	kind, body, err := wire.KindOf(frame)
	if err != nil || kind != wire.KindFileWrite {
		t.Fatalf("KindOf = %v, %v", kind, err)
	}
	got, bytesOf, err := wire.DecodeChunk(body)
	if err != nil || !bytes.Equal(bytesOf, data) {
		t.Errorf("DecodeChunk = %d bytes, %v", len(bytesOf), err)
	}
	if diff := cmp.Diff(sent, got); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyFileDataMayBeLong(t *testing.T) {
	for kind, most := range map[wire.Kind]int{
		wire.KindFileData: wire.ChunkRoom, wire.KindFileWrite: wire.ChunkRoom,
		wire.KindFileOpen: wire.MaxControl, wire.KindHello: wire.MaxControl, 0x7f: wire.MaxControl,
	} {
		frame := make([]byte, most+1)
		frame[0] = byte(kind)
		if _, _, err := wire.KindOf(frame[:most]); err != nil {
			t.Errorf("kind %#x: %d bytes: %v", kind, most, err)
		}
		if _, _, err := wire.KindOf(frame); !errors.Is(err, wire.ErrFrame) {
			t.Errorf("kind %#x: %d bytes: %v, want ErrFrame", kind, most+1, err)
		}
	}
}

func FuzzChunk(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(wire.EncodeChunk(nil, wire.KindFileData, wire.Chunk{ID: 300, Offset: 1 << 20}, []byte("bytes"))[1:])
	f.Add([]byte{1, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, body []byte) {
		c, data, err := wire.DecodeChunk(body)
		if err != nil {
			if !errors.Is(err, wire.ErrFrame) {
				t.Errorf("DecodeChunk = %v", err)
			}
			return
		}
		if c.Offset < 0 || len(data) > wire.FileChunk {
			t.Fatalf("DecodeChunk = %+v, %d bytes", c, len(data))
		}
		again, same, err := wire.DecodeChunk(wire.EncodeChunk(nil, wire.KindFileData, c, data)[1:])
		if err != nil || again != c || !bytes.Equal(same, data) {
			t.Errorf("%+v came back as %+v, %v", c, again, err)
		}
	})
}

func FuzzFileFrames(f *testing.F) {
	f.Add(wire.Encode(wire.KindFileOpen, wire.FileOpen{ID: 1, Handle: 2, Call: "3", Mode: wire.FileRead, Path: "/a"})[1:])
	f.Add(wire.Encode(wire.KindFileAnswer, wire.FileAnswer{ID: 1, Code: "denied", Size: -1})[1:])
	f.Add([]byte(`{"id":-1,"length":1e99}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{new(wire.FileOpen), new(wire.FileRange), new(wire.FileClose), new(wire.FileAnswer)} {
			if err := wire.Decode(body, into); err != nil && !errors.Is(err, wire.ErrFrame) {
				t.Errorf("Decode = %v", err)
			}
		}
	})
}
