package guard_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// journals are those that a door may have: the one of these tests, and the
// real one.
func journals(t *testing.T) map[string]journal.Journal {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "vault.db"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return map[string]journal.Journal{"memory": &memory{}, "sqlite": db}
}

func TestJournalsKeepTheContract(t *testing.T) {
	for name, j := range journals(t) {
		t.Run(name, func(t *testing.T) {
			at := time.UnixMilli(1_800_000_000_000)
			entry := func(call string, after time.Duration) journal.Entry {
				return journal.Entry{
					Key: journal.Key{Device: "d", Stream: "s", Call: call}, Person: "p", Tenant: "t", Tool: "w",
					Print: []byte{1, 2, byte(after)}, Started: at.Add(after),
				}
			}
			start := func(e journal.Entry, replace bool, want journal.Entry, fresh bool) {
				t.Helper()
				got, is, err := j.JournalStart(t.Context(), e, replace)
				if diff := cmp.Diff(want, got); diff != "" || is != fresh || err != nil {
					t.Fatalf("fresh %v, %v\n%s", is, err, diff)
				}
			}
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			first, later := entry("7", 0), entry("7", 5*time.Millisecond)
			start(first, false, first, true)
			start(later, false, first, false)                // sent again: the first stands
			start(entry("8", 0), false, entry("8", 0), true) // another call
			records := 0
			record := func(context.Context) { records++ }
			must(j.JournalFinish(t.Context(), first.Key, first.Started, []byte("r"), record))
			first.Result = []byte("r")
			start(later, false, first, false)
			must(j.JournalDrop(t.Context(), first.Key, first.Started)) // what is finished stays
			start(later, false, first, false)
			start(entry("7", -time.Millisecond), true, first, false) // begun before the one that stands
			start(entry("7", 0), true, first, false)
			start(later, true, later, true) // a new call of the old id
			// The old one has lost its place: it may not end the new one.
			_ = j.JournalFinish(t.Context(), first.Key, first.Started, []byte("old"), record) // an error, or nothing
			if records != 2 {
				t.Errorf("two calls were put on record %d times", records)
			}
			must(j.JournalDrop(t.Context(), first.Key, first.Started))
			start(first, false, later, false)
			must(j.JournalDrop(t.Context(), later.Key, later.Started))
			must(j.JournalDrop(t.Context(), later.Key, later.Started)) // twice is no error
			first.Result = nil
			start(first, false, first, true)
			if _, err := j.JournalClean(t.Context(), at.Add(time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			start(later, false, later, true)
		})
	}
}
