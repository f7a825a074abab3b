package session_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// inTime runs test with a keeper on a real store, where a day passes at once.
func inTime(t *testing.T, cfg session.Config, test func(t *testing.T, k *session.Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), "sqlite::memory:", "")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		cfg.Store = db
		test(t, session.New(cfg))
	})
}

const day = 24 * time.Hour

func start(t *testing.T, k *session.Keeper, person string) session.Session {
	t.Helper()
	s, err := k.Start(t.Context(), session.Who{Device: "d", Person: identity.PersonID(person), Tenant: "acme", Shown: session.Shown{Name: person}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lives reports whether the device has a live session, and which.
func lives(t *testing.T, k *session.Keeper) (session.Session, bool) {
	t.Helper()
	s, err := k.Current(t.Context(), "d")
	if err != nil && !errors.Is(err, session.ErrNone) {
		t.Fatal(err)
	}
	return s, err == nil
}

func TestASessionEndsWhenItIsNotUsed(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		s := start(t, k, "p_ada")
		if got := s.IdleUntil.Sub(s.Created); got != session.DefaultIdle {
			t.Errorf("idle after %v", got)
		}
		time.Sleep(29 * day)
		got, ok := lives(t, k)
		if diff := cmp.Diff(s, got); !ok || diff != "" {
			t.Errorf("after 29 days: %v %s", ok, diff)
		}
		time.Sleep(day)
		if _, ok := lives(t, k); ok {
			t.Error("alive after 30 idle days")
		}
		if err := k.Touch(t.Context(), s); !errors.Is(err, session.ErrNone) {
			t.Errorf("touching what has ended = %v", err)
		}
		if _, ok := lives(t, k); ok {
			t.Error("came back")
		}
	})
}

func TestASessionThatIsUsedEndsAllTheSame(t *testing.T) {
	inTime(t, session.Config{Idle: 10 * day, Absolute: 25 * day}, func(t *testing.T, k *session.Keeper) {
		start(t, k, "p_ada")
		for range 4 {
			time.Sleep(6 * day)
			s, ok := lives(t, k)
			if !ok {
				t.Fatal("ended while it was used")
			}
			if err := k.Touch(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if s, _ := lives(t, k); s.IdleUntil != s.Until || time.Since(s.Used) > time.Second {
			t.Errorf("idle until %v, all over at %v, used %v", s.IdleUntil, s.Until, s.Used)
		}
		time.Sleep(day + time.Millisecond)
		if _, ok := lives(t, k); ok {
			t.Error("alive after its absolute end")
		}
	})
}

func TestTouchingOftenIsFree(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		s := start(t, k, "p_ada")
		time.Sleep(59 * time.Second)
		if err := k.Touch(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if got, _ := lives(t, k); got.Used != s.Used {
			t.Errorf("stored a use after %v", got.Used.Sub(s.Used))
		}
	})
}

func TestEachSignInIsANewSession(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		first := start(t, k, "p_ada")
		second := start(t, k, "p_ada")
		if first.ID == second.ID || !strings.HasPrefix(string(first.ID), "s_") || len(first.ID) < 20 {
			t.Errorf("ids %q and %q", first.ID, second.ID)
		}
		if got, ok := lives(t, k); !ok || got.ID != second.ID {
			t.Errorf("current = %v", got)
		}
		time.Sleep(time.Hour)
		if err := k.Touch(t.Context(), first); !errors.Is(err, session.ErrNone) {
			t.Errorf("touching the first = %v", err)
		}
	})
}

func TestRevokeAndEnd(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		ctx := t.Context()
		if err := k.End(ctx, "d"); !errors.Is(err, session.ErrNone) {
			t.Errorf("signing out without a session = %v", err)
		}
		for name, end := range map[string]func(session.Session) error{
			"revoked":    func(s session.Session) error { return k.Revoke(ctx, s.ID) },
			"signed out": func(session.Session) error { return k.End(ctx, "d") },
		} {
			s := start(t, k, "p_ada")
			before, err := k.Epoch(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := end(s); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, ok := lives(t, k); ok {
				t.Errorf("%s: still lives", name)
			}
			if after, err := k.Epoch(ctx); err != nil || after <= before {
				t.Errorf("%s: the epoch went from %d to %d, %v", name, before, after, err)
			}
			if all, err := k.List(ctx); err != nil || len(all) != 1 || all[0].Revoked.IsZero() || all[0].Live(time.Now()) {
				t.Errorf("%s: list = %+v, %v", name, all, err)
			}
		}
		if err := k.Revoke(ctx, "s_nobody"); !errors.Is(err, session.ErrNone) {
			t.Errorf("revoking nothing = %v", err)
		}
	})
}

// slow is a store that answers for one device at a time.
type slow struct{ session.Store }

func TestTheSessionsOfMany(t *testing.T) {
	inTime(t, session.Config{Idle: 10 * day}, func(t *testing.T, k *session.Keeper) {
		ctx := t.Context()
		begin := func(device identity.DeviceID) session.Session {
			s, err := k.Start(ctx, session.Who{Device: device, Person: "p", Tenant: "t"})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		begin("idle")
		time.Sleep(9 * day)
		live, gone := begin("live"), begin("revoked")
		if err := k.Revoke(ctx, gone.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * day)
		want := map[identity.DeviceID]session.Session{"live": live}
		for name, k := range map[string]*session.Keeper{"at once": k, "one by one": session.New(session.Config{Store: slow{k.Store()}})} {
			got, err := k.CurrentAll(ctx, []identity.DeviceID{"idle", "live", "revoked", "unknown"})
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v %s", name, err, diff)
			}
		}
	})
}

func TestNobodyGetsNoSession(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		for _, who := range []session.Who{{}, {Device: "d", Person: "p"}, {Device: "d", Tenant: "t"}, {Person: "p", Tenant: "t"}} {
			if _, err := k.Start(t.Context(), who); err == nil {
				t.Errorf("%+v got a session", who)
			}
		}
	})
}

// TestWhatIsShownIsHarmless stores what a device may make up.
func TestWhatIsShownIsHarmless(t *testing.T) {
	inTime(t, session.Config{}, func(t *testing.T, k *session.Keeper) {
		_, err := k.Start(t.Context(), session.Who{Device: "d", Person: "p", Tenant: "t", Shown: session.Shown{
			Name: "Ada \u202eecalevoL", Host: "lap\x1b[2Jtop\n", User: strings.Repeat("é", 500), OS: "\xff",
		}})
		if err != nil {
			t.Fatal(err)
		}
		s, _ := lives(t, k)
		want := session.Shown{Name: "Ada ecalevoL", Host: "lap[2Jtop", User: strings.Repeat("é", 199) + "…"}
		if diff := cmp.Diff(want, s.Shown); diff != "" {
			t.Error(diff)
		}
	})
}
