package tool

import (
	"context"
	"io"
)

// Computer is the computer of the caller, whose files a call may use that names
// them in its arguments. What it may not is refused there. The call is the one
// in the context; implementations may be called concurrently. Their errors are
// user errors.
type Computer interface {
	// Open opens a file for reading. path is the text that stands in the
	// arguments.
	Open(ctx context.Context, path string) (Source, error)
	// Create begins a file in the folder that stands in the arguments. size is
	// what will be written, 0 if it is not known.
	Create(ctx context.Context, folder, name string, size int64) (Target, error)
}

// Source is a file of the caller's computer. Read returns [io.EOF] once all was
// read and the file is still what it was; one that changed is an error. The
// context of Open bounds all of it.
type Source interface {
	io.ReadCloser
	Name() string // without its folder
	Size() int64
}

// Target is a file that is written on the caller's computer. It has its name
// once it is kept; Drop, which may follow Keep, leaves nothing of it. The
// context of Create bounds all of it.
type Target interface {
	io.Writer
	// Keep waits until all of it is there and returns where.
	Keep() (path string, err error)
	Drop()
}
