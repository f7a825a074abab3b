package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/guard/journal"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

var now = time.Now().UTC().Truncate(time.Millisecond)

func later() time.Time { return now.Add(time.Hour) }

func sessionOf(device, person string) session.Session {
	return session.Session{
		ID: identity.SessionID(identity.NewID("s_")), Device: identity.DeviceID(device), Person: identity.PersonID(person), Tenant: "acme",
		Created: now, Used: now, IdleUntil: now.Add(time.Hour), Until: now.Add(2 * time.Hour),
		Shown: session.Shown{Name: "Ada \u202eLovelace", Email: "ada@example.com", Host: `h"'`, OS: "linux"},
	}
}

func TestSessions(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if _, err := db.SessionCurrent(ctx, "d1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("no session: %v", err)
		}
		first, second, other := sessionOf("d1", "p_ada"), sessionOf("d1", "p_ada"), sessionOf("d2", "p_bob")
		for _, s := range []session.Session{first, other, second} {
			if err := db.SessionStart(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.SessionCurrent(ctx, "d1")
		if diff := cmp.Diff(second, got); err != nil || diff != "" {
			t.Errorf("current: %v %s", err, diff)
		}
		if err := db.SessionTouch(ctx, first.ID, later(), later()); !errors.Is(err, session.ErrNone) {
			t.Errorf("touching a session that was replaced: %v", err)
		}

		if err := db.SessionTouch(ctx, second.ID, now.Add(time.Minute), now.Add(90*time.Minute)); err != nil {
			t.Error(err)
		}
		if err := db.SessionTouch(ctx, second.ID, now.Add(time.Second), now.Add(time.Second)); err != nil {
			t.Error(err)
		}
		second.Used, second.IdleUntil = now.Add(time.Minute), now.Add(90*time.Minute)
		got, err = db.SessionCurrent(ctx, "d1")
		if diff := cmp.Diff(second, got); err != nil || diff != "" {
			t.Errorf("touched, and never back: %v %s", err, diff)
		}

		if err := errors.Join(db.SessionRevoke(ctx, second.ID, later()), db.SessionRevoke(ctx, second.ID, later().Add(time.Hour))); err != nil {
			t.Errorf("revoking twice: %v", err)
		}
		if err := db.SessionRevoke(ctx, "s_unknown", now); !errors.Is(err, session.ErrNone) {
			t.Errorf("revoking what is not there: %v", err)
		}
		if _, err := db.SessionCurrent(ctx, "d1"); !errors.Is(err, session.ErrNone) {
			t.Errorf("revoked: %v", err)
		}
		if err := db.SessionTouch(ctx, second.ID, later(), later()); !errors.Is(err, session.ErrNone) {
			t.Errorf("touching a revoked session: %v", err)
		}
		second.Revoked = later() // the first time stands
		all, err := db.SessionList(ctx)
		want := map[identity.SessionID]session.Session{second.ID: second, other.ID: other}
		list := map[identity.SessionID]session.Session{}
		for _, s := range all {
			list[s.ID] = s
		}
		if diff := cmp.Diff(want, list); err != nil || diff != "" {
			t.Errorf("list: %v %s", err, diff)
		}
	})
}

func TestSessionsOfMany(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		want := map[identity.DeviceID]session.Session{}
		var ask []identity.DeviceID
		for i := range 100 {
			s := sessionOf(fmt.Sprintf("d%d", i), "p_ada")
			if err := db.SessionStart(ctx, s); err != nil {
				t.Fatal(err)
			}
			switch {
			case i%3 == 0: // not asked for
				continue
			case i%3 == 1:
				want[s.Device] = s
			default:
				if err := db.SessionRevoke(ctx, s.ID, later()); err != nil {
					t.Fatal(err)
				}
			}
			ask = append(ask, s.Device)
		}
		began := time.Now()
		got, err := db.SessionsCurrent(ctx, append(ask, "d_unknown"))
		t.Logf("%d devices in %v", len(ask), time.Since(began))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("sessions of many: %v %s", err, diff)
		}
		if got, err := db.SessionsCurrent(ctx, nil); err != nil || len(got) != 0 {
			t.Errorf("sessions of nobody: %v %v", got, err)
		}
	})
}

