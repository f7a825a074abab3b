package store_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// open opens a store in memory.
func open(t testing.TB) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite::memory:", "")
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

func TestReady(t *testing.T) {
	if err := open(t).Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), "sqlite:vault.db", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}
