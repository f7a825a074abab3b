package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// engines are the stores that keep the promises of this package. A new engine
// adds its line, and every test of a noun runs on it too.
var engines = map[string]func(t testing.TB) string{
	"memory":   func(testing.TB) string { return "sqlite::memory:" },
	"file":     func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "vault.db") },
	"postgres": testenv.Postgres,
}

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

// onEach runs test on a new store of every engine.
func onEach(t *testing.T, test func(t *testing.T, db *store.DB)) {
	t.Helper()
	for name, url := range engines {
		t.Run(name, func(t *testing.T) { test(t, openAt(t, url(t))) })
	}
}

func openAt(t testing.TB, url string) *store.DB {
	t.Helper()
	db, err := store.Open(context.Background(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return db
}

// plain opens the database of a store as somebody else would.
func plain(t testing.TB, driver, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), "sqlite:vault.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ready(t.Context()); err != nil {
		t.Errorf("Ready = %v", err)
	}
	if found, now := db.Version(); found != 0 || now < 7 {
		t.Errorf("Version = %d, %d", found, now)
	}
	if _, err := os.Stat(filepath.Join(dir, "vault.db")); err != nil {
		t.Errorf("a relative name is not relative to the folder: %v", err)
	}
	for url, words := range map[string]string{
		"":                                "unknown kind",
		"sqlite:":                         "unknown kind",
		"vault.db":                        "unknown kind",
		"oracle://joe:CANARY@db.example/": `"oracle" is of an unknown kind`,
		"sqlite:missing/vault.db":         "folder of the database",
		"sqlite:.":                        "is not a file",
	} {
		_, err := store.Open(t.Context(), url, dir)
		if text := usererr.Text(err, ""); usererr.CodeOf(err) != usererr.Settings || !strings.Contains(text, words) || strings.Contains(text, "CANARY") {
			t.Errorf("Open(%q) = %v", url, err)
		}
	}
}

func TestTwoStoresInMemoryAreTwo(t *testing.T) {
	a, b := openAt(t, "sqlite::memory:"), openAt(t, "sqlite::memory:")
	if err := a.Remember(t.Context(), "id", later()); err != nil {
		t.Fatal(err)
	}
	if err := b.Remember(t.Context(), "id", later()); err != nil {
		t.Error(err)
	}
}

// TestDestroyedMeansGone looks for bytes of a finished write in the file after
// they were dropped: SQLite overwrites them (secure_delete).
func TestDestroyedMeansGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := openAt(t, "sqlite:"+file)
	e := entry("c1")
	canary := []byte("CANARY-sealed-result")
	if _, _, err := db.JournalStart(t.Context(), e, false); err != nil {
		t.Fatal(err)
	}
	if err := db.JournalFinish(t.Context(), e.Key, e.Started, canary, func(context.Context) {}); err != nil {
		t.Fatal(err)
	}
	if n, err := db.JournalClean(t.Context(), later()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || bytes.Contains(data, canary) {
		t.Errorf("the bytes are still in the file (%v)", err)
	}
}

func TestAuditRowsAreAppendOnly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := openAt(t, "sqlite:"+file)
	sealTwo(t, db)
	appendOnly(t, plain(t, "sqlite", file),
		"INSERT OR REPLACE INTO audit_segments SELECT tenant, first_seq, last_seq, prev, hash, since, until, note, 1 FROM audit_segments",
		"INSERT INTO audit_segments SELECT tenant, 2, 2, hash, hash, since, until, note, 1 FROM audit_segments",
		"INSERT OR REPLACE INTO audit_heads SELECT tenant, seq, x'00' FROM audit_heads",
		"INSERT OR REPLACE INTO audit SELECT tenant, seq, at, 'forged', body, prev, hash FROM audit",
		"UPDATE audit_heads SET seq = seq + 2")
}

func TestAuditRowsAreAppendOnlyOnAServer(t *testing.T) {
	url := testenv.Postgres(t)
	db := openAt(t, url)
	sealTwo(t, db)
	other := plain(t, "pgx", url)
	appendOnly(t, other, "TRUNCATE audit", "TRUNCATE audit_heads", "TRUNCATE audit_segments",
		"INSERT INTO audit_segments SELECT tenant, 2, 2, hash, hash, since, until, note, 1 FROM audit_segments",
		"INSERT INTO audit SELECT tenant, seq + 20, at, 'forged', body, prev, hash FROM audit",
		"INSERT INTO audit SELECT tenant, seq, at, 'forged', body, prev, hash FROM audit ON CONFLICT (tenant, seq) DO UPDATE SET event = 'forged'")
}

// sealTwo makes a chain of which one record is sealed and none is dropped.
func sealTwo(t *testing.T, db *store.DB) {
	t.Helper()
	for i := range 3 {
		appendRecord(t, db, "acme", fmt.Sprint("e", i+1))
	}
	if err := db.AuditSeal(t.Context(), segment(1, 1, "")); err != nil {
		t.Fatal(err)
	}
}

// appendOnly wants that the statements are refused, and those that any
// database understands.
func appendOnly(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range append(statements,
		"UPDATE audit SET event = 'x'", "DELETE FROM audit", "DELETE FROM audit_heads",
		"UPDATE audit_heads SET seq = 0", "UPDATE audit_heads SET tenant = 'x', seq = seq + 1",
		"UPDATE audit_segments SET dropped = 1, hash = prev", "UPDATE audit_segments SET note = prev", "UPDATE audit_segments SET dropped = 0",
		"DELETE FROM audit_segments", "DELETE FROM audit WHERE seq <= 2",
	) {
		if _, err := db.ExecContext(t.Context(), statement); err == nil {
			t.Errorf("%s: allowed", statement)
		} else if !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func TestErrorsOfAClosedStore(t *testing.T) {
	db := openAt(t, "sqlite::memory:")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Remember(t.Context(), "id", later()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Remember = %v", err)
	}
}
