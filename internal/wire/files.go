package wire

import (
	"encoding/binary"
	"fmt"
)

// The kinds of frames that carry files. The vault asks, the shim answers: each
// request has a number, which its answer repeats. A request that comes twice,
// because a link was lost, is answered twice and done once.
const (
	KindFileOpen   Kind = 0x10 // vault: open a file that the arguments of a call name
	KindFileRead   Kind = 0x11 // vault: some bytes of it; answered with KindFileData
	KindFileWrite  Kind = 0x12 // vault: the next bytes of it; see [EncodeChunk]
	KindFileClose  Kind = 0x13 // vault: keep or drop it
	KindFileAnswer Kind = 0x14 // shim: what became of a request
	KindFileData   Kind = 0x15 // shim: the bytes asked for; see [EncodeChunk]
)

// Limits of files on the wire.
const (
	FileChunk  = 256 << 10 // bytes of one read or write
	FileWindow = 8         // requests about one file that are not answered
	FilesOpen  = 16        // files of one stream at a time
	MaxPath    = 4 << 10   // bytes of a path or name

	chunkHead = 3 * binary.MaxVarintLen64
	maxFile   = 1 + chunkHead + FileChunk
)

// CanFiles is the capability, in [Hello.Can], of a shim that moves files.
const CanFiles = "files"

// FileMode says what a file is opened for.
type FileMode string

// The modes of a [FileOpen].
const (
	FileRead  FileMode = "read"
	FileWrite FileMode = "write"
)

// FileOpen asks for a file of the person's computer. Path is the text that
// stands in the arguments of the call, which must still run: the file for
// FileRead, the folder for FileWrite, where Name is what the file should be
// called. The vault chooses the handle, a number that the stream has not had.
type FileOpen struct {
	ID     uint64   `json:"id"`
	Handle uint64   `json:"handle"`
	Call   string   `json:"call"` // id of the call, as JSON text
	Mode   FileMode `json:"mode"`
	Path   string   `json:"path"`
	Name   string   `json:"name,omitempty"`
	Size   int64    `json:"size,omitempty"` // of what is going to be written, if known
}

// FileRange asks for bytes of an open file. An answer with fewer is the end of
// the file.
type FileRange struct {
	ID     uint64 `json:"id"`
	Handle uint64 `json:"handle"`
	Offset int64  `json:"offset"`
	Length int    `json:"length"`
}

// FileClose ends with a file. A file that was written gets its name with Keep,
// and is dropped without. For one that was read, Keep asks whether it is still
// what it was when it was opened.
type FileClose struct {
	ID     uint64 `json:"id"`
	Handle uint64 `json:"handle"`
	Keep   bool   `json:"keep,omitempty"`
}

// FileAnswer says what became of the request ID. Code, Message and Hint are
// those of a user error, empty where it went well.
type FileAnswer struct {
	ID      uint64 `json:"id"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	Hint    string `json:"hint,omitempty"`
	// Name and Size are those of the opened file; Path, after a file was kept,
	// is where it is, for people.
	Name string `json:"name,omitempty"`
	Path string `json:"path,omitempty"`
	Size int64  `json:"size,omitempty"`
}

// Chunk is the head of a frame with bytes of a file: a read is answered with
// its number and nothing else, a write says where they go.
type Chunk struct {
	ID, Handle uint64
	Offset     int64
}

// EncodeChunk appends a frame of kind with bytes of a file to into, which may
// be nil. It takes up to [FileChunk] bytes.
func EncodeChunk(into []byte, kind Kind, c Chunk, data []byte) []byte {
	into = append(into, byte(kind))
	into = binary.AppendUvarint(into, c.ID)
	into = binary.AppendUvarint(into, c.Handle)
	into = binary.AppendUvarint(into, uint64(max(c.Offset, 0)))
	return append(into, data...)
}

// ChunkRoom is how large a buffer must be for [EncodeChunk] never to make
// another one.
const ChunkRoom = maxFile

// DecodeChunk reads the body of a frame with bytes of a file, which stay a part
// of body. Its errors wrap [ErrFrame].
func DecodeChunk(body []byte) (c Chunk, data []byte, err error) {
	var head [3]uint64
	for i := range head {
		n, size := binary.Uvarint(body)
		if size <= 0 {
			return c, nil, fmt.Errorf("%w: head of file data", ErrFrame)
		}
		head[i], body = n, body[size:]
	}
	if head[2] > 1<<62 || len(body) > FileChunk {
		return c, nil, fmt.Errorf("%w: file data", ErrFrame)
	}
	return Chunk{ID: head[0], Handle: head[1], Offset: int64(head[2])}, body, nil
}

// carriesFile reports whether a frame of kind has bytes of a file, and so a
// limit of its own.
func (k Kind) carriesFile() bool { return k == KindFileWrite || k == KindFileData }

// most is how long a frame of kind may be.
func (k Kind) most() int {
	if k.carriesFile() {
		return maxFile
	}
	return MaxControl
}
