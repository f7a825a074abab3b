package company_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

const recheck = 30 * time.Minute

// provider renews whatever it is asked to, as refresh says.
type provider struct {
	mu      sync.Mutex
	asked   []string // guarded by mu; the refresh tokens that were sent
	refresh func(was identity.SignIn) (identity.SignIn, error)
	order   oidc.Logout
	redeem  identity.SignIn
	slow    bool // guarded by mu; it answers when nobody waits any more
}

func (p *provider) AuthorizeURL(context.Context, oidc.Request) (string, error) { return "", nil }

func (p *provider) Redeem(context.Context, oidc.Answer) (identity.SignIn, error) {
	return p.redeem, nil
}

func (p *provider) Refresh(ctx context.Context, was identity.SignIn) (identity.SignIn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slow {
		<-ctx.Done()
	}
	p.asked = append(p.asked, was.Refresh.Reveal())
	was.Refresh = secret.New(fmt.Sprintf("refresh-CANARY-%d", len(p.asked)))
	was.Groups, was.GroupsKnown = []string{"staff"}, true
	if p.refresh == nil {
		return was, nil
	}
	return p.refresh(was)
}

func (p *provider) Logout(context.Context, secret.String) (oidc.Logout, error) { return p.order, nil }

func (p *provider) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

func (p *provider) set(refresh func(identity.SignIn) (identity.SignIn, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refresh = refresh
}

// rig is a keeper on a real store, where an hour passes at once.
type rig struct {
	*company.Keeper
	t        *testing.T
	db       *store.DB
	cfg      company.Config
	provider *provider
	sessions *session.Keeper
	audit    *audit.Log
	log      bytes.Buffer
	mu       sync.Mutex
	expelled []identity.PersonID // guarded by mu while the keeper runs
}

func inTime(t *testing.T, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db, err := store.Open(t.Context(), "sqlite::memory:", "")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		kek, err := seal.OpenKEK(t.Context(), "file:kek", t.TempDir(), true)
		if err != nil {
			t.Fatal(err)
		}
		box, err := seal.Vault(t.Context(), kek, db, "signin")
		if err != nil {
			t.Fatal(err)
		}
		rules, err := policy.New(policy.Rules{StepUp: policy.StepUp{Tools: []string{"confluence_update_page"}, MaxAge: 5 * time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, db: db, provider: &provider{}, sessions: session.New(session.Config{Store: db}), audit: audit.New(audit.Config{Sink: db})}
		r.cfg = company.Config{
			Provider: r.provider, Store: db.SignIns(), Box: box, Sessions: r.sessions, Audit: r.audit, Demands: true,
			Seen: db.Remembered, Remember: db.Remember,
			Expel: func(_ context.Context, p identity.PersonID, _ identity.TenantID) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.expelled = append(r.expelled, p)
				return nil
			},
			People:  &policy.People{Tenants: map[identity.TenantID][]string{"acme": {"staff"}}, Roles: map[identity.Role][]string{identity.Auditor: {"auditors"}}},
			Policy:  func() *policy.Policy { return rules },
			Recheck: recheck, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
		}
		r.Keeper = company.New(r.cfg)
		test(t, r)
		if strings.Contains(r.log.String(), "CANARY") {
			t.Errorf("the log has a secret: %s", &r.log)
		}
	})
}

// signIn gives a device a session with the company behind it.
func (r *rig) signIn(device identity.DeviceID, refresh string, groups ...string) session.Session {
	r.t.Helper()
	return r.signInBy(device, refresh, time.Now(), []string{"pwd", "mfa"}, groups...)
}

// signInBy is signIn of somebody who showed at a time, in a way, who they are.
func (r *rig) signInBy(device identity.DeviceID, refresh string, at time.Time, amr []string, groups ...string) session.Session {
	r.t.Helper()
	who := session.Who{ID: session.NewID(), Device: device, Person: "p_ada", Tenant: "acme"}
	said := identity.SignIn{
		Person: identity.Person{ID: "p_ada", Issuer: "https://login.example.com", Subject: "ada"}, Groups: groups, GroupsKnown: true,
		Time: at, AMR: amr, Refresh: secret.New(refresh),
	}
	if err := r.Keep(r.t.Context(), identity.Caller{Session: who.ID, Device: device, Person: who.Person, Tenant: who.Tenant}, said); err != nil {
		r.t.Fatal(err)
	}
	s, err := r.sessions.Start(r.t.Context(), who)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) lives(s session.Session) bool {
	now, err := r.sessions.Current(r.t.Context(), s.Device)
	return err == nil && now.ID == s.ID
}

