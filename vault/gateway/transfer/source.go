package transfer

import (
	"context"
	"io"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// maxName is how many characters of a file's name are used.
const maxName = 200

// Source is a file of the shim's computer that is read from its beginning to
// its end. One goroutine may use it.
type Source struct {
	desk   *Desk
	ctx    context.Context //nolint:containedctx // of the one call that reads the file
	handle uint64
	name   string
	size   int64

	asked   int64      // bytes that were asked for
	waiting []*request // in their order
	free    [][]byte   // buffers that nobody uses
	current *request   // the one whose bytes are read
	rest    []byte     // of current
	failed  error      // io.EOF at the end
	over    bool
}

// Open opens a file that the arguments of call name. ctx bounds all that is
// done with it.
func (d *Desk) Open(ctx context.Context, call, path string) (*Source, error) {
	s := &Source{desk: d, ctx: ctx, handle: d.number()}
	answer, err := d.begin(ctx, wire.FileOpen{ID: d.number(), Handle: s.handle, Call: call, Mode: wire.FileRead, Path: path})
	if err != nil {
		return nil, err
	}
	s.name, s.size = plaintext.Line(answer.Name, maxName), answer.Size
	if s.size < 0 || s.name == "" {
		_ = s.Close()
		return nil, usererr.New(usererr.Version, "The file cannot be read, since the Coatcheck on this computer says something odd of it", "Update Coatcheck on this computer")
	}
	return s, nil
}

// Name is the file's name without its folder.
func (s *Source) Name() string { return s.name }

// Size is how long the file was when it was opened.
func (s *Source) Size() int64 { return s.size }

// Read implements io.Reader. It returns io.EOF only once all was read and the
// shim has said that the file is still what it was.
func (s *Source) Read(p []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.failed == nil {
			s.failed = s.more()
		}
		if s.failed != nil {
			return 0, s.failed
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// more waits for the next bytes, and asks for some beyond them.
func (s *Source) more() error {
	if s.current != nil {
		s.free = append(s.free, s.current.into[:cap(s.current.into)])
		s.current = nil
	}
	for len(s.waiting) < wire.FileWindow && s.asked < s.size {
		s.ask()
	}
	if len(s.waiting) == 0 {
		return s.finish()
	}
	r := s.waiting[0]
	s.waiting = s.waiting[1:]
	if err := s.desk.wait(s.ctx, r); err != nil {
		return err
	}
	if r.n < len(r.into) {
		return usererr.New(usererr.Conflict, "The file changed while it was read", "Try again when nothing writes it")
	}
	s.current, s.rest = r, r.into
	return nil
}

// ask asks for the next piece.
func (s *Source) ask() {
	length := int(min(wire.FileChunk, s.size-s.asked))
	var buffer []byte
	if n := len(s.free); n > 0 {
		buffer, s.free = s.free[n-1], s.free[:n-1]
	} else {
		buffer = make([]byte, min(wire.FileChunk, s.size))
	}
	id := s.desk.number()
	r := &request{
		id: id, into: buffer[:length],
		frame: wire.Encode(wire.KindFileRead, wire.FileRange{ID: id, Handle: s.handle, Offset: s.asked, Length: length}),
	}
	s.asked += int64(length)
	s.waiting = append(s.waiting, r)
	s.desk.ask(r)
}

func (s *Source) finish() error {
	s.over = true
	defer s.desk.leave()
	if _, err := s.desk.closing(s.ctx, s.handle); err != nil {
		return err
	}
	return io.EOF
}

// Close gives the file up, if it was not read to its end.
func (s *Source) Close() error {
	if s.over {
		return nil
	}
	s.over = true
	if s.failed == nil {
		s.failed = io.ErrClosedPipe
	}
	s.desk.forget(s.waiting)
	s.rest, s.current, s.waiting, s.free = nil, nil, nil, nil
	s.desk.end(s.handle)
	s.desk.leave()
	return nil
}