func TestTheEpochMoves(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		s, again, stranger := sessionOf("d", "p_ada"), sessionOf("d", "p_ada"), sessionOf("d", "p_bob")
		before := int64(0)
		for _, step := range []struct {
			name  string
			do    func() error
			moves bool
		}{
			{"signing in", func() error { return db.SessionStart(t.Context(), s) }, false},
			{"using", func() error { return db.SessionTouch(t.Context(), s.ID, later(), later()) }, false},
			{"signing in again", func() error { return db.SessionStart(t.Context(), again) }, false},
			{"another person signs in on the device", func() error { return db.SessionStart(t.Context(), stranger) }, true},
			{"revoking", func() error { return db.SessionRevoke(t.Context(), stranger.ID, now) }, true},
			{"signing in after that", func() error { return db.SessionStart(t.Context(), sessionOf("d", "p_ada")) }, false},
		} {
			if err := step.do(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			epoch, err := db.Epoch(t.Context())
			if err != nil || before != 0 && (epoch > before) != step.moves {
				t.Errorf("%s: epoch %d after %d, %v", step.name, epoch, before, err)
			}
			before = epoch
		}
	})
}

func TestOldSessionsAreForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		old := sessionOf("d1", "p_ada")
		old.Until = now.Add(-31 * 24 * time.Hour)
		recent := sessionOf("d2", "p_ada")
		recent.Until = now.Add(-29 * 24 * time.Hour)
		for _, s := range []session.Session{old, recent, sessionOf("d3", "p_ada")} {
			if err := db.SessionStart(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		all, err := db.SessionList(t.Context())
		if err != nil || len(all) != 2 {
			t.Errorf("%d sessions, %v", len(all), err)
		}
	})
}

func appendRecord(t testing.TB, db *store.DB, tenant identity.TenantID, event string) {
	t.Helper()
	err := db.AuditAppend(context.Background(), tenant, func(head audit.Head) audit.Record {
		r := audit.Record{Tenant: tenant, Prev: head.Hash, Time: now, Event: event, Body: []byte(event)}
		r.Seq, r.Hash = head.Seq+1, []byte("hash of "+event)
		return r
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAudit(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if head, err := db.AuditHead(ctx, "acme"); err != nil || head.Seq != 0 || head.Hash != nil {
			t.Errorf("head of nothing = %v, %v", head, err)
		}
		for i := range 5 {
			appendRecord(t, db, "acme", fmt.Sprint("a", i))
			appendRecord(t, db, "", fmt.Sprint("v", i))
		}
		got, err := db.AuditRead(ctx, "acme", 2, 2)
		want := []audit.Record{
			{Tenant: "acme", Head: audit.Head{Seq: 3, Hash: []byte("hash of a2")}, Prev: []byte("hash of a1"), Time: now, Event: "a2", Body: []byte("a2")},
			{Tenant: "acme", Head: audit.Head{Seq: 4, Hash: []byte("hash of a3")}, Prev: []byte("hash of a2"), Time: now, Event: "a3", Body: []byte("a3")},
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("read: %v %s", err, diff)
		}
		if head, err := db.AuditHead(ctx, ""); err != nil || head.Seq != 5 || string(head.Hash) != "hash of v4" {
			t.Errorf("head = %v, %v", head, err)
		}
		if heads, err := db.AuditHeads(ctx); err != nil || heads[""].Seq != 5 || string(heads[""].Hash) != "hash of v4" {
			t.Errorf("AuditHeads = %v, %v", heads, err)
		}
		tenants, err := db.AuditTenants(ctx)
		if diff := cmp.Diff([]identity.TenantID{"", "acme"}, tenants); err != nil || diff != "" {
			t.Errorf("tenants: %v %s", err, diff)
		}
	})
}

// crowd does something from many goroutines on several stores of one database,
// as several processes do, each time under another name, and returns how often.
func crowd(t *testing.T, url string, do func(db *store.DB, name string)) int {
	t.Helper()
	const stores, writers, times = 3, 8, 10
	var all sync.WaitGroup
	for s := range stores {
		db := openAt(t, url)
		for w := range writers {
			all.Go(func() {
				for i := range times {
					do(db, fmt.Sprint(s, " ", w, " ", i))
				}
			})
		}
	}
	all.Wait()
	return stores * writers * times
}

// TestAuditHasNoGaps appends from many goroutines to several stores of one
// database, as several processes do.
func TestAuditHasNoGaps(t *testing.T) {
	for name, at := range engines {
		if name == "memory" {
			continue // is private to one
		}
		t.Run(name, func(t *testing.T) {
			url := at(t)
			times := crowd(t, url, func(db *store.DB, name string) { appendRecord(t, db, "acme", name) })
			all, err := openAt(t, url).AuditRead(t.Context(), "acme", 0, 1000)
			if err != nil || len(all) != times {
				t.Fatalf("%d records, %v", len(all), err)
			}
			seen, prev := map[string]bool{}, ""
			for i, r := range all {
				if r.Seq != int64(i)+1 || string(r.Prev) != prev || seen[r.Event] {
					t.Fatalf("record %d is %+v, after %q", i+1, r, prev)
				}
				seen[r.Event], prev = true, string(r.Hash)
			}
		})
	}
}

// TestAuditOfOneWhoPanics: that one hears of it, and the next one is served.
func TestAuditOfOneWhoPanics(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		if err := db.AuditAppend(t.Context(), "acme", func(audit.Head) audit.Record { panic("broken") }); err == nil || !strings.Contains(err.Error(), "panic") {
			t.Errorf("AuditAppend = %v", err)
		}
		appendRecord(t, db, "acme", "next")
	})
}