// run lets the keeper run for a while.
func (r *rig) run(d time.Duration) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		r.t.Errorf("Run returned %v", err)
	}
}

func (r *rig) events() (all []string) {
	r.t.Helper()
	records, err := r.audit.List(r.t.Context(), "acme", 0, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, record := range records {
		all = append(all, record.Event)
	}
	return all
}

// TestAskingAgain spends each refresh token once, and keeps the new one sealed.
func TestAskingAgain(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "refresh-CANARY-0", "staff")
		r.run(3*recheck + time.Minute)
		if diff := cmp.Diff([]string{"refresh-CANARY-0", "refresh-CANARY-1", "refresh-CANARY-2"}, r.provider.sent()); diff != "" || !r.lives(s) {
			t.Errorf("lives %v, sent %s", r.lives(s), diff)
		}
		row, err := r.db.SignIns().SignInGet(t.Context(), s.ID)
		if err != nil || bytes.Contains(row.Sealed, []byte("CANARY")) || bytes.Contains(row.Sealed, []byte("staff")) || time.Since(row.Said.Checked) > 2*time.Minute {
			t.Errorf("%+v, %v", row, err)
		}
	})
}

// TestWhatChangesAtTheCompany: what is certain counts at once, what may pass
// cuts nobody off.
func TestWhatChangesAtTheCompany(t *testing.T) {
	refused := fmt.Errorf("%w: invalid_grant", oidc.ErrRefused)
	for name, test := range map[string]struct {
		refresh  func(identity.SignIn) (identity.SignIn, error)
		lives    bool
		expelled int
		events   []string
		asked    [2]int // at least and at most
	}{
		"nothing":      {lives: true, asked: [2]int{2, 2}},
		"disabled":     {refresh: func(was identity.SignIn) (identity.SignIn, error) { return was, refused }, events: []string{"session.revoked"}, asked: [2]int{1, 1}},
		"other groups": {refresh: func(was identity.SignIn) (identity.SignIn, error) { was.Groups = []string{"guests"}; return was, nil }, lives: true, expelled: 1, events: []string{"person.expelled"}, asked: [2]int{1, 200}},
		"more groups": {refresh: func(was identity.SignIn) (identity.SignIn, error) {
			was.Groups = []string{"auditors", "staff"}
			return was, nil
		}, lives: true, asked: [2]int{2, 2}},
		"groups not told": {refresh: func(was identity.SignIn) (identity.SignIn, error) {
			was.Groups, was.GroupsKnown = nil, false
			return was, fmt.Errorf("renewing: %w", oidc.ErrNoGroups)
		}, lives: true, asked: [2]int{2, 2}},
		"away": {refresh: func(was identity.SignIn) (identity.SignIn, error) { return was, errors.New("no connection") }, lives: true, asked: [2]int{10, 30}},
		"away in a user error": {refresh: func(was identity.SignIn) (identity.SignIn, error) {
			return was, usererr.New(usererr.Unavailable, "away", "")
		}, lives: true, asked: [2]int{10, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				s := r.signIn("d1", "refresh-CANARY-0", "staff")
				r.provider.set(test.refresh)
				r.run(2*recheck + recheck/2)
				if r.lives(s) != test.lives || min(len(r.expelled), 1) != test.expelled {
					t.Errorf("lives %v, expelled %v", r.lives(s), r.expelled)
				}
				got := slices.Compact(r.events())
				if diff := cmp.Diff(test.events, got); diff != "" {
					t.Errorf("the records (-want +got):\n%s", diff)
				}
				if n := len(r.provider.sent()); n < test.asked[0] || n > test.asked[1] {
					t.Errorf("the provider was asked %d times", n)
				}
				roles, err := r.Roles(t.Context(), s.ID)
				if auditor := slices.Contains(roles, identity.Auditor); err != nil || auditor != (name == "more groups") {
					t.Errorf("roles %v, %v", roles, err)
				}
			})
		})
	}
}

