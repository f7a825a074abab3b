package admin_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// sink is a store of records that can be made to refuse some.
type sink struct {
	*store.DB
	refuse func(audit.Record) bool
}

var errFull = errors.New("no room")

func (s *sink) AuditAppend(ctx context.Context, tenant identity.TenantID, next func(audit.Head) audit.Record) error {
	if s.refuse != nil && s.refuse(next(audit.Head{})) {
		return errFull
	}
	return s.DB.AuditAppend(ctx, tenant, next)
}

type rig struct {
	*testing.T
	db   *store.DB
	sink *sink
	cfg  admin.Config
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite::memory:", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &rig{T: t, db: db, sink: &sink{DB: db}}
	r.cfg = admin.Config{Store: db.Desk(), Sink: r.sink, Audit: audit.New(audit.Config{Sink: r.sink})}
	now := time.Now().UTC().Truncate(time.Millisecond)
	if err := db.SessionStart(t.Context(), session.Session{
		ID: "s_1", Device: "d_1", Person: "p_ada", Tenant: "acme", Created: now, Used: now, IdleUntil: now.Add(time.Hour), Until: now.Add(time.Hour), Shown: session.Shown{Name: "Ada"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.GrantPut(t.Context(), grant.Row{
		Grant: grant.Grant{ID: "g_1", Person: "p_ada", Tenant: "acme", State: grant.Live, Issued: now, Sites: []grant.Site{{URL: "https://acme.atlassian.net"}}},
		Key:   []byte("k"), Access: []byte("a"), Refresh: []byte("r"),
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) live() (sessions, grants int) {
	r.Helper()
	would, err := r.db.Desk().Affected(r.Context(), admin.Scope{Everything: true})
	if err != nil {
		r.Fatal(err)
	}
	return len(would.Sessions), len(would.Grants)
}

var (
	administrator = admin.Actor{By: "os:ops", Role: identity.Administrator, Way: "in a test"}
	auditor       = admin.Actor{By: "key:aud", Role: identity.Auditor, Way: "in a test"}
)

// TestNothingIsShownOrDoneUnrecorded takes the records away.
func TestNothingIsShownOrDoneUnrecorded(t *testing.T) {
	r := newRig(t)
	r.sink.refuse = func(audit.Record) bool { return true }
	d, ctx := admin.New(r.cfg), t.Context()
	for what, ask := range map[string]func() error{
		"sessions": func() error { _, err := d.Sessions(ctx, auditor, admin.SessionQuery{}); return err },
		"devices":  func() error { _, err := d.Devices(ctx, auditor, admin.SessionQuery{}); return err },
		"grants":   func() error { _, err := d.Grants(ctx, auditor, admin.GrantQuery{}); return err },
		"people":   func() error { _, err := d.People(ctx, auditor, admin.PersonQuery{}); return err },
		"session":  func() error { _, err := d.Session(ctx, auditor, "s_1"); return err },
		"device":   func() error { _, err := d.Device(ctx, auditor, "d_1"); return err },
		"grant":    func() error { _, err := d.Grant(ctx, auditor, "g_1"); return err },
		"person":   func() error { _, err := d.Person(ctx, auditor, "p_ada"); return err },
		"records":  func() error { _, err := d.Records(ctx, auditor, admin.RecordQuery{}); return err },
		"ends":     func() error { _, _, err := d.Ends(ctx, auditor); return err },
		"preview":  func() error { _, err := d.Preview(ctx, auditor, admin.Scope{Person: "p_ada"}); return err },
		"revoke":   func() error { _, err := d.Revoke(ctx, administrator, admin.Scope{Person: "p_ada"}); return err },
	} {
		err := ask()
		if usererr.CodeOf(err) != usererr.Unavailable || !errors.Is(err, errFull) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if sessions, grants := r.live(); sessions != 1 || grants != 1 {
		t.Errorf("%d sessions and %d grants are left", sessions, grants)
	}
}

// TestRevokedThoughNotAllIsRecorded: what cannot be put on record afterwards
// is revoked all the same, and the administrator hears of it.
func TestRevokedThoughNotAllIsRecorded(t *testing.T) {
	r := newRig(t)
	r.sink.refuse = func(record audit.Record) bool { return record.Event == "session.revoked" }
	done, err := admin.New(r.cfg).Revoke(t.Context(), administrator, admin.Scope{Tenant: "acme"})
	if usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "All of it is revoked") || len(done.Sessions) != 1 || len(done.Grants) != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if sessions, grants := r.live(); sessions+grants != 0 {
		t.Errorf("%d sessions and %d grants are left", sessions, grants)
	}
}

func TestAnAuditorRevokesNothing(t *testing.T) {
	r := newRig(t)
	_, err := admin.New(r.cfg).Revoke(t.Context(), auditor, admin.Scope{Person: "p_ada"})
	if sessions, grants := r.live(); usererr.CodeOf(err) != usererr.Denied || sessions != 1 || grants != 1 {
		t.Errorf("%v, %d sessions and %d grants are left", err, sessions, grants)
	}
	self := admin.Actor{By: "person", Role: admin.Self, Way: "on the device d_1"}
	if _, err := admin.New(r.cfg).Revoke(t.Context(), self, admin.Scope{Person: "p_ada"}); err != nil {
		t.Error(err)
	}
}

// TestTheOrderOfARevocation: tokens are opened while they are there, nobody
// waits for Atlassian before access is gone here, and Atlassian has only so
// much time.
func TestTheOrderOfARevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Upstream = func(ctx context.Context, grants []grant.Grant) func(context.Context) map[identity.GrantID]error {
			row, err := r.db.GrantGet(ctx, grants[0].ID)
			if err != nil || len(grants) != 1 || string(row.Refresh) != "r" {
				t.Errorf("too late: %+v, %v", row, err)
			}
			return func(ctx context.Context) map[identity.GrantID]error {
				if sessions, grants := r.live(); sessions+grants != 0 {
					t.Errorf("%d sessions and %d grants are left while Atlassian is asked", sessions, grants)
				}
				<-ctx.Done()
				return map[identity.GrantID]error{"g_1": ctx.Err()}
			}
		}
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // whoever ordered it has gone meanwhile
		if _, err := admin.New(r.cfg).Revoke(ctx, administrator, admin.Scope{Person: "p_ada"}); err == nil {
			t.Fatal("an order by nobody")
		}
		done, err := admin.New(r.cfg).Revoke(t.Context(), administrator, admin.Scope{Person: "p_ada"})
		if err != nil || done.Upstream.Failed != 1 || done.Upstream.Ended+done.Upstream.Left != 0 || time.Since(begin) > 10*time.Second {
			t.Errorf("%+v, %v after %v", done.Upstream, err, time.Since(begin))
		}
		page, err := admin.New(r.cfg).Records(t.Context(), auditor, admin.RecordQuery{Event: "grant"})
		var events []string
		for _, record := range page.Items {
			events = append(events, record.Entry.Event+" "+record.Entry.Outcome)
		}
		slices.Sort(events)
		if diff := cmp.Diff([]string{"grant.revoked ok", "grant.revoked_upstream error"}, events); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	})
}

func TestScopes(t *testing.T) {
	for _, test := range []struct {
		scope admin.Scope
		valid bool
		words string
	}{
		{admin.Scope{}, false, "everybody"},
		{admin.Scope{Everything: true}, true, "everybody"},
		{admin.Scope{Everything: true, Tenant: "acme"}, false, "everybody at acme"},
		{admin.Scope{Session: "s"}, true, "the session s"},
		{admin.Scope{Session: "s", Grant: "g"}, false, "the session s"},
		{admin.Scope{Grant: "g", Person: "p"}, false, "the grant g"},
		{admin.Scope{Person: "p", Tenant: "acme", Site: "https://acme.atlassian.net/"}, true, "p at acme who may reach https://acme.atlassian.net"},
		{admin.Scope{Device: "d"}, true, "the device d"},
	} {
		if test.scope.Valid() != test.valid || test.scope.String() != test.words {
			t.Errorf("%+v is %q, valid %t", test.scope, test.scope, test.scope.Valid())
		}
		if _, err := admin.New(newRig(t).cfg).Preview(t.Context(), auditor, test.scope); !test.valid && usererr.CodeOf(err) != usererr.BadInput {
			t.Errorf("%+v: %v", test.scope, err)
		}
	}
}

func TestVerifications(t *testing.T) {
	for want, verify := range map[string]func(context.Context) (int64, error){
		admin.Intact: func(context.Context) (int64, error) { return 7, nil },
		admin.Broken: func(context.Context) (int64, error) {
			return 7, usererr.New(usererr.Internal, "The audit records are not intact", "")
		},
		admin.Failed:  func(context.Context) (int64, error) { return 0, errFull },
		admin.Running: func(ctx context.Context) (int64, error) { <-ctx.Done(); return 0, ctx.Err() },
		admin.Lost:    nil, // its replica does not even begin
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				other := admin.New(r.cfg)
				r.cfg.Verify = func(context.Context) (int64, error) { return 0, nil }
				if verify != nil {
					r.cfg.Verify = verify
				}
				d := admin.New(r.cfg)
				started, err := d.StartVerification(t.Context(), auditor)
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				done := make(chan error, 1)
				if verify != nil {
					go func() { done <- d.Run(ctx) }()
				} else {
					done <- nil
					time.Sleep(time.Hour)
				}
				time.Sleep(time.Second)
				// Any replica can tell.
				v, err := other.Verification(t.Context(), auditor, started.ID)
				if err != nil || v.State != want || v.By != "key:aud" || v.Ended.IsZero() != (want == admin.Running || want == admin.Lost) {
					t.Errorf("%+v, %v", v, err)
				}
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if want == admin.Running { // its end is on record
					if v, err = other.Verification(t.Context(), auditor, started.ID); err != nil || v.State != admin.Failed {
						t.Errorf("after the end: %+v, %v", v, err)
					}
				}
			})
		})
	}
	if _, err := admin.New(newRig(t).cfg).StartVerification(t.Context(), auditor); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("without a way to verify: %v", err)
	}
}

