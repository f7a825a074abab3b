// Package jsonline is MCP over a pipe: JSON-RPC messages, one on a line. It
// reads lines of bounded length, tells what each message is without decoding
// it, and writes lines so that a reader that is slow, or never reads, costs a
// bounded amount of memory. It knows nothing of MCP's methods.
package jsonline

import (
	"bytes"
	"encoding/json"
	"io"
	"unicode/utf8"
)

const (
	readBuffer = 32 << 10
	keepBuffer = 256 << 10 // a larger buffer is given back after use
	bom        = "\xef\xbb\xbf"
)

// Line is one line that is not empty.
type Line struct {
	Head
	// Text is the message, valid until the next read. It is nil for a line that
	// is too long; then the head tells what it was.
	Text []byte
	// Long is the length of a line that is too long, 0 for others.
	Long int64
	// Fault, if not nil, is why the line is no message.
	Fault *Fault
}

// Reader reads lines. It is for one goroutine.
type Reader struct {
	r     io.Reader
	limit int
	scan  Scanner

	buf        []byte
	start, end int // what was read and not yet returned
	err        error
}

// NewReader reads lines of at most limit bytes from r.
func NewReader(r io.Reader, limit int) *Reader { return &Reader{r: r, limit: limit} }

// Next returns the next line that is not empty. At the end it returns what is
// there without a newline as a line, then the error of the underlying reader.
func (r *Reader) Next() (Line, error) {
	r.shrink()
	for from := r.start; ; {
		if i := bytes.IndexByte(r.buf[from:r.end], '\n'); i >= 0 {
			text := r.buf[r.start : from+i]
			r.start = from + i + 1
			if len(text) > r.limit {
				r.scan.Reset()
				r.scan.Write(trim(text))
				return r.long(int64(len(text))), nil
			}
			if text = trim(text); len(text) > 0 {
				return r.line(text), nil
			}
			from = r.start
			continue
		}
		if r.end-r.start > r.limit+1 {
			return r.skip()
		}
		if r.err != nil {
			text := trim(r.buf[r.start:r.end])
			r.start, r.end = 0, 0
			if len(text) > 0 {
				return r.line(text), nil
			}
			return Line{}, r.err
		}
		from = r.fill()
	}
}

// Buffered reports whether Next has a whole line without reading.
func (r *Reader) Buffered() bool {
	return bytes.IndexByte(r.buf[r.start:r.end], '\n') >= 0
}

// fill reads more and returns where it begins.
func (r *Reader) fill() int {
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, r.end-r.start
	}
	if r.end == len(r.buf) {
		grown := make([]byte, max(min(2*len(r.buf), r.limit+readBuffer), readBuffer))
		copy(grown, r.buf)
		r.buf = grown
	}
	from := r.end
	for empty := 0; r.end == from && r.err == nil; empty++ {
		var n int
		n, r.err = r.r.Read(r.buf[r.end:])
		r.end += n
		if r.err == nil && empty == 100 {
			r.err = io.ErrNoProgress
		}
	}
	return from
}

// shrink gives a buffer back that one long line made grow.
func (r *Reader) shrink() {
	if len(r.buf) <= keepBuffer || r.end-r.start > readBuffer {
		return
	}
	small := make([]byte, readBuffer)
	r.end = copy(small, r.buf[r.start:r.end])
	r.buf, r.start = small, 0
}

// skip reads a line that is too long and keeps none of it.
func (r *Reader) skip() (Line, error) {
	r.scan.Reset()
	r.scan.Write(bytes.TrimPrefix(r.buf[r.start:r.end], []byte(bom)))
	size := int64(r.end - r.start)
	for r.start, r.end = 0, 0; ; r.end = 0 {
		if r.err != nil {
			return r.long(size), nil
		}
		r.fill()
		piece := r.buf[:r.end]
		if i := bytes.IndexByte(piece, '\n'); i >= 0 {
			r.scan.Write(piece[:i])
			r.start = i + 1
			return r.long(size + int64(i)), nil
		}
		r.scan.Write(piece)
		size += int64(len(piece))
	}
}

func (r *Reader) long(size int64) Line {
	head, fault := r.scan.End()
	return Line{Head: head, Fault: fault, Long: size}
}

func (r *Reader) line(text []byte) Line {
	head, fault := r.scan.Look(text)
	return Line{Head: head, Text: text, Fault: fault}
}

// Look scans a whole message, which must also be UTF-8.
func (s *Scanner) Look(message []byte) (Head, *Fault) {
	head, fault := s.Glance(message)
	if (fault == nil || fault == ErrBatch) && !utf8.Valid(message) {
		head.Kind = Invalid
		return head, ErrUTF8
	}
	return head, fault
}

// Glance scans a whole message that is known to be UTF-8.
func (s *Scanner) Glance(message []byte) (Head, *Fault) {
	s.Reset()
	s.Write(message)
	return s.End()
}

// trim cuts white space, and the mark that some programs put before a text.
func trim(line []byte) []byte {
	line = bytes.TrimPrefix(line, []byte(bom))
	for len(line) > 0 && space(line[len(line)-1]) {
		line = line[:len(line)-1]
	}
	for len(line) > 0 && space(line[0]) {
		line = line[1:]
	}
	return line
}

// Marshal is [json.Marshal] without the escapes that HTML needs.
func Marshal(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Flatten makes one line of a message that is valid JSON: newlines, which then
// stand between its tokens, become spaces, in place.
func Flatten(message []byte) {
	for i := bytes.IndexByte(message, '\n'); i >= 0; i = bytes.IndexByte(message, '\n') {
		message[i] = ' '
		message = message[i+1:]
	}
}