// TestGroupsThatAreNotTold: the old ones count, as the rules are now, and the log
// says so once a day for each person.
func TestGroupsThatAreNotTold(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		one, two := r.signIn("d1", "refresh-CANARY-a", "auditors", "staff"), r.signIn("d2", "refresh-CANARY-b", "staff")
		r.provider.set(func(was identity.SignIn) (identity.SignIn, error) {
			was.Groups, was.GroupsKnown = nil, false
			return was, fmt.Errorf("renewing: %w", oidc.ErrNoGroups)
		})
		warnings := func() int { return strings.Count(r.log.String(), "level=WARN") }
		r.run(6*recheck + time.Minute)
		if n := warnings(); n != 1 || !r.lives(one) || !r.lives(two) || len(r.expelled) > 0 {
			t.Errorf("%d warnings, expelled %v: %s", n, r.expelled, &r.log)
		}
		if roles, err := r.Roles(t.Context(), one.ID); err != nil || !slices.Contains(roles, identity.Auditor) {
			t.Errorf("roles %v, %v", roles, err)
		}
		time.Sleep(24 * time.Hour)
		r.run(2 * recheck)
		if n := warnings(); n != 2 {
			t.Errorf("%d warnings after a day: %s", n, &r.log)
		}
		r.cfg.People = &policy.People{Tenants: map[identity.TenantID][]string{"acme": {"others"}}}
		r.Keeper = company.New(r.cfg)
		r.run(recheck + time.Minute)
		if len(r.expelled) == 0 {
			t.Error("nobody was expelled by other rules")
		}
	})
}

// TestATokenThatWasSpentIsStored although the rest of the answer was no good:
// the next question has the new one.
func TestATokenThatWasSpentIsStored(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.signIn("d1", "refresh-CANARY-0", "staff")
		r.provider.set(func(was identity.SignIn) (identity.SignIn, error) {
			was.Groups, was.GroupsKnown = nil, false
			return was, errors.New("userinfo was away")
		})
		r.run(recheck + time.Minute)
		r.provider.set(nil)
		r.run(recheck)
		sent := r.provider.sent()
		if len(sent) < 3 || sent[0] != "refresh-CANARY-0" || len(slices.Compact(slices.Clone(sent))) != len(sent) {
			t.Errorf("sent %v", sent)
		}
	})
}

// TestATokenThatCameLateIsStored although all the time for asking was over.
func TestATokenThatCameLateIsStored(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.signIn("d1", "refresh-CANARY-0", "staff")
		r.provider.slow = true
		r.provider.set(func(was identity.SignIn) (identity.SignIn, error) { return was, context.DeadlineExceeded })
		r.run(recheck + time.Minute)
		r.provider.slow = false
		r.provider.set(nil)
		r.run(5 * time.Minute)
		if sent := r.provider.sent(); len(sent) < 2 || len(slices.Compact(slices.Clone(sent))) != len(sent) {
			t.Errorf("sent %v", sent)
		}
	})
}

// TestWithoutARefreshToken what was said at the sign-in counts, by the rules of
// now.
func TestWithoutARefreshToken(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		r.run(2 * recheck)
		if len(r.provider.sent()) != 0 || !r.lives(s) || len(r.expelled) != 0 {
			t.Errorf("sent %v, expelled %v", r.provider.sent(), r.expelled)
		}
		r.cfg.People = &policy.People{Tenants: map[identity.TenantID][]string{"acme": {"others"}}}
		r.Keeper = company.New(r.cfg) // as after a restart with other settings
		r.run(2 * recheck)
		if len(r.expelled) == 0 {
			t.Error("nobody was expelled")
		}
	})
}

// readOnly is a store that cannot be written to.
type readOnly struct {
	company.Store
	looks, tries *atomic.Int32
}

