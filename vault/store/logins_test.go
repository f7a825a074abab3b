package store_test

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func newLogin(id string, device identity.DeviceID, created time.Time) consent.Login {
	return consent.Login{
		ID: identity.LoginID(id), Device: device, Phase: consent.Open, Created: created, Expires: created.Add(consent.Life),
		Link: []byte("link of " + id), Secrets: []byte("sealed"), Details: consent.Details{Asker: consent.Asker{Host: "laptop"}},
	}
}

func TestALoginComesBackAsItWas(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		fresh := newLogin("l_1", "d", now)
		if got, err := db.LoginBegin(t.Context(), fresh, 100); err != nil || !cmp.Equal(got, fresh) {
			t.Fatalf("beginning gave %v:\n%s", err, cmp.Diff(fresh, got))
		}
		l := fresh
		l.Tenant, l.Phase, l.State, l.Code, l.Secrets = "acme", consent.Parked, []byte("state"), []byte("code"), []byte("sealed again")
		l.Details = consent.Details{
			Asker: consent.Asker{Host: "laptop", User: "ada", Address: "192.0.2.1"}, Opener: "st_1", Opened: now, Viewed: true, Cookie: []byte("cookie"),
			Chosen: "st_2", Ticket: []byte("ticket"), TicketUntil: now, Tries: 2, BusyUntil: now,
			Result: consent.Result{Person: "p_1", Name: "Ada", Email: "a@b", Grant: "g_1", Session: "s_1", Sites: []grant.Site{{Name: "wiki", CloudID: "c", URL: "u"}}},
			Reason: consent.Reason{Code: "denied", Message: "No", Hint: "Ask"},
		}
		if err := db.LoginSave(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		l.Version++
		for name, by := range map[string]consent.Find{"id": {ID: "l_1"}, "link": {Link: fresh.Link}, "state": {State: l.State}} {
			if got, err := db.LoginFind(t.Context(), by); err != nil || !cmp.Equal(got, l) {
				t.Errorf("finding by %s gave %v:\n%s", name, err, cmp.Diff(l, got))
			}
		}
		for name, by := range map[string]consent.Find{"nothing": {}, "id": {ID: "l_2"}, "link": {Link: []byte("x")}, "empty link": {Link: []byte{}}, "state": {State: []byte("x")}} {
			if _, err := db.LoginFind(t.Context(), by); !errors.Is(err, consent.ErrNone) {
				t.Errorf("finding by wrong %s gave %v", name, err)
			}
		}
		// Whoever read an older version does not overwrite.
		l.Version--
		if err := db.LoginSave(t.Context(), l); !errors.Is(err, consent.ErrMoved) {
			t.Errorf("saving an old version gave %v", err)
		}
		l.ID = "l_2"
		if err := db.LoginSave(t.Context(), l); !errors.Is(err, consent.ErrMoved) {
			t.Errorf("saving what is not there gave %v", err)
		}
	})
}

// TestADeviceHasOneLogin: of many that begin at once, over several processes.
func TestADeviceHasOneLogin(t *testing.T) {
	dir := t.TempDir()
	var dbs []*store.DB
	for range 2 {
		db, err := store.Open(t.Context(), "sqlite:vault.db", dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		dbs = append(dbs, db)
	}
	got := make([]consent.Login, 20)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			var err error
			if got[i], err = dbs[i%2].LoginBegin(t.Context(), newLogin("l_"+strconv.Itoa(i), "d", now), 100); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, l := range got {
		if l.ID != got[0].ID {
			t.Errorf("there are logins %s and %s", l.ID, got[0].ID)
		}
	}
	if l, err := dbs[0].LoginBegin(t.Context(), newLogin("l_other", "e", now), 100); err != nil || l.ID != "l_other" {
		t.Errorf("another device got %s, %v", l.ID, err)
	}
	// One that ended makes room for the next.
	done := got[0]
	done.Phase, done.Ended = consent.Done, now
	if err := dbs[1].LoginSave(t.Context(), done); err != nil {
		t.Fatal(err)
	}
	if l, err := dbs[0].LoginBegin(t.Context(), newLogin("l_next", "d", now.Add(time.Second)), 100); err != nil || l.ID != "l_next" {
		t.Errorf("after the end of one the device got %s, %v", l.ID, err)
	}
	recent, err := dbs[1].LoginRecent(t.Context(), "d", now)
	if err != nil || len(recent) != 2 || recent[0].ID != "l_next" {
		t.Errorf("the recent logins are %v, %v", recent, err)
	}
}

func TestLoginsExpireAndAreForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		for _, id := range []string{"l_1", "l_2"} {
			l, err := db.LoginBegin(t.Context(), newLogin(id, identity.DeviceID(id), now), 100)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.StartSave(t.Context(), consent.Start{ID: consent.StartID("st_" + id), Login: l.ID, Device: l.Device}); err != nil {
				t.Fatal(err)
			}
		}
		l, _ := db.LoginFind(t.Context(), consent.Find{ID: "l_1"})
		l.State, l.Code, l.Phase = []byte("s"), []byte("c"), consent.Parked
		if err := db.LoginSave(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		if ended, err := db.LoginExpire(t.Context(), now.Add(consent.Life-time.Second)); err != nil || len(ended) != 0 {
			t.Fatalf("too early ended %v, %v", ended, err)
		}
		late := now.Add(consent.Life)
		// A device that comes back meanwhile gets a new login; the old one is still
		// reported.
		if l, err := db.LoginBegin(t.Context(), newLogin("l_3", "l_1", late), 100); err != nil || l.ID != "l_3" {
			t.Fatalf("the device got %s, %v", l.ID, err)
		}
		ended, err := db.LoginExpire(t.Context(), late)
		if err != nil || len(ended) != 2 {
			t.Fatalf("ended %v, %v", ended, err)
		}
		for _, l := range ended {
			if l.Phase != consent.Expired || len(l.Secrets)+len(l.Code) != 0 || l.Ended.IsZero() {
				t.Errorf("an expired login is %+v", l)
			}
		}
		if again, err := db.LoginExpire(t.Context(), late); err != nil || len(again) != 0 {
			t.Errorf("ended again %v, %v", again, err)
		}
		if err := db.LoginForget(t.Context(), late.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.StartGet(t.Context(), "st_l_1"); !errors.Is(err, consent.ErrNone) {
			t.Errorf("a start outlived its login: %v", err)
		}
		for id, want := range map[string]error{"l_1": consent.ErrNone, "l_2": consent.ErrNone, "l_3": nil} {
			if _, err := db.LoginFind(t.Context(), consent.Find{ID: identity.LoginID(id)}); !errors.Is(err, want) {
				t.Errorf("finding %s gave %v, want %v", id, err, want)
			}
		}
	})
}

