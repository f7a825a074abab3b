// Package objects keeps what proves audit records as objects that are made once
// and never changed: a folder for now, also one on a mount that lets nobody
// overwrite (WORM). A bucket of a cloud has the same three operations.
package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/durable"
)

// ErrExists says that there is such an object already, perhaps only a part of
// one, as a crash leaves it.
var ErrExists = errors.New("the object exists already")

// Store keeps objects. Names have slashes between their parts.
type Store interface {
	// Create makes an object of what write writes; it is durable, with its name,
	// when Create returns nil. [ErrExists] if there is one of that name, which
	// is then durable as far as it was written.
	Create(ctx context.Context, name string, write func(io.Writer) error) error
	// Names lists what is right below a folder ("" for all), in order; names of
	// folders end in a slash. A folder that is not there is empty.
	Names(ctx context.Context, folder string) ([]string, error)
	// Open reads an object.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Dir is a folder with objects. It may be used from many goroutines and by many
// processes.
type Dir struct {
	path string
	sync func(folder string) error // makes the names in a folder durable
}

// NewDir returns the folder of that path, which must exist: a mount that is
// missing must not be taken for an empty one.
func NewDir(path string) (*Dir, error) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = errors.New("it is no folder")
	}
	if err != nil {
		return nil, fmt.Errorf("the folder of audit objects: %w", err)
	}
	return &Dir{path: path, sync: durable.Folder}, nil
}

// file is where an object is. Names never lead out of the folder.
func (d *Dir) file(name string) (string, error) {
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", fmt.Errorf("an audit object cannot be called %q", name)
	}
	return filepath.Join(d.path, filepath.FromSlash(name)), nil
}

// Create implements [Store].
func (d *Dir) Create(ctx context.Context, name string, write func(io.Writer) error) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	file, err := d.file(name)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("making an audit object: %w", err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// Whoever made it may have ended before it was durable.
		if err := d.settle(file); err != nil {
			return fmt.Errorf("looking at an audit object: %w", err)
		}
		return ErrExists
	} else if err != nil {
		return fmt.Errorf("making an audit object: %w", err)
	}
	// What fails half way stays: where nothing can be overwritten, nothing can
	// be taken away either, and whoever reads sees that it is not whole.
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.settleName(file)
	}
	if err != nil {
		return fmt.Errorf("writing an audit object: %w", err)
	}
	return nil
}

// settle makes a file that is there durable.
func (d *Dir) settle(file string) error {
	if runtime.GOOS != "windows" { // where only who may write can do it
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return d.settleName(file)
}

// settleName makes the name of a file durable, and those of the folders that it
// is in: another process may have made them and not have come to that yet.
func (d *Dir) settleName(file string) error {
	for {
		file = filepath.Dir(file)
		if err := d.sync(file); err != nil || file == filepath.Clean(d.path) || file == filepath.Dir(file) {
			return err
		}
	}
}

// Names implements [Store].
func (d *Dir) Names(_ context.Context, folder string) ([]string, error) {
	at := path.Clean(folder)
	if folder == "" {
		at = "."
	}
	file, err := d.file(at)
	if err != nil {
		return nil, err
	}
	list, err := os.ReadDir(file)
	if errors.Is(err, fs.ErrNotExist) && at != "." {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("listing audit objects: %w", err)
	}
	var names []string
	for _, e := range list {
		name := path.Join(at, e.Name())
		if e.IsDir() {
			name += "/"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, nil
}

// Open implements [Store].
func (d *Dir) Open(_ context.Context, name string) (io.ReadCloser, error) {
	file, err := d.file(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading an audit object: %w", err)
	}
	return f, nil
}

// Walk calls each with the name of every object below a folder, in order.
func Walk(ctx context.Context, store Store, folder string, each func(name string) error) error {
	names, err := store.Names(ctx, folder)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := each
		if strings.HasSuffix(name, "/") {
			next = func(name string) error { return Walk(ctx, store, name, each) }
		}
		if err := next(name); err != nil {
			return err
		}
	}
	return err
}

// Read reads an object that has no more than limit bytes, or the begin of one
// that has.
func Read(ctx context.Context, store Store, name string, limit int64) ([]byte, error) {
	r, err := store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // only read
	return io.ReadAll(io.LimitReader(r, limit))
}
