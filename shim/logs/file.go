package logs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// file is a log file that other processes write as well. It is opened for each
// line and not kept open: so a process never goes on writing a file that
// another one has set aside, and Windows can rename it.
type file struct {
	path string
	max  int64
}

// Write appends line in one piece.
func (f *file) Write(line []byte) (int, error) {
	to, err := f.open()
	if errors.Is(err, fs.ErrNotExist) && os.MkdirAll(filepath.Dir(f.path), dirMode) == nil {
		to, err = f.open()
	}
	if err != nil {
		return 0, err
	}
	n, err := to.Write(line)
	info, statErr := to.Stat()
	err = errors.Join(err, statErr, to.Close())
	if err == nil && info.Size() >= f.max {
		err = f.setAside()
	}
	return n, err
}

func (f *file) open() (*os.File, error) {
	// What is no file, such as a pipe that somebody put there, would hang.
	if info, err := os.Lstat(f.path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("the log is not a regular file")
	}
	return os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, fileMode)
}

// setAside renames the file, and the older ones, unless another process is
// doing so: then the file is small when the lock is free again.
func (f *file) setAside() error {
	lock := flock.New(f.path+".lock", flock.SetPermissions(fileMode))
	if ok, err := lock.TryLock(); err != nil || !ok {
		return err
	}
	defer func() { _ = lock.Close() }()
	if info, err := os.Stat(f.path); err != nil || info.Size() < f.max {
		return err
	}
	for n := keepFiles; n > 1; n-- {
		if err := os.Rename(f.older(n-1), f.older(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(f.path, f.older(1))
}

// older is the name of the n-th file that was set aside, counted backwards.
func (f *file) older(n int) string {
	return strings.TrimSuffix(f.path, ".log") + "." + strconv.Itoa(n) + ".log"
}