// TestAuditOfOneWhoLeaves: a caller that does not wait is told so, and the next
// one is served.
func TestAuditOfOneWhoLeaves(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.AuditAppend(ctx, "acme", func(head audit.Head) audit.Record {
			cancel()
			return audit.Record{Tenant: "acme", Head: audit.Head{Seq: head.Seq + 1, Hash: []byte("h")}, Event: "x"}
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("who left hears %v", err)
		}
		if err := db.AuditAppend(ctx, "acme", func(audit.Head) audit.Record { panic("not asked for") }); !errors.Is(err, context.Canceled) {
			t.Errorf("who comes too late hears %v", err)
		}
		appendRecord(t, db, "acme", "next")
	})
}

// TestAuditOfThoseWhoCameMeanwhile: those who wait for somebody who appends may
// leave, and are served without that one.
func TestAuditOfThoseWhoCameMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		begun, hold := make(chan struct{}), make(chan struct{})
		var once sync.Once
		var all sync.WaitGroup
		all.Go(func() {
			if err := db.AuditAppend(t.Context(), "acme", func(head audit.Head) audit.Record {
				once.Do(func() { close(begun); <-hold })
				return following("first")(head)
			}); err != nil {
				t.Error(err)
			}
		})
		<-begun
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if err := db.AuditAppend(ctx, "acme", following("leaves")); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("who leaves hears %v", err)
		}
		for i := range 100 {
			all.Go(func() {
				if err := db.AuditAppend(t.Context(), "acme", following(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
		}
		close(hold)
		all.Wait()
		list, err := db.AuditRead(t.Context(), "acme", 0, 1000)
		if err != nil || len(list) < 101 || list[0].Event != "first" {
			t.Errorf("%d records, %v", len(list), err)
		}
	})
}

func entry(call string) journal.Entry {
	return journal.Entry{
		Key:    journal.Key{Device: "d", Stream: "st", Call: call},
		Person: "p_ada", Tenant: "acme", Tool: "confluence_create_page", Print: []byte{0, 1, 2}, Started: now,
	}
}

func TestJournal(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		start := func(e journal.Entry, replace bool, want journal.Entry, wantFresh bool) {
			t.Helper()
			got, fresh, err := db.JournalStart(ctx, e, replace)
			if diff := cmp.Diff(want, got); err != nil || fresh != wantFresh || diff != "" {
				t.Errorf("start: fresh %v, %v %s", fresh, err, diff)
			}
		}
		first, second := entry("1"), entry("1")
		second.Started, second.Print, second.Person = now.Add(time.Second), []byte{9}, "p_bob"
		start(first, false, first, true)
		start(second, false, first, false)
		if err := db.JournalFinish(ctx, first.Key, second.Started, []byte("forged"), func(context.Context) {}); err == nil {
			t.Error("finished by another start")
		}
		if err := db.JournalDrop(ctx, first.Key, second.Started); err != nil {
			t.Error(err)
		}
		start(second, false, first, false) // neither touched it
		if err := db.JournalFinish(ctx, first.Key, first.Started, []byte("sealed"), func(context.Context) {}); err != nil {
			t.Error(err)
		}
		if err := db.JournalDrop(ctx, first.Key, first.Started); err != nil {
			t.Error(err)
		}
		done := first
		done.Result = []byte("sealed")
		start(second, false, done, false) // what has a result stays
		start(second, true, second, true)
		if err := db.JournalDrop(ctx, second.Key, second.Started); err != nil {
			t.Error(err)
		}
		start(first, false, first, true)
		if n, err := db.JournalClean(ctx, now); n != 0 || err != nil {
			t.Errorf("cleaned %d too early, %v", n, err)
		}
		if n, err := db.JournalClean(ctx, now.Add(time.Millisecond)); n != 1 || err != nil {
			t.Errorf("cleaned %d, %v", n, err)
		}
	})
}

