package files

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	partPrefix    = "~coatcheck-" // of files that are not complete
	partSuffix    = ".part"
	writebackEach = 8 << 20        // bytes that are written to the disk while the next arrive
	partLife      = 24 * time.Hour // after which one that was left behind is removed
)

// target of a download: a part beside the name that it gets when it is whole.
type sink struct {
	root      *os.Root // the folder itself
	file      *os.File
	folder    string // for people
	part      string
	name      string
	overwrite bool
	expected  int64           // 0 if it is not known
	written   int64           // all bytes up to here are there
	begun     int64           // … and the disk was told of them up to here
	ahead     map[int64]int64 // … and these, from and to: a piece was lost and comes again
	failure   error           // the first; the rest is not tried
	over      bool
}

// create begins a file in a folder below root, which it closes.
func create(root *os.Root, at place, open wire.FileOpen, overwrite bool) (handle, error) {
	defer func() { _ = root.Close() }()
	dir, err := root.OpenRoot(at.rel)
	if err != nil {
		return nil, refused(usererr.NotFound, at.asked, cause(err), "Give a folder that is there")
	}
	s := &sink{
		root: dir, folder: filepath.Join(at.folder, at.rel), name: SafeName(open.Name),
		part: partPrefix + rand.Text()[:12] + partSuffix, overwrite: overwrite, expected: max(open.Size, 0),
		ahead: map[int64]int64{},
	}
	if err = s.free(); err == nil {
		s.sweep()
		if s.file, err = dir.OpenFile(s.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
			err = s.wrong(err)
		}
	}
	if err != nil {
		_ = dir.Close()
		return nil, err
	}
	return s, nil
}

// free refuses a name that is taken by what may not be overwritten.
func (s *sink) free() error {
	info, err := s.root.Lstat(s.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return s.wrong(err)
	case !info.Mode().IsRegular():
		return refused(usererr.Conflict, s.path(), "this is there already and is no plain file, so it is not overwritten", "Give another folder")
	case !s.overwrite:
		return s.taken()
	}
	return nil
}

func (s *sink) taken() error {
	return refused(usererr.Conflict, s.path(), "there is a file of this name already", "Set overwrite to true if the person wants it replaced, or give another folder")
}

func (s *sink) path() string { return filepath.Join(s.folder, s.name) }

func (s *sink) wrong(err error) error {
	if full(err) {
		return refused(usererr.TooLarge, s.path(), "the disk is full; nothing of the file was kept", "Make room on this computer and try again")
	}
	return refused(usererr.Unavailable, s.path(), cause(err), "Look at the folder and try again")
}

// sweep removes what was left behind when a computer or program stopped.
func (s *sink) sweep() {
	dir, err := s.root.Open(".")
	if err != nil {
		return
	}
	defer func() { _ = dir.Close() }()
	entries, _ := dir.ReadDir(4096) // more are looked at another time
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), partPrefix) || !strings.HasSuffix(e.Name(), partSuffix) {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > partLife {
			_ = s.root.Remove(e.Name())
		}
	}
}

func (s *sink) info() (string, int64) { return s.name, s.written }

func (s *sink) read([]byte, int64) (int, error) { return 0, ErrNonsense }

func (s *sink) write(data []byte, offset int64) error {
	to := offset + int64(len(data))
	switch _, again := s.ahead[offset]; {
	case s.failure != nil:
		return s.failure
	case to <= s.written, again:
		return nil // sent again over another link
	case offset < s.written, s.expected > 0 && to > s.expected, offset-s.written > wire.FileWindow*wire.FileChunk, len(s.ahead) >= wire.FileWindow:
		s.failure = ErrNonsense
		return s.failure
	}
	if _, err := s.file.WriteAt(data, offset); err != nil {
		s.failure = s.wrong(err)
		s.drop() // at once: a full disk is needed by others
		return s.failure
	}
	s.ahead[offset] = to
	for end, there := s.ahead[s.written]; there; end, there = s.ahead[s.written] {
		delete(s.ahead, s.written)
		s.written = end
	}
	if s.written-s.begun >= writebackEach {
		startWriteback(s.file, s.begun, s.written-s.begun)
		s.begun = s.written
	}
	return nil
}

// drop removes what was written.
func (s *sink) drop() {
	if s.over {
		return
	}
	s.over = true
	_ = s.file.Close()
	_ = s.root.Remove(s.part)
	_ = s.root.Close()
}

func (s *sink) end(keep bool) (string, error) {
	defer s.drop()
	switch {
	case !keep:
		return "", nil
	case s.failure != nil:
		return "", s.failure
	case len(s.ahead) > 0, s.expected > 0 && s.written != s.expected:
		return "", refused(usererr.Unavailable, s.path(), "not all of the file arrived; nothing of it was kept", "Try again")
	}
	if err := s.file.Sync(); err != nil {
		return "", s.wrong(err)
	}
	if err := s.file.Close(); err != nil {
		return "", s.wrong(err)
	}
	mark(filepath.Join(s.folder, s.part))
	if err := s.settle(); err != nil {
		return "", err
	}
	syncFolder(s.root)
	return s.path(), nil
}

// settle gives the complete file its name. A link says whether the name is
// taken, which a renaming does not; where there are no links, an empty file
// takes the name first.
func (s *sink) settle() error {
	if s.overwrite {
		if err := s.free(); err != nil {
			return err
		}
		return s.rename()
	}
	err := s.root.Link(s.part, s.name)
	switch {
	case err == nil:
		return nil // drop removes the other name
	case errors.Is(err, fs.ErrExist):
		return s.taken()
	}
	hold, err := s.root.OpenFile(s.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return s.taken()
	}
	if err != nil {
		return s.wrong(err)
	}
	_ = hold.Close()
	if err := s.rename(); err != nil {
		_ = s.root.Remove(s.name)
		return err
	}
	return nil
}

func (s *sink) rename() error {
	if err := s.root.Rename(s.part, s.name); err != nil {
		return s.wrong(err)
	}
	return nil
}