func (s readOnly) SignInsDue(ctx context.Context, now time.Time, limit int) ([]company.Row, error) {
	s.looks.Add(1)
	time.Sleep(time.Millisecond) // so that time goes on
	return s.Store.SignInsDue(ctx, now, limit)
}

func (s readOnly) SignInSave(context.Context, company.Row) error {
	s.tries.Add(1)
	return errors.New("the disk is full")
}

// TestNothingCanBeStored: it is tried again, but not without a pause.
func TestNothingCanBeStored(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		for i := range 60 {
			r.signIn(identity.DeviceID(fmt.Sprint("d", i)), fmt.Sprint("refresh-CANARY-of-", i), "staff")
		}
		time.Sleep(recheck)
		var looks, tries atomic.Int32
		r.cfg.Store = readOnly{r.cfg.Store, &looks, &tries}
		r.Keeper = company.New(r.cfg)
		r.run(time.Minute)
		if n := looks.Load(); n < 4 || n > 5 || tries.Load() > 8*n {
			t.Errorf("looked %d times in a minute and tried %d rows", n, tries.Load())
		}
		if sent := r.provider.sent(); len(sent) > 0 {
			t.Errorf("the provider was asked about what is nobody's: %v", sent)
		}
	})
}

// TestWhatBreaksEndsNothingElse: the others are asked about, and the one again
// later.
func TestWhatBreaksEndsNothingElse(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		for i := range 5 {
			r.signIn(identity.DeviceID(fmt.Sprint("d", i)), fmt.Sprint("refresh-CANARY-of-", i), "staff")
		}
		broken := ""
		r.provider.set(func(was identity.SignIn) (identity.SignIn, error) {
			if broken == "" {
				broken = r.provider.asked[0]
				panic("CANARY")
			}
			return was, nil
		})
		r.run(recheck + 3*time.Minute)
		sent := r.provider.sent()
		again := slices.Index(sent[1:], broken)
		if len(sent) != 6 || again != 4 || !strings.Contains(r.log.String(), "broke off") {
			t.Errorf("sent %v, the log is %s", sent, &r.log)
		}
	})
}

// TestTwoVaultsAskOnce about each session.
func TestTwoVaultsAskOnce(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		for i := range 20 {
			r.signIn(identity.DeviceID(fmt.Sprint("d", i)), fmt.Sprint("refresh-CANARY-of-", i), "staff")
		}
		ctx, cancel := context.WithTimeout(t.Context(), recheck+5*time.Minute)
		defer cancel()
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { _ = company.New(r.cfg).Run(ctx) })
		}
		both.Wait()
		sent := r.provider.sent()
		slices.Sort(sent)
		if len(sent) != 20 || len(slices.Compact(sent)) != 20 {
			t.Errorf("%d questions about 20 sessions", len(sent))
		}
	})
}

// TestSessionsFromBefore the company was asked end, and so does what was kept
// of sessions that have ended.
func TestSessionsFromBefore(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		old, err := r.sessions.Start(t.Context(), session.Who{Device: "d0", Person: "p_old", Tenant: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		kept, ended := r.signIn("d1", "refresh-CANARY-0", "staff"), r.signIn("d2", "refresh-CANARY-1", "staff")
		if err := r.sessions.Revoke(t.Context(), ended.ID); err != nil {
			t.Fatal(err)
		}
		r.run(3 * time.Minute)
		if r.lives(old) || !r.lives(kept) {
			t.Errorf("the old one lives: %v, the new one: %v", r.lives(old), r.lives(kept))
		}
		if _, err := r.db.SignIns().SignInGet(t.Context(), ended.ID); !errors.Is(err, company.ErrNone) {
			t.Errorf("what was kept of a session that has ended: %v", err)
		}
		if diff := cmp.Diff([]string{"session.revoked"}, r.events()); diff != "" {
			t.Errorf("the records (-want +got):\n%s", diff)
		}
	})
}

