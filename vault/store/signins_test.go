package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// signedIn starts a session on a device with its company sign-in, from the
// present day on.
func signedIn(t *testing.T, db *store.DB, device identity.DeviceID, subject, sid string) company.Row {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Millisecond)
	s := sessionOf(string(device), "p_"+subject)
	s.Created, s.Used, s.IdleUntil, s.Until = at, at, at.Add(time.Hour), at.Add(2*time.Hour)
	r := company.Row{
		Session: s.ID, Device: s.Device, Person: s.Person, Tenant: s.Tenant, Issuer: "https://login.example.com", Subject: subject, SID: sid,
		Said: company.Said{Time: at, ACR: []string{"high"}, Roles: []identity.Role{identity.Auditor}, Checked: at}, Sealed: []byte("sealed"), Created: at, Due: at.Add(time.Minute),
	}
	if err := errors.Join(db.SignIns().SignInPut(t.Context(), r), db.SessionStart(t.Context(), s)); err != nil {
		t.Fatal(err)
	}
	return r
}

func sessionsOf(rows []company.Row) []identity.SessionID {
	var ids []identity.SessionID
	for _, r := range rows {
		ids = append(ids, r.Session)
	}
	slices.Sort(ids)
	return ids
}

func TestSignIns(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if _, err := db.SignIns().SignInGet(ctx, "s_nobody"); !errors.Is(err, company.ErrNone) {
			t.Errorf("none: %v", err)
		}
		ada := signedIn(t, db, "d1", "ada", "sid1")
		got, err := db.SignIns().SignInGet(ctx, ada.Session)
		if diff := cmp.Diff(ada, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		ada.Said.Tries, ada.Sealed, ada.Due, ada.StepUp = 2, []byte("anew"), ada.Due.Add(time.Hour), ada.Created
		if err := db.SignIns().SignInSave(ctx, ada); err != nil {
			t.Fatal(err)
		}
		if err := db.SignIns().SignInSave(ctx, ada); !errors.Is(err, company.ErrMoved) {
			t.Errorf("saving an old version: %v", err)
		}
		ada.Version++
		got, err = db.SignIns().SignInGet(ctx, ada.Session)
		if diff := cmp.Diff(ada, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestWhoseSignIns(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		one, two, bare, ben := signedIn(t, db, "d1", "ada", "sid1"), signedIn(t, db, "d2", "ada", "sid2"), signedIn(t, db, "d3", "ada", ""), signedIn(t, db, "d4", "ben", "sid3")
		ended := signedIn(t, db, "d5", "ada", "sid1")
		if err := db.SessionRevoke(ctx, ended.Session, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			subject, sid string
			want         []company.Row
		}{
			{"ada", "", []company.Row{one, two, bare}}, {"ada", "sid1", []company.Row{one, bare}}, {"", "sid1", []company.Row{one}},
			{"", "sid3", []company.Row{ben}}, {"ben", "sid1", nil}, {"ben", "", []company.Row{ben}}, {"", "sid9", nil}, {"chloe", "", nil},
		} {
			got, err := db.SignIns().SignInsOf(ctx, "https://login.example.com", test.subject, test.sid)
			if diff := cmp.Diff(sessionsOf(test.want), sessionsOf(got)); err != nil || diff != "" {
				t.Errorf("%q, %q: %v %s", test.subject, test.sid, err, diff)
			}
		}
		if got, err := db.SignIns().SignInsOf(ctx, "https://other.example", "ada", "sid1"); err != nil || len(got) > 0 {
			t.Errorf("of another issuer: %v, %v", got, err)
		}
		due, err := db.SignIns().SignInsDue(ctx, one.Due.Add(-time.Second), 10)
		if err != nil || len(due) > 0 {
			t.Errorf("before their time: %v, %v", due, err)
		}
		later := one.Due.Add(time.Minute)
		if due, err = db.SignIns().SignInsDue(ctx, later, 10); err != nil || len(due) != 4 {
			t.Errorf("%d are due, %v", len(due), err)
		}
		if due, err = db.SignIns().SignInsDue(ctx, later, 2); err != nil || len(due) != 2 {
			t.Errorf("%d of at most two are due, %v", len(due), err)
		}
		if due, err = db.SignIns().SignInsDue(ctx, later.Add(3*time.Hour), 10); err != nil || len(due) > 0 {
			t.Errorf("after the sessions' time: %v, %v", due, err)
		}
	})
}

func TestSignInsAreTidied(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		kept, ended := signedIn(t, db, "d1", "ada", ""), signedIn(t, db, "d2", "ada", "")
		stray := sessionOf("d3", "p_old")
		stray.Created, stray.IdleUntil, stray.Until = kept.Created, kept.Created.Add(time.Hour), kept.Created.Add(time.Hour)
		if err := errors.Join(db.SessionStart(ctx, stray), db.SessionRevoke(ctx, ended.Session, time.Now())); err != nil {
			t.Fatal(err)
		}
		if strays, err := db.SignIns().SignInsTidy(ctx, kept.Created); err != nil || len(strays) > 0 {
			t.Errorf("what has just been: %v, %v", strays, err)
		}
		strays, err := db.SignIns().SignInsTidy(ctx, kept.Created.Add(time.Minute))
		if diff := cmp.Diff([]session.Session{stray}, strays); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if _, err := db.SignIns().SignInGet(ctx, kept.Session); err != nil {
			t.Error(err)
		}
		if _, err := db.SignIns().SignInGet(ctx, ended.Session); !errors.Is(err, company.ErrNone) {
			t.Errorf("of a session that has ended: %v", err)
		}
	})
}

