package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/store/sqlite"
)

// TestScrub cuts the log off, at once when nobody reads it and later when
// somebody does, whom writers do not wait for.
func TestScrub(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.db")
	db := open(t, sqlite.Config{File: file})
	size := func() int64 {
		at, err := os.Stat(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return at.Size()
	}
	empty := func(within time.Duration) bool {
		for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if size() == 0 {
				return true
			}
		}
		return false
	}
	if n := size(); n != 0 {
		t.Errorf("%d bytes are in the log of a file that was just opened", n)
	}
	if err := add(db, "one"); err != nil || size() == 0 {
		t.Fatal("nothing in the log", err)
	}
	db.Scrub()
	if !empty(20 * time.Second) {
		t.Error("the log is as long as it was")
	}

	if err := add(db, "two"); err != nil {
		t.Fatal(err)
	}
	reader, err := db.Read().BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Rollback() }()
	var n int
	if err := reader.QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&n); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	db.Scrub()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // less than the patience for locks
	defer cancel()
	err = db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "three") })
	if err != nil {
		t.Errorf("writing while the log cannot be cut off: %v", err)
	}
	if empty(200 * time.Millisecond) {
		t.Error("the log was cut off under its reader")
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	if !empty(20 * time.Second) {
		t.Error("the log stays when the reader has gone")
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d things, want 3", n)
	}
}

// TestScrubInMemory has nothing to do.
func TestScrubInMemory(t *testing.T) {
	db := open(t, sqlite.Config{})
	db.Scrub()
	if err := add(db, "one"); err != nil || count(t, db) != 1 {
		t.Error(err)
	}
}
