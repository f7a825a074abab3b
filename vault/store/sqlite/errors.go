package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// What can be wrong with a database. Callers branch on these.
var (
	// ErrFull says that there is no room for the write, which did not happen.
	// Later writes succeed once there is room again.
	ErrFull = errors.New("no room for the database")
	// ErrLocked says that another process kept the lock for too long.
	ErrLocked = errors.New("the database is locked by another process")
	// ErrCorrupt says that the file is damaged.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrReadOnly says that the file may not be written.
	ErrReadOnly = errors.New("the database is read-only")
	// ErrClosed says that the database was closed; the write did not happen.
	ErrClosed = errors.New("the database is closed")

	errWrite       = errors.New("the system refused a write")
	errNotDatabase = errors.New("not a SQLite database")
	errForeign     = errors.New("a database of another program")
	errDiffers     = errors.New("made by a version whose migrations differ")
)

// newerError says that the file was written by a newer version.
type newerError struct{ found, known int }

func (e newerError) Error() string {
	return fmt.Sprintf("schema %d is newer than %d", e.found, e.known)
}

// translate adds our kind of error to one of the driver's.
func translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := error(nil)
	switch e.Code() & 0xff { // the rest is detail
	case codes.SQLITE_FULL:
		kind = ErrFull
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		kind = ErrLocked
	case codes.SQLITE_CORRUPT:
		kind = ErrCorrupt
	case codes.SQLITE_NOTADB:
		kind = errNotDatabase
	case codes.SQLITE_READONLY, codes.SQLITE_PERM:
		kind = ErrReadOnly
	}
	switch e.Code() {
	case codes.SQLITE_IOERR_WRITE, codes.SQLITE_IOERR_FSYNC, codes.SQLITE_IOERR_SHMSIZE:
		kind = errWrite // a quota, a size limit or a broken disk
	}
	if kind == nil || errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

func settings(err error, message, hint string) error {
	return usererr.Wrap(err, usererr.Settings, message, hint)
}

// refusal says in plain words why file cannot be used.
func refusal(err error, file string) error {
	if _, ok := usererr.From(err); ok {
		return err
	}
	err = translate(err)
	name := "The database " + file
	if file == "" {
		name = "The database in memory"
	}
	const untouched = "; nothing in it was changed"
	var newer newerError
	switch {
	case errors.As(err, &newer):
		return settings(err, fmt.Sprintf("%s was written by a newer version of the vault (schema %d, this version knows %d)", name, newer.found, newer.known), "Run the newer version again"+untouched)
	case errors.Is(err, errDiffers):
		return settings(err, name+" was written by a version of the vault that does not match this one", "Run the version that made it, or restore a backup"+untouched)
	case errors.Is(err, errForeign):
		return settings(err, name+" belongs to another program", "Correct store.url"+untouched)
	case errors.Is(err, errNotDatabase):
		return settings(err, name+" is not a SQLite database", "Correct store.url, or restore a backup"+untouched)
	case errors.Is(err, ErrCorrupt):
		return settings(err, name+" is damaged", "Restore a backup"+untouched)
	case errors.Is(err, ErrLocked):
		return settings(err, name+" is locked by another program", "End that program, or wait until it is done, and start again")
	case errors.Is(err, ErrFull):
		return settings(err, "There is no room on the disk for "+file, "Make room and start again")
	case errors.Is(err, errWrite):
		return settings(err, "The disk takes no more of "+file, "Look whether it is full, over a quota or broken, and start again")
	case errors.Is(err, ErrReadOnly):
		return settings(err, name+" cannot be written", "Let the vault write to the file and its folder")
	}
	return settings(err, name+" cannot be opened", "See the log for the cause"+untouched)
}
