package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// source is a file that is read.
type source struct {
	file  *os.File
	asked string
	size  int64
	mod   time.Time
}

// read opens a file below root, which it closes.
func read(root *os.Root, at place) (handle, error) {
	defer func() { _ = root.Close() }()
	info, err := root.Stat(at.rel)
	if err == nil && !info.Mode().IsRegular() {
		return nil, notPlain(at.asked, info)
	}
	var f *os.File
	if err == nil {
		// What is not a plain file any more must not be waited for.
		f, err = root.OpenFile(at.rel, os.O_RDONLY|noWait, 0)
	}
	if err != nil {
		return nil, refused(usererr.NotFound, at.asked, cause(err), "")
	}
	if info, err = f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, notPlain(at.asked, info)
	}
	return &source{f, at.asked, info.Size(), info.ModTime()}, nil
}

func notPlain(path string, info fs.FileInfo) error {
	what := "this is no plain file"
	if info != nil && info.IsDir() {
		what = "this is a folder"
	}
	return refused(usererr.BadInput, path, what, "Give the path of a file")
}

func (s *source) info() (string, int64) { return filepath.Base(s.file.Name()), s.size }

func (s *source) read(into []byte, offset int64) (int, error) {
	into = into[:max(min(int64(len(into)), s.size-offset), 0)]
	n, err := s.file.ReadAt(into, offset)
	switch {
	case n == len(into):
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		return n, s.changed()
	}
	return n, refused(usererr.Unavailable, s.asked, cause(err), "")
}

func (s *source) changed() error {
	return refused(usererr.Conflict, s.asked, "the file changed while it was read", "Try again when nothing writes it")
}

func (s *source) write([]byte, int64) error { return ErrNonsense }

func (s *source) end(keep bool) (string, error) {
	info, err := s.file.Stat()
	_ = s.file.Close() // nothing was written
	if keep && (err != nil || info.Size() != s.size || !info.ModTime().Equal(s.mod)) {
		return "", s.changed()
	}
	return "", nil
}

// cause says in words what the file system has against a path.
func cause(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file or folder"
	case errors.Is(err, fs.ErrPermission):
		return "the system does not permit it"
	case errors.Is(err, fs.ErrExist):
		return "there is a file of this name already"
	case full(err):
		return "the disk is full"
	case errors.Is(err, syscall.ENOTDIR):
		return "this is not a folder"
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err.Error()
	}
	return "it cannot be used"
}