// TestSignOuts are remembered for logins that are under way, the latest of each
// kind, and forgotten with the rest.
func TestSignOuts(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx, base := t.Context(), time.Now().UTC().Truncate(time.Second)
		last := func(subject, sid string, want time.Duration) {
			t.Helper()
			got, err := db.SignIns().SignOutLast(ctx, "i", subject, sid)
			if at := base.Add(want); err != nil || want == 0 && !got.IsZero() || want != 0 && !got.Equal(at) {
				t.Errorf("of %q in %q: %v, %v", subject, sid, got, err)
			}
		}
		last("ada", "one", 0)
		for i, o := range []company.SignOut{{Subject: "ada"}, {Subject: "ben", SID: "one"}, {SID: "two"}, {Issuer: "other", Subject: "chloe"}} {
			if o.Issuer == "" {
				o.Issuer = "i"
			}
			for _, more := range []time.Duration{0, -time.Hour} { // an older one comes late
				o.Issued = base.Add(time.Duration(i+1)*time.Minute + more)
				if err := db.SignIns().SignOutPut(ctx, o); err != nil {
					t.Fatal(err)
				}
			}
		}
		last("ada", "", time.Minute)
		last("ada", "two", 3*time.Minute)
		last("ben", "one", 2*time.Minute)
		last("ben", "", 2*time.Minute)
		last("ben", "three", 0)
		last("dora", "two", 3*time.Minute)
		last("dora", "", 0)
		last("chloe", "", 0)
		if _, err := db.SignIns().SignInsTidy(ctx, time.Now()); err != nil {
			t.Fatal(err)
		}
		last("ada", "", time.Minute)
		if _, err := db.SignIns().SignInsTidy(ctx, time.Now().Add(time.Hour+time.Minute)); err != nil {
			t.Fatal(err)
		}
		last("ada", "", 0)
	})
}

// TestSignInsAndDemands: what is demanded of a person concerns the device and
// what is from after it, until it is answered.
func TestSignInsAndDemands(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		one, two, ben := signedIn(t, db, "d1", "ada", ""), signedIn(t, db, "d2", "ada", ""), signedIn(t, db, "d3", "ben", "")
		since := func(want time.Time, all ...company.Row) {
			t.Helper()
			for _, r := range all {
				if got, err := db.SignIns().SignInGet(ctx, r.Session); err != nil || !got.Since.Equal(want) {
					t.Errorf("of %s on %s: since %v, %v; want %v", r.Person, r.Device, got.Since, err, want)
				}
			}
		}
		since(time.Time{}, one, two, ben)
		d := company.Demand{Person: one.Person, Device: "d1", Asked: one.Created.Add(time.Hour), Since: one.Created}
		if err := db.SignIns().SignInDemand(ctx, d); err != nil {
			t.Fatal(err)
		}
		since(d.Since, one)
		since(time.Time{}, two, ben)
		d.Asked, d.Since = d.Asked.Add(-2*time.Hour), d.Since.Add(-time.Minute) // which is nothing new
		if err := db.SignIns().SignInDemand(ctx, d); err != nil {
			t.Fatal(err)
		}
		since(one.Created, one)
		d.Device, d.Since = "d9", one.Created.Add(time.Minute) // from before they signed in
		if err := db.SignIns().SignInDemand(ctx, d); err != nil {
			t.Fatal(err)
		}
		since(d.Since, one, two)
		since(time.Time{}, ben)
		if err := db.SignIns().SignInAnswer(ctx, one.Person, d.Since); err != nil {
			t.Fatal(err)
		}
		since(d.Since, one, two)
		if err := db.SignIns().SignInAnswer(ctx, one.Person, d.Since.Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		since(time.Time{}, one, two, ben)
	})
}
