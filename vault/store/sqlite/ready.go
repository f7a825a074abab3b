package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

// readyFor is how long a good answer of Ready stands: whoever may ask must not
// be able to keep the disk busy.
const readyFor = time.Second

// Ready returns nil if the database can be read and written and the disk has
// room to go on, or a user error with the code Unavailable that says what is
// wrong.
func (db *DB) Ready(ctx context.Context) error {
	db.readyMu.Lock()
	recent := !db.readyAt.IsZero() && time.Since(db.readyAt) < readyFor
	db.readyMu.Unlock()
	if recent {
		return nil
	}
	if err := db.room(); err != nil {
		return err
	}
	err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, touch)
		return err
	})
	if err == nil {
		var n int
		err = translate(db.reads.QueryRowContext(ctx, "SELECT count(*) FROM migrations").Scan(&n))
	}
	if err != nil {
		return usererr.Wrap(err, usererr.Unavailable, ailment(err), "See the log for the cause")
	}
	db.readyMu.Lock()
	defer db.readyMu.Unlock()
	db.readyAt = time.Now()
	return nil
}

// room refuses before the disk is full, so that somebody can act in time.
func (db *DB) room() error {
	if db.file == "" {
		return nil
	}
	free, known := freeBytes(filepath.Dir(db.file))
	if known && free < leastFree {
		return usererr.New(usererr.Unavailable, "The disk of the database is almost full", "Make room on it")
	}
	return nil
}

func ailment(err error) string {
	for _, kind := range []error{engine.ErrFull, engine.ErrLocked, engine.ErrCorrupt, engine.ErrReadOnly, engine.ErrClosed, context.DeadlineExceeded} {
		if !errors.Is(err, kind) {
			continue
		}
		if errors.Is(kind, context.DeadlineExceeded) {
			return "The database does not answer in time"
		}
		return "The database cannot be used: " + kind.Error()
	}
	return "The database cannot be used"
}
