package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/anomaly/watch"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestHistories(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if _, err := db.HistoryGet(ctx, "p_ada"); !errors.Is(err, watch.ErrNone) {
			t.Errorf("of nobody: %v", err)
		}
		r := watch.Row{Person: "p_ada", Sealed: []byte("one")}
		if err := db.HistorySave(ctx, r, now); err != nil {
			t.Fatal(err)
		}
		for _, version := range []int64{0, 2} {
			r.Version = version
			if err := db.HistorySave(ctx, r, now); !errors.Is(err, watch.ErrMoved) {
				t.Errorf("saving over version 1 as %d: %v", version, err)
			}
		}
		r.Version, r.Sealed = 1, []byte("two")
		if err := db.HistorySave(ctx, r, now); err != nil {
			t.Fatal(err)
		}
		r.Version = 2
		got, err := db.HistoryGet(ctx, "p_ada")
		if diff := cmp.Diff(r, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		_, err = db.PersonSuspend(ctx, "p_cy", now, later())
		if err = errors.Join(err, db.HistorySave(ctx, watch.Row{Person: "p_bob"}, later()), db.HistoryTidy(ctx, now.Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		for person, want := range map[string]error{"p_ada": watch.ErrNone, "p_bob": nil, "p_cy": nil} {
			if _, err := db.HistoryGet(ctx, sessionOf("d", person).Person); !errors.Is(err, want) {
				t.Errorf("after tidying %s: %v", person, err)
			}
		}
	})
}

// TestSuspension: all sessions of a person end in one step, on every replica,
// and none begins until the time is over or it is lifted.
func TestSuspension(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := errors.Join(db.SessionStart(ctx, sessionOf("d1", "p_ada")), db.SessionStart(ctx, sessionOf("d2", "p_ada")), db.SessionStart(ctx, sessionOf("d3", "p_bob"))); err != nil {
			t.Fatal(err)
		}
		before := epochOf(t, db)
		ended, err := db.PersonSuspend(ctx, "p_ada", now, later())
		if err != nil || len(ended) != 2 || epochOf(t, db) == before {
			t.Fatalf("%d ended, %v; the epoch was %d", len(ended), err, before)
		}
		for device, want := range map[string]error{"d1": session.ErrNone, "d2": session.ErrNone, "d3": nil} {
			if _, err := db.SessionCurrent(ctx, sessionOf(device, "").Device); !errors.Is(err, want) {
				t.Errorf("%s: %v", device, err)
			}
		}
		s := sessionOf("d1", "p_ada")
		if err := db.SessionStart(ctx, s); !errors.Is(err, session.ErrSuspended) {
			t.Errorf("signing in: %v", err)
		}
		if until, err := db.PersonSuspended(ctx, "p_ada"); err != nil || !until.Equal(later()) {
			t.Errorf("suspended until %v, %v", until, err)
		}
		if until, err := db.PersonSuspended(ctx, "p_bob"); err != nil || !until.IsZero() {
			t.Errorf("the other until %v, %v", until, err)
		}
		s.Created = later()
		if err := db.SessionStart(ctx, s); err != nil {
			t.Errorf("signing in once it is over: %v", err)
		}
		if ended, err := db.PersonSuspend(ctx, "p_ada", now, time.Time{}); err != nil || len(ended) > 0 {
			t.Errorf("lifting it: %d ended, %v", len(ended), err)
		}
		if err := db.SessionStart(ctx, sessionOf("d2", "p_ada")); err != nil {
			t.Errorf("signing in once it is lifted: %v", err)
		}
		if _, err := db.SessionCurrent(ctx, "d1"); err != nil {
			t.Errorf("lifting it ended a session: %v", err)
		}
	})
}