// TestRequire counts the age of a sign-in, and remembers for the device's next
// login that a fresh one was asked for.
func TestRequire(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		s := r.signIn("d1", "", "staff")
		caller := identity.Caller{Session: s.ID, Device: "d1", Person: s.Person, Tenant: s.Tenant}
		require := func() error { return r.Require(ctx, caller, "confluence_update_page") }
		time.Sleep(5*time.Minute + identity.Leeway)
		if err := require(); err != nil {
			t.Errorf("after five minutes: %v", err)
		}
		if who, err := r.Wanted(ctx, "d1"); who != "" || err != nil {
			t.Errorf("before it was asked for: %v, %v", who, err)
		}
		time.Sleep(time.Second)
		err := require()
		if !errors.Is(err, policy.ErrStepUp) || usererr.CodeOf(err) != usererr.SignIn || !strings.Contains(usererr.Text(err, ""), "5 minutes") {
			t.Errorf("later: %v", err)
		}
		if err := require(); !errors.Is(err, policy.ErrStepUp) {
			t.Errorf("again: %v", err)
		}
		if who, err := r.Wanted(ctx, "d1"); who != "p_ada" || err != nil {
			t.Errorf("after it was asked for: %v, %v", who, err)
		}
		if who, err := r.Wanted(ctx, "d2"); who != "" || err != nil {
			t.Errorf("another device: %v, %v", who, err)
		}
		time.Sleep(11 * time.Minute)
		if who, err := r.Wanted(ctx, "d1"); who != "" || err != nil {
			t.Errorf("long after: %v, %v", who, err)
		}
		_ = require()
		r.signIn("d1", "", "staff") // a new session, under a new id
		if who, err := r.Wanted(ctx, "d1"); who != "" || err != nil {
			t.Errorf("after the sign-in: %v, %v", who, err)
		}
	})
}

// TestDemand: a session that was asked for a fresh sign-in is good for nothing
// else, whatever the tool, and the session that follows is good for all.
func TestDemand(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		s := r.signIn("d1", "", "staff")
		caller := identity.Caller{Session: s.ID, Device: "d1", Person: s.Person, Tenant: s.Tenant}
		if err := r.Require(ctx, caller, "confluence_search"); err != nil {
			t.Errorf("before: %v", err)
		}
		if err := errors.Join(r.Demand(ctx, caller), r.Demand(ctx, caller)); err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"confluence_search", "confluence_update_page"} {
			if err := r.Require(ctx, caller, tool); !errors.Is(err, policy.ErrStepUp) || usererr.CodeOf(err) != usererr.SignIn {
				t.Errorf("%s: %v", tool, err)
			}
		}
		if who, err := r.Wanted(ctx, "d1"); who != "p_ada" || err != nil {
			t.Errorf("the next login is of %v, %v", who, err)
		}
		time.Sleep(time.Second)
		caller.Session = r.signIn("d1", "", "staff").ID
		if err := r.Require(ctx, caller, "confluence_search"); err != nil {
			t.Errorf("after the sign-in: %v", err)
		}
	})
}

// TestTheSessionOfNow counts for a call from before the last sign-in, of which
// nothing is kept any more.
func TestTheSessionOfNow(t *testing.T) {
	for _, tool := range []string{"confluence_search", "confluence_update_page"} {
		inTime(t, func(t *testing.T, r *rig) {
			ctx := t.Context()
			old := identity.Caller{Session: "s_older", Device: "d1", Person: "p_ada", Tenant: "acme"}
			r.signIn("d1", "", "staff")
			if err := r.Require(ctx, old, tool); err != nil {
				t.Errorf("%s: a fresh one: %v", tool, err)
			}
			for name, other := range map[string]identity.Caller{
				"another person's": {Session: "s_older", Device: "d1", Person: "p_eve", Tenant: "acme"},
				"another tenant's": {Session: "s_older", Device: "d1", Person: "p_ada", Tenant: "other"},
				"none":             {Session: "s_older", Device: "d9", Person: "p_ada", Tenant: "acme"},
			} {
				if err := r.Require(ctx, other, tool); !errors.Is(err, policy.ErrStepUp) || usererr.CodeOf(err) != usererr.SignIn {
					t.Errorf("%s: %s: %v", tool, name, err)
				}
				if err := r.Demand(ctx, other); !errors.Is(err, company.ErrNone) {
					t.Errorf("%s: asking it: %v", name, err)
				}
			}
			if err := r.Demand(ctx, old); err != nil {
				t.Fatal(err)
			}
			if err := r.Require(ctx, old, tool); !errors.Is(err, policy.ErrStepUp) || usererr.CodeOf(err) != usererr.SignIn {
				t.Errorf("%s: after it was asked for: %v", tool, err)
			}
			if who, err := r.Wanted(ctx, "d1"); who != "p_ada" || err != nil {
				t.Errorf("%s: the next login is of %v, %v", tool, who, err)
			}
		})
	}
}