// FuzzCursor: whatever a cursor says, there is a page or a user error.
func FuzzCursor(f *testing.F) {
	f.Add("eyJrIjoicmVjb3JkcyIsImUiOnsiYWNtZSI6OTk5OTk5OX19")
	f.Add("eyJrIjoic2Vzc2lvbnMiLCJ0IjotMSwiaSI6IicifQ")
	f.Add("")
	db, err := store.Open(f.Context(), "sqlite::memory:", "")
	if err != nil {
		f.Fatal(err)
	}
	defer db.Close()
	d := admin.New(admin.Config{Store: db.Desk(), Sink: db, Audit: audit.New(audit.Config{Sink: db})})
	f.Fuzz(func(t *testing.T, cursor string) {
		at := admin.Paging{Cursor: cursor, Limit: 1}
		for what, err := range map[string]error{
			"records":  second(d.Records(t.Context(), auditor, admin.RecordQuery{Paging: at})),
			"sessions": second(d.Sessions(t.Context(), auditor, admin.SessionQuery{Paging: at})),
			"grants":   second(d.Grants(t.Context(), auditor, admin.GrantQuery{Paging: at})),
			"people":   second(d.People(t.Context(), auditor, admin.PersonQuery{Paging: at})),
		} {
			if err != nil && usererr.CodeOf(err) != usererr.BadInput {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }
