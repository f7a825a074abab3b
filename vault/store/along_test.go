package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// conclude stores the result of a write and its record at the same time, as the
// guard does.
func conclude(ctx context.Context, db *store.DB, e journal.Entry, next func(audit.Head) audit.Record) (finished, recorded error) {
	recorded = errors.New("there was no record")
	finished = db.JournalFinish(ctx, e.Key, e.Started, []byte("sealed"), func(ctx context.Context) { recorded = db.AuditAppend(ctx, "acme", next) })
	return finished, recorded
}

func following(event string) func(audit.Head) audit.Record {
	return func(head audit.Head) audit.Record {
		return audit.Record{
			Tenant: "acme", Head: audit.Head{Seq: head.Seq + 1, Hash: fmt.Appendf(nil, "hash of %d, %s", head.Seq+1, event)},
			Prev: head.Hash, Time: now, Event: event, Body: []byte("{}"),
		}
	}
}

func begin(t testing.TB, db *store.DB, call string) journal.Entry {
	t.Helper()
	e := entry(call)
	if _, fresh, err := db.JournalStart(t.Context(), e, false); err != nil || !fresh {
		t.Fatal(fresh, err)
	}
	return e
}

func resultOf(t testing.TB, db *store.DB, e journal.Entry) string {
	t.Helper()
	e.Started = now.AddDate(1, 0, 0)
	stands, fresh, err := db.JournalStart(t.Context(), e, false)
	if err != nil || fresh {
		t.Errorf("the entry is gone: %v", err)
	}
	return string(stands.Result)
}

// TestAResultGoesAlongWithItsRecord: on a server both are one transaction.
func TestAResultGoesAlongWithItsRecord(t *testing.T) {
	url := engines["postgres"](t)
	db := openAt(t, url)
	server := plain(t, "pgx", url)
	for try := range 20 {
		e := begin(t, db, fmt.Sprint(try))
		if finished, recorded := conclude(t.Context(), db, e, following(e.Call)); finished != nil || recorded != nil {
			t.Fatal(finished, recorded)
		}
		if got := resultOf(t, db, e); got != "sealed" {
			t.Fatalf("the result is %q", got)
		}
		var same bool
		const query = "SELECT j.xmin = a.xmin FROM journal j, audit a WHERE j.call = $1 AND a.event = $1"
		if err := server.QueryRowContext(t.Context(), query, e.Call).Scan(&same); err != nil {
			t.Fatal(err)
		}
		if !same {
			t.Errorf("the result of %s is not in the transaction of its record", e.Call)
		}
	}
}

// TestAResultIsStoredWhateverBecomesOfTheRecord: others are faster, the record
// panics, or the caller's result has gone.
func TestAResultIsStoredWhateverBecomesOfTheRecord(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		e := begin(t, db, "panic")
		finished, recorded := conclude(t.Context(), db, e, func(audit.Head) audit.Record { panic("broken") })
		if got := resultOf(t, db, e); finished != nil || recorded == nil || got != "sealed" {
			t.Errorf("with a record that panics: %v, %v, %q", finished, recorded, got)
		}
		e = begin(t, db, "no record")
		finished, recorded = conclude(t.Context(), db, e, func(head audit.Head) audit.Record {
			r := following("bad")(head)
			r.Seq = -1 // which the database refuses
			return r
		})
		if got := resultOf(t, db, e); finished != nil || recorded == nil || got != "sealed" {
			t.Errorf("with a record that is refused: %v, %v, %q", finished, recorded, got)
		}
		e = begin(t, db, "gone")
		if err := db.JournalDrop(t.Context(), e.Key, e.Started); err != nil {
			t.Fatal(err)
		}
		if finished, recorded = conclude(t.Context(), db, e, following("x")); finished == nil || recorded != nil {
			t.Errorf("with nothing in the journal: %v, %v", finished, recorded)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if finished, recorded = conclude(ctx, db, e, following("y")); !errors.Is(recorded, context.Canceled) {
			t.Errorf("for somebody who has gone: %v, %v", finished, recorded)
		}
	})
}

// TestARecordIsStoredWhateverBecomesOfTheResult: the server refuses the result,
// or somebody keeps it locked, which holds up nobody for long.
func TestARecordIsStoredWhateverBecomesOfTheResult(t *testing.T) {
	url := engines["postgres"](t)
	db, other := openAt(t, url), openAt(t, url)
	server := plain(t, "pgx", url)
	for _, query := range []string{
		"CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END; $$",
		"CREATE TRIGGER no BEFORE UPDATE ON journal FOR EACH ROW WHEN (OLD.call = 'refused') EXECUTE FUNCTION no()",
	} {
		if _, err := server.ExecContext(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		e := begin(t, db, "refused")
		if finished, recorded := conclude(t.Context(), db, e, following("x")); finished == nil || recorded != nil {
			t.Errorf("with a result that is refused: %v, %v", finished, recorded)
		}
		if err := db.JournalDrop(t.Context(), e.Key, e.Started); err != nil {
			t.Fatal(err)
		}
	}
	e := begin(t, db, "locked")
	tx, err := server.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), "SELECT 1 FROM journal WHERE call = 'locked' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	recorded := make(chan error, 1)
	go func() {
		finished := db.JournalFinish(t.Context(), e.Key, e.Started, []byte("sealed"), func(ctx context.Context) {
			recorded <- db.AuditAppend(ctx, "acme", following("y"))
		})
		ended <- finished
	}()
	for waits := 0; waits == 0; time.Sleep(time.Millisecond) {
		if err := server.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waits); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Fatalf("it did not wait for the lock: %v", err)
		default:
		}
	}
	// Neither another vault nor, soon, this one has to wait for that.
	waiting := time.Now()
	if err := other.AuditAppend(t.Context(), "acme", following("of another vault")); err != nil {
		t.Error(err)
	}
	select {
	case <-recorded:
		t.Fatalf("another vault waited for the lock, %v", time.Since(waiting))
	default:
	}
	if err := db.AuditAppend(t.Context(), "acme", following("later")); err != nil {
		t.Error(err)
	}
	if err := <-recorded; err != nil {
		t.Errorf("the record of a result that is locked: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("once the lock is gone: %v", err)
	}
	if got := resultOf(t, db, e); got != "sealed" {
		t.Errorf("the result is %q", got)
	}
}

// TestAResultOutlastsItsRecord: the record takes all the time of the call, as it
// waits for somebody who finds the end of the chain locked.
func TestAResultOutlastsItsRecord(t *testing.T) {
	url := engines["postgres"](t)
	db := openAt(t, url)
	server := plain(t, "pgx", url)
	if err := db.AuditAppend(t.Context(), "acme", following("first")); err != nil {
		t.Fatal(err)
	}
	tx, err := server.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(t.Context(), "SELECT 1 FROM audit_heads FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	hanging := make(chan error, 1)
	go func() {
		hanging <- db.AuditAppend(t.Context(), "acme", func(head audit.Head) audit.Record {
			close(begun)
			return following("before")(head)
		})
	}()
	<-begun
	e := begin(t, db, "late")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	finished, recorded := conclude(ctx, db, e, following("y"))
	if got := resultOf(t, db, e); finished != nil || recorded == nil || got != "sealed" {
		t.Errorf("%v, %v, %q", finished, recorded, got)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-hanging; err != nil {
		t.Errorf("once the lock is gone: %v", err)
	}
}

// TestResultsOfManyReplicas: several vaults store results and records at the
// same time, so that each finds others faster.
func TestResultsOfManyReplicas(t *testing.T) {
	for name, at := range engines {
		if name == "memory" {
			continue // is private to one
		}
		t.Run(name, func(t *testing.T) {
			url := at(t)
			times := crowd(t, url, func(db *store.DB, name string) {
				e := begin(t, db, name)
				if finished, recorded := conclude(t.Context(), db, e, following(e.Call)); finished != nil || recorded != nil {
					t.Error(finished, recorded)
				}
			})
			db := openAt(t, url)
			all, err := db.AuditRead(t.Context(), "acme", 0, 1000)
			if err != nil || len(all) != times {
				t.Fatalf("%d records, %v", len(all), err)
			}
			for i, r := range all {
				if r.Seq != int64(i)+1 || i > 0 && string(r.Prev) != string(all[i-1].Hash) {
					t.Fatalf("record %d is %+v", i+1, r)
				}
				if got := resultOf(t, db, entry(r.Event)); got != "sealed" {
					t.Errorf("the result of %s is %q", r.Event, got)
				}
			}
		})
	}
}
