package sqlite

import (
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

var (
	errWrite       = errors.New("the system refused a write")
	errNotDatabase = errors.New("not a SQLite database")
)

// translate adds our kind of error to one of the driver's.
func translate(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	kind := error(nil)
	switch e.Code() & 0xff { // the rest is detail
	case codes.SQLITE_FULL:
		kind = engine.ErrFull
	case codes.SQLITE_BUSY, codes.SQLITE_LOCKED:
		kind = engine.ErrLocked
	case codes.SQLITE_CORRUPT:
		kind = engine.ErrCorrupt
	case codes.SQLITE_NOTADB:
		kind = errNotDatabase
	case codes.SQLITE_READONLY, codes.SQLITE_PERM:
		kind = engine.ErrReadOnly
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
	var newer engine.NewerError
	switch {
	case errors.As(err, &newer):
		return settings(err, fmt.Sprintf("%s was written by a newer version of the vault (schema %d, this version knows %d)", name, newer.Found, newer.Known), "Run the newer version again"+untouched)
	case errors.Is(err, engine.ErrDiffers):
		return settings(err, name+" was written by a version of the vault that does not match this one", "Run the version that made it, or restore a backup"+untouched)
	case errors.Is(err, engine.ErrForeign):
		return settings(err, name+" belongs to another program", "Correct store.url"+untouched)
	case errors.Is(err, errNotDatabase):
		return settings(err, name+" is not a SQLite database", "Correct store.url, or restore a backup"+untouched)
	case errors.Is(err, engine.ErrCorrupt):
		return settings(err, name+" is damaged", "Restore a backup"+untouched)
	case errors.Is(err, engine.ErrLocked):
		return settings(err, name+" is locked by another program", "End that program, or wait until it is done, and start again")
	case errors.Is(err, engine.ErrFull):
		return settings(err, "There is no room on the disk for "+file, "Make room and start again")
	case errors.Is(err, errWrite):
		return settings(err, "The disk takes no more of "+file, "Look whether it is full, over a quota or broken, and start again")
	case errors.Is(err, engine.ErrReadOnly):
		return settings(err, name+" cannot be written", "Let the vault write to the file and its folder")
	}
	return settings(err, name+" cannot be opened", "See the log for the cause"+untouched)
}