// TestASessionWithoutTheCompany is asked to sign in, which a login can do; where
// nothing is asked of anybody, it goes on.
func TestASessionWithoutTheCompany(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s, err := r.sessions.Start(t.Context(), session.Who{Device: "d1", Person: "p_ada", Tenant: "acme"})
		if err != nil {
			t.Fatal(err)
		}
		caller := identity.Caller{Session: s.ID, Device: "d1", Person: s.Person, Tenant: s.Tenant}
		for _, tool := range []string{"confluence_search", "confluence_update_page"} {
			if err := r.Require(t.Context(), caller, tool); !errors.Is(err, policy.ErrStepUp) || usererr.CodeOf(err) != usererr.SignIn {
				t.Errorf("%s: %v", tool, err)
			}
		}
		r.cfg.Demands = false
		if err := company.New(r.cfg).Require(t.Context(), caller, "confluence_search"); err != nil {
			t.Errorf("without demands: %v", err)
		}
	})
}

// TestADemandOutlivesItsSession: nothing but a fresh sign-in with more than a
// password answers it, on whatever device.
func TestADemandOutlivesItsSession(t *testing.T) {
	password, both := []string{"pwd"}, []string{"pwd", "mfa"}
	inTime(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		began := time.Now()
		s, other := r.signIn("d1", "", "staff"), r.signIn("d2", "", "staff")
		search := func(s session.Session) error {
			return r.Require(ctx, identity.Caller{Session: s.ID, Device: s.Device, Person: s.Person, Tenant: s.Tenant}, "confluence_search")
		}
		time.Sleep(2 * time.Minute)
		if err := r.Demand(ctx, identity.Caller{Session: s.ID, Device: s.Device, Person: s.Person, Tenant: s.Tenant}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if who, err := r.Wanted(ctx, "d1"); who != "p_ada" || err != nil {
			t.Errorf("an hour later, without a call, %q is wanted, %v", who, err)
		}
		if err := r.sessions.End(ctx, "d1"); err != nil { // a logout
			t.Fatal(err)
		}
		for name, test := range map[string]struct {
			device identity.DeviceID
			at     time.Time
			amr    []string
		}{
			"a password":                    {"d1", time.Now(), password},
			"a second factor before it":     {"d1", began, both},
			"who knows when":                {"d1", time.Time{}, both},
			"a second factor of the future": {"d1", time.Now().Add(time.Hour), both},
			"a password on a new device":    {"d3", time.Now(), password},
		} {
			now := r.signInBy(test.device, "", test.at, test.amr, "staff")
			if err := search(now); !errors.Is(err, policy.ErrStepUp) {
				t.Errorf("%s: %v", name, err)
			}
			if who, err := r.Wanted(ctx, test.device); who != "p_ada" || err != nil {
				t.Errorf("%s: %q is wanted, %v", name, who, err)
			}
		}
		if err := search(other); err != nil {
			t.Errorf("a session on another device, from before: %v", err)
		}
		if err := search(r.signIn("d1", "", "staff")); err != nil {
			t.Errorf("after the answer: %v", err)
		}
		if err := search(r.signInBy("d1", "", time.Now(), password, "staff")); err != nil {
			t.Errorf("with a password after the answer: %v", err)
		}
	})
}

