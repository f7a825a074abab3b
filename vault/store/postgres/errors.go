package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
)

// code is the SQLSTATE of an error of the server, or "".
func code(err error) string {
	if said, ok := errors.AsType[*pgconn.PgError](err); ok {
		return said.Code
	}
	return ""
}

// undone reports whether the server said that it rolled back. It may not know
// (40003), or be about to go.
func undone(err error) bool {
	c := code(err)
	return c != "" && c != "40003" && !errors.Is(kind(err), engine.ErrDown)
}

// kind sorts an error by its SQLSTATE (PostgreSQL, Appendix A). Nil is one that
// this package has no word for.
func kind(err error) error {
	switch c := code(err); {
	case c == "53100":
		return engine.ErrFull
	case c == "40001", c == "40P01", c == "55P03":
		return engine.ErrLocked
	case c == "25006":
		return engine.ErrReadOnly
	case c == "XX001", c == "XX002":
		return engine.ErrCorrupt
	case strings.HasPrefix(c, "08"), strings.HasPrefix(c, "53"), strings.HasPrefix(c, "57P"): // connection, resources, shutdown
		return engine.ErrDown
	case c != "":
		return nil
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	if connecting || network && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) {
		return engine.ErrDown
	}
	return nil
}

// translate adds our kind of error to one of the driver's.
func (db *DB) translate(err error) error {
	if err == nil {
		return nil
	}
	is := kind(err)
	if db.closed.Load() && (is == nil || errors.Is(is, engine.ErrDown)) {
		is = engine.ErrClosed
	}
	if is == nil || errors.Is(err, is) {
		return err
	}
	return fmt.Errorf("%w: %w", is, err)
}

func settings(err error, message, hint string) error {
	return usererr.Wrap(err, usererr.Settings, message, hint)
}

// refusal says in plain words why the database cannot be used.
func refusal(err error, conf *pgx.ConnConfig) error {
	if _, ok := usererr.From(err); ok {
		return err
	}
	name := "The database " + conf.Database + " at " + conf.Host
	const untouched = "; nothing in it was changed"
	newer, isNewer := errors.AsType[engine.NewerError](err)
	switch c := code(err); {
	case isNewer:
		return settings(err, fmt.Sprintf("%s was written by a newer version of the vault (schema %d, this version knows %d)", name, newer.Found, newer.Known), "Run the newer version again"+untouched)
	case errors.Is(err, engine.ErrDiffers):
		return settings(err, name+" was written by a version of the vault that does not match this one", "Run the version that made it, or restore a backup"+untouched)
	case errors.Is(err, engine.ErrForeign):
		return settings(err, name+" has tables of another program", "Make an empty database for the vault, or correct store.url"+untouched)
	case strings.HasPrefix(c, "28"):
		return settings(err, name+" does not let the vault in", "Check the user and password of store.url, and what the server allows that user")
	case c == "3D000":
		return settings(err, name+" does not exist", "Create it, or correct store.url")
	case c == "42501":
		return settings(err, name+" does not let the vault make its tables", "Let the vault's user create tables in its schema")
	}
	switch is := kind(err); {
	case is != nil && errors.Is(is, engine.ErrDown):
		return settings(err, name+" cannot be reached", "Start it, or correct store.url; see the log for the cause")
	case is != nil && errors.Is(is, engine.ErrReadOnly):
		return settings(err, name+" cannot be written", "Connect to the primary server, not to a copy of it")
	case is != nil && errors.Is(is, engine.ErrFull):
		return settings(err, "There is no room on the disk of "+name, "Make room and start again")
	case errors.Is(err, context.DeadlineExceeded):
		return settings(err, name+" does not answer in time", "Look whether it is overloaded, or locked by somebody, and start again")
	}
	return settings(err, name+" cannot be used", "See the log for the cause"+untouched)
}
