package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

const (
	// scrubPatience is how long writers wait for readers of the log.
	scrubPatience = 50 * time.Millisecond
	// Another try comes after a second, then twice as late each time.
	scrubAgain   = time.Second
	scrubAtLeast = time.Minute // … but not later than this
)

// Scrub sees to it that bytes which were overwritten in the database do not
// stay in its write-ahead log: soon, between writes, the log is folded into the
// file and cut off. While somebody reads the log, here or in another process,
// that is tried again. Scrub does not wait.
func (db *DB) Scrub() {
	if db.file == "" {
		return // no log
	}
	select {
	case db.write.scrub <- struct{}{}:
	default: // asked for already
	}
}

// scrubber tries until the log is cut off. It belongs to the writer's loop.
type scrubber struct {
	again <-chan time.Time // of the next try; nil if none is due
	wait  time.Duration
}

// try is for a new wish (fresh) or the time of again.
func (s *scrubber) try(w *writer, fresh bool) {
	if fresh || s.wait == 0 {
		s.wait = scrubAgain
	}
	if s.again = nil; w.cutLog() == nil {
		return
	}
	s.again = time.After(s.wait)
	s.wait = min(2*s.wait, scrubAtLeast)
}

// cutLog folds the log into the file and truncates it, or returns an error if
// somebody reads it.
func (w *writer) cutLog() (err error) {
	ctx, cancel := context.WithTimeout(w.life, closeTimeout)
	defer cancel()
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var patience int64
	if err := conn.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return err
	}
	if err := setPatience(ctx, conn, scrubPatience.Milliseconds()); err != nil {
		return err
	}
	var busy, pages, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = engine.ErrLocked
	}
	if failed := setPatience(ctx, conn, patience); failed != nil {
		// Writes must not be as impatient: the pool makes another connection.
		return errors.Join(err, conn.Raw(func(any) error { return driver.ErrBadConn }))
	}
	return translate(err)
}

func setPatience(ctx context.Context, conn *sql.Conn, millis int64) error {
	var now int64
	return conn.QueryRowContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", millis)).Scan(&now)
}