// TestTooManyLogins: strangers cannot fill the store.
func TestTooManyLogins(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		begin := func(id string, device identity.DeviceID, at time.Time) error {
			_, err := db.LoginBegin(t.Context(), newLogin(id, device, at), 2)
			return err
		}
		for _, id := range []string{"l_1", "l_2"} {
			if err := begin(id, identity.DeviceID(id), now); err != nil {
				t.Fatal(err)
			}
		}
		if err := begin("l_3", "other", now); !errors.Is(err, consent.ErrFull) {
			t.Errorf("a third login gave %v", err)
		}
		if _, err := db.LoginFind(t.Context(), consent.Find{ID: "l_3"}); !errors.Is(err, consent.ErrNone) {
			t.Errorf("what was refused is stored: %v", err)
		}
		if err := begin("l_4", "l_1", now); err != nil {
			t.Errorf("joining a login that is under way gave %v", err)
		}
		late := now.Add(consent.Life)
		if _, err := db.LoginExpire(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		if err := begin("l_5", "other", late); err != nil {
			t.Errorf("after the others expired it gave %v", err)
		}
	})
}

func TestStarts(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		if _, err := db.LoginBegin(t.Context(), newLogin("l_1", "d", now), 100); err != nil {
			t.Fatal(err)
		}
		one := consent.Start{ID: "st_1", Login: "l_1", Device: "d", Stream: "s", Loopback: "http://127.0.0.1:4000/x", Challenge: "c", Created: now, Seen: now}
		two := one
		two.ID, two.Seen = "st_2", now.Add(time.Second)
		for _, s := range []consent.Start{one, two} {
			if err := db.StartSave(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := db.StartList(t.Context(), "l_1"); err != nil || !cmp.Equal(all, []consent.Start{two, one}) {
			t.Errorf("the starts are %v:\n%s", err, cmp.Diff([]consent.Start{two, one}, all))
		}
		// Only what may change changes.
		moved := one
		moved.Seen, moved.NoTab, moved.Loopback, moved.Challenge = now.Add(time.Minute), true, "elsewhere", "other"
		if err := db.StartSave(t.Context(), moved); err != nil {
			t.Fatal(err)
		}
		one.Seen, one.NoTab = moved.Seen, true
		if all, err := db.StartList(t.Context(), "l_1"); err != nil || !cmp.Equal(all, []consent.Start{one, two}) {
			t.Errorf("the starts are %v:\n%s", err, cmp.Diff([]consent.Start{one, two}, all))
		}
		// Who has asked since has not left, nor has another one.
		for _, s := range []struct {
			login, stream string
			since         time.Time
		}{{"l_1", "s", now.Add(-time.Second)}, {"l_2", "s", one.Seen}, {"l_1", "other", one.Seen}} {
			if err := db.StartLeft(t.Context(), identity.LoginID(s.login), identity.StreamID(s.stream), s.since); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := db.StartList(t.Context(), "l_1"); err != nil || !cmp.Equal(all, []consent.Start{one, two}) {
			t.Errorf("the starts are %v:\n%s", err, cmp.Diff([]consent.Start{one, two}, all))
		}
		one.Seen = now // again, which is later than nothing
		if err := db.StartSave(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		if err := db.StartLeft(t.Context(), "l_1", "s", now); err != nil {
			t.Fatal(err)
		}
		one.Seen = time.Time{}
		if all, err := db.StartList(t.Context(), "l_1"); err != nil || !cmp.Equal(all, []consent.Start{two, one}) {
			t.Errorf("the starts are %v:\n%s", err, cmp.Diff([]consent.Start{two, one}, all))
		}
		if _, err := db.StartGet(t.Context(), "st_3"); !errors.Is(err, consent.ErrNone) {
			t.Errorf("an unknown start gave %v", err)
		}
	})
}