// TestADemandWhileSomebodySignsIn concerns the session that is about to begin.
func TestADemandWhileSomebodySignsIn(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		time.Sleep(time.Minute)
		next := identity.Caller{Session: session.NewID(), Device: "d1", Person: "p_ada", Tenant: "acme"}
		said := identity.SignIn{Person: identity.Person{ID: "p_ada"}, Time: time.Now(), AMR: []string{"pwd"}}
		if err := errors.Join(r.Keep(t.Context(), next, said), r.Demand(t.Context(), identity.Caller{Session: s.ID, Device: s.Device})); err != nil {
			t.Fatal(err)
		}
		if _, err := r.sessions.Start(t.Context(), session.Who{ID: next.Session, Device: "d1", Person: "p_ada", Tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Require(t.Context(), next, "confluence_search"); !errors.Is(err, policy.ErrStepUp) {
			t.Errorf("= %v", err)
		}
	})
}

// TestACallAsksWhileTheCompanyIsAsked: neither change is lost.
func TestACallAsksWhileTheCompanyIsAsked(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "refresh-CANARY-0", "staff")
		r.provider.set(func(was identity.SignIn) (identity.SignIn, error) {
			_ = r.Require(context.Background(), identity.Caller{Session: s.ID, Device: "d1"}, "confluence_update_page")
			return was, nil
		})
		r.run(recheck + 2*time.Minute)
		r.provider.set(nil)
		if who, err := r.Wanted(t.Context(), "d1"); who != "p_ada" || err != nil {
			t.Errorf("the call's change: %v, %v", who, err)
		}
		r.run(recheck)
		if diff := cmp.Diff([]string{"refresh-CANARY-0", "refresh-CANARY-1"}, r.provider.sent()); diff != "" {
			t.Errorf("the company's change: %s", diff)
		}
	})
}

func TestLogout(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		r.provider.order = oidc.Logout{Issuer: "https://login.example.com", Subject: "ada", ID: "j", Until: time.Now().Add(time.Minute)}
		for name, seen := range map[string]func(context.Context, string) (bool, error){
			"seen before":   func(context.Context, string) (bool, error) { return true, nil },
			"who can tell?": func(context.Context, string) (bool, error) { return false, errors.New("store down") },
		} {
			cfg := r.cfg
			cfg.Seen = seen
			if ended, err := company.New(cfg).Logout(t.Context(), secret.New("token")); err == nil || ended != 0 || !r.lives(s) {
				t.Errorf("%s: %d, %v", name, ended, err)
			}
		}
		if ended, err := r.Logout(t.Context(), secret.New("token")); err != nil || ended != 1 || r.lives(s) {
			t.Errorf("%d, %v", ended, err)
		}
		if ended, err := r.Logout(t.Context(), secret.New("token")); err == nil || usererr.CodeOf(err) == usererr.Unavailable || ended != 0 {
			t.Errorf("the same again: %d, %v", ended, err)
		}
		r.provider.order.ID = "j2"
		if ended, err := r.Logout(t.Context(), secret.New("token")); err != nil || ended != 0 {
			t.Errorf("of nobody: %d, %v", ended, err)
		}
	})
}

// noRevoke is sessions that cannot be ended for now.
type noRevoke struct{ *session.Keeper }

func (noRevoke) Revoke(context.Context, identity.SessionID) error { return errors.New("store down") }

// TestALogoutThatFailed works when the same token comes again.
func TestALogoutThatFailed(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		r.provider.order = oidc.Logout{Issuer: "https://login.example.com", Subject: "ada", ID: "j", Until: time.Now().Add(time.Minute)}
		cfg := r.cfg
		cfg.Sessions = noRevoke{r.sessions}
		if ended, err := company.New(cfg).Logout(t.Context(), secret.New("token")); ended != 0 || usererr.CodeOf(err) != usererr.Unavailable || !r.lives(s) {
			t.Errorf("while it cannot be: %d, %v", ended, err)
		}
		cfg = r.cfg
		cfg.Remember = func(context.Context, string, time.Time) error { return errors.New("store down") }
		if ended, err := company.New(cfg).Logout(t.Context(), secret.New("token")); ended != 1 || usererr.CodeOf(err) != usererr.Unavailable || r.lives(s) {
			t.Errorf("not remembered: %d, %v", ended, err)
		}
		if ended, err := r.Logout(t.Context(), secret.New("token")); ended != 0 || err != nil {
			t.Errorf("once more: %d, %v", ended, err)
		}
	})
}