// TestOneWriteStarts lets many start the same write at once.
func TestOneWriteStarts(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		var wg sync.WaitGroup
		var fresh atomic.Int32
		for i := range 20 {
			wg.Go(func() {
				e := entry("1")
				e.Started = now.Add(time.Duration(i) * time.Millisecond)
				if _, first, err := db.JournalStart(t.Context(), e, false); err != nil {
					t.Error(err)
				} else if first {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		if n := fresh.Load(); n != 1 {
			t.Errorf("%d of 20 may write", n)
		}
	})
}

func TestProofs(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		var wg sync.WaitGroup
		var fresh atomic.Int32
		for range 20 {
			wg.Go(func() {
				switch err := db.Remember(t.Context(), "same", later()); {
				case err == nil:
					fresh.Add(1)
				case !errors.Is(err, dpop.ErrReplayed):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := fresh.Load(); n != 1 {
			t.Errorf("a proof was good %d times", n)
		}
		if err := db.Remember(t.Context(), "expired", time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]bool{"same": true, "expired": false, "other": false} {
			if got, err := db.Remembered(t.Context(), id); err != nil || got != want {
				t.Errorf("%q is remembered: %v, %v", id, got, err)
			}
		}
	})
}

func TestExpiredProofsAreForgotten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := openAt(t, "sqlite:"+file)
	for i := range 50 {
		if err := db.Remember(t.Context(), fmt.Sprint("old", i), time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(1100 * time.Millisecond) // they are cleaned at most once a second
	if err := db.Remember(t.Context(), "new", later()); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := plain(t, "sqlite", file).QueryRowContext(t.Context(), "SELECT count(*) FROM proofs").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d proofs are stored, %v", n, err)
	}
	if err := db.Remember(t.Context(), "new", later()); !errors.Is(err, dpop.ErrReplayed) {
		t.Errorf("again: %v", err)
	}
}

// BenchmarkReads are what every call and every link ask.
func BenchmarkReads(b *testing.B) {
	db := openAt(b, "sqlite:"+filepath.Join(b.TempDir(), "vault.db"))
	if err := db.SessionStart(b.Context(), sessionOf("d", "p_ada")); err != nil {
		b.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"epoch":   func() error { _, err := db.Epoch(b.Context()); return err },
		"session": func() error { _, err := db.SessionCurrent(b.Context(), "d"); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
