package grant_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

func wantCode(t *testing.T, err error, code usererr.Code) {
	t.Helper()
	if got := usererr.CodeOf(err); got != code {
		t.Errorf("error %v has code %q; want %q", err, got, code)
	}
}

func TestATokenIsGivenAndRefreshedWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		_, err := k.Token(t.Context(), ada, acme)
		wantCode(t, err, usererr.SignIn)
		id := r.consent(k, ada)
		first := r.token(k, ada)
		r.want(first, 1)
		if first.Grant != id || first.Version != 1 || len(first.Sites) != 1 || first.Person != ada || first.Tenant != acme {
			t.Errorf("token of the wrong grant: %+v", first)
		}
		time.Sleep(58 * time.Minute)
		r.want(r.token(k, ada), 1)
		r.wantPosts(0)
		time.Sleep(time.Minute + time.Second)
		second := r.token(k, ada)
		r.want(second, 2)
		if second.Version != 2 {
			t.Errorf("version %d; want 2", second.Version)
		}
		r.want(r.token(k, ada), 2)
		r.wantPosts(1)
		if diff := cmp.Diff([]string{"grant.issued", "grant.refreshed"}, r.happened()); diff != "" {
			t.Errorf("events -want +got:\n%s", diff)
		}
	})
}

func TestTokensOfAnotherPersonOrTenantAreNotGiven(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.consent(k, ada)
	r.token(k, ada)
	_, err := k.Token(t.Context(), "p_eve", acme)
	wantCode(t, err, usererr.SignIn)
	_, err = k.Token(t.Context(), ada, "other")
	wantCode(t, err, usererr.SignIn)
	if !errors.Is(err, grant.ErrNone) {
		t.Errorf("error %v; want ErrNone in it", err)
	}
}

func TestRevocationOnAnotherReplica(t *testing.T) {
	r := newRig(t)
	here, there := r.keeper(), r.keeper()
	id := r.consent(here, ada)
	r.token(here, ada)
	r.token(there, ada)
	before, err := r.db.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := here.Revoke(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_, err = here.Token(t.Context(), ada, acme)
	wantCode(t, err, usererr.SignIn)
	if after, err := r.db.Epoch(t.Context()); err != nil || after == before {
		t.Errorf("epoch %d, %v; want it moved", after, err)
	}
	there.Purge()
	_, err = there.Token(t.Context(), ada, acme)
	wantCode(t, err, usererr.SignIn)
	if err := here.Revoke(t.Context(), id); err != nil {
		t.Errorf("revoking twice: %v", err)
	}
	if err := here.Revoke(t.Context(), "g_none"); !errors.Is(err, grant.ErrNone) {
		t.Errorf("revoking nothing: %v; want ErrNone", err)
	}
	if diff := cmp.Diff([]string{"grant.issued", "grant.revoked"}, r.happened()); diff != "" {
		t.Errorf("events -want +got:\n%s", diff)
	}
}

// reads is a store whose reads can be held up.
type reads struct {
	grant.Store
	read func()
}

func (s reads) GrantFind(ctx context.Context, person identity.PersonID, tenant identity.TenantID) (grant.Row, error) {
	row, err := s.Store.GrantFind(ctx, person, tenant)
	s.read()
	return row, err
}

// What was read before a revocation must not be remembered after the purge
// that followed it, be it a fresh token or an old one that still works.
func TestAReadThatOverlapsAPurgeIsNotRemembered(t *testing.T) {
	for name, age := range map[string]time.Duration{"fresh": 0, "due": time.Hour - 30*time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.endpoint.set(func(context.Context, string) error { return errGone }, nil)
				var k *grant.Keeper
				revoke := func() {}
				k = r.keeper(func(c *grant.Config) { c.Store = reads{r.db, func() { revoke() }} })
				id := r.consent(k, ada)
				time.Sleep(age)
				revoke = func() {
					revoke = func() {}
					if err := r.db.GrantRevoke(t.Context(), id, time.Now()); err != nil {
						t.Error(err)
					}
					k.Purge()
				}
				_, _ = k.Token(t.Context(), ada, acme) // was under way
				_, err := k.Token(t.Context(), ada, acme)
				wantCode(t, err, usererr.SignIn)
			})
		})
	}
}

func TestDescribeAndListShowWhatMayBeShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		_, err := k.Describe(t.Context(), ada, acme)
		wantCode(t, err, usererr.SignIn)
		now := time.Now().UTC().Truncate(time.Minute)
		id := r.consent(k, ada)
		time.Sleep(5 * time.Minute)
		r.token(k, ada)
		got, err := k.Describe(t.Context(), ada, acme)
		if err != nil {
			t.Fatal(err)
		}
		want := grant.Grant{
			ID: id, Person: ada, Tenant: acme, State: grant.Live, Account: "account-p_ada",
			Scopes: []string{"read:page:confluence", "offline_access"},
			Sites:  []grant.Site{{Name: "wiki", CloudID: "c-1", URL: "https://acme.atlassian.net"}},
			Issued: now, Used: now.Add(5 * time.Minute),
			TokenExpires: now.Add(time.Hour), Expires: now.Add(90 * 24 * time.Hour),
		}
		if diff := cmp.Diff(want, got, cmp.Transformer("utc", func(at time.Time) string { return at.UTC().Format(time.RFC3339) })); diff != "" {
			t.Errorf("Describe -want +got:\n%s", diff)
		}
		second := r.consent(k, ada)
		all, err := k.List(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatalf("List = %d grants, %v; want 2", len(all), err)
		}
		states := map[identity.GrantID]grant.State{all[0].ID: all[0].State, all[1].ID: all[1].State}
		if diff := cmp.Diff(map[identity.GrantID]grant.State{id: grant.Superseded, second: grant.Live}, states); diff != "" {
			t.Errorf("List -want +got:\n%s", diff)
		}
	})
}

func TestAGrantWithoutWhatItNeedsIsNotStored(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	whole := r.endpoint.tokens()
	for name, test := range map[string]struct {
		g      grant.Grant
		tokens grant.Tokens
	}{
		"no person":        {grant.Grant{Tenant: acme}, whole},
		"no tenant":        {grant.Grant{Person: ada}, whole},
		"no access token":  {grant.Grant{Person: ada, Tenant: acme}, grant.Tokens{Refresh: whole.Refresh}},
		"no refresh token": {grant.Grant{Person: ada, Tenant: acme}, grant.Tokens{Access: whole.Access}},
	} {
		if id, err := k.Put(t.Context(), test.g, test.tokens); err == nil {
			t.Errorf("%s: stored as %s", name, id)
		}
	}
	if all, err := k.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d grants stored, %v", len(all), err)
	}
}

// TestAGrantThatIsNotRecorded does not stay, whether or not it took the place
// of another, and even if its caller has gone.
func TestAGrantThatIsNotRecorded(t *testing.T) {
	for _, kind := range []grant.Kind{grant.EventIssued, grant.EventSuperseded} {
		t.Run(string(kind), func(t *testing.T) {
			r := newRig(t)
			r.consent(r.keeper(), ada)
			full := errors.New("disk full")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			k := r.keeper(func(c *grant.Config) {
				c.Event = func(ctx context.Context, e grant.Event) error {
					if e.Kind == kind {
						cancel()
						return full
					}
					return r.event(ctx, e)
				}
			})
			id, err := k.Put(ctx, grant.Grant{Person: ada, Tenant: acme}, r.endpoint.tokens())
			wantCode(t, err, usererr.Unavailable)
			if !errors.Is(err, full) || id != "" || !strings.Contains(usererr.Text(err, ""), "it was revoked") || strings.Contains(usererr.Text(err, ""), "disk") {
				t.Errorf("Put = %q, %v", id, err)
			}
			all, err := k.List(t.Context())
			if err != nil || len(all) != 2 {
				t.Fatalf("List = %+v, %v", all, err)
			}
			for _, g := range all {
				if g.State == grant.Live {
					t.Errorf("%s is live", g.ID)
				}
			}
			_, err = k.Token(t.Context(), ada, acme)
			wantCode(t, err, usererr.SignIn)
			if got := r.happened(); got[len(got)-1] != "grant.revoked" {
				t.Errorf("the events are %v", got)
			}
		})
	}
}

func TestARevocationThatIsNotRecorded(t *testing.T) {
	r := newRig(t)
	id := r.consent(r.keeper(), ada)
	full := errors.New("disk full")
	k := r.keeper(func(c *grant.Config) { c.Event = func(context.Context, grant.Event) error { return full } })
	if err := k.Revoke(t.Context(), id); !errors.Is(err, full) {
		t.Errorf("Revoke = %v; want the event's error", err)
	}
	_, err := k.Token(t.Context(), ada, acme)
	wantCode(t, err, usererr.SignIn) // revoked nevertheless
}

// countingKEK counts what a key service would be asked.
type countingKEK struct {
	seal.KEK
	unwraps atomic.Int64
}

func (c *countingKEK) Unwrap(ctx context.Context, wrapped []byte, aad seal.AAD) ([]byte, error) {
	c.unwraps.Add(1)
	return c.KEK.Unwrap(ctx, wrapped, aad)
}

func TestTheKeyServiceIsAskedRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		kek := &countingKEK{KEK: r.kek}
		k := r.keeper(func(c *grant.Config) { c.KEK = kek })
		r.consent(k, ada)
		for range 3 * 60 {
			r.token(k, ada)
			time.Sleep(20 * time.Second)
		}
		if n := kek.unwraps.Load(); n < 3 || n > 5 {
			t.Errorf("%d unwraps in an hour; want one each 15 minutes", n)
		}
	})
}

func TestTheWrongKeyOpensNothing(t *testing.T) {
	r := newRig(t)
	r.consent(r.keeper(), ada)
	wrong, err := seal.OpenKEK(t.Context(), "file:other", t.TempDir(), true)
	if err != nil {
		t.Fatal(err)
	}
	k := r.keeper(func(c *grant.Config) { c.KEK = wrong })
	_, err = k.Token(t.Context(), ada, acme)
	wantCode(t, err, usererr.Unavailable)
	if !errors.Is(err, seal.ErrOpen) || !strings.Contains(r.log.String(), "cannot be opened") {
		t.Errorf("error %v, log %s; want ErrOpen in both", err, r.log)
	}
}

// Sealed bytes that are moved to another person's row, or back from an older
// version, open nothing.
func TestSealedBytesAreBoundToTheirRow(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.consent(k, ada)
	r.consent(k, "p_eve")
	adas, err := r.db.GrantFind(t.Context(), ada, acme)
	if err != nil {
		t.Fatal(err)
	}
	eves, err := r.db.GrantFind(t.Context(), "p_eve", acme)
	if err != nil {
		t.Fatal(err)
	}
	older := adas
	older.Version++
	for name, row := range map[string]grant.Row{
		"everything of another": {Grant: eves.Grant, Version: 1, Key: adas.Key, Access: adas.Access, Refresh: adas.Refresh},
		"only the tokens":       {Grant: eves.Grant, Version: 1, Key: eves.Key, Access: adas.Access, Refresh: adas.Refresh},
		"another version":       older,
		"refresh as access":     {Grant: adas.Grant, Version: 1, Key: adas.Key, Access: adas.Refresh, Refresh: adas.Access},
	} {
		t.Run(name, func(t *testing.T) {
			k := r.keeper(func(c *grant.Config) { c.Store = planted{r.db, row} })
			_, err := k.Token(t.Context(), row.Person, acme)
			wantCode(t, err, usererr.Unavailable)
		})
	}
}

// planted is a store in which somebody has changed a row.
type planted struct {
	grant.Store
	row grant.Row
}

func (p planted) GrantFind(context.Context, identity.PersonID, identity.TenantID) (grant.Row, error) {
	return p.row, nil
}

func TestNewSaysAllThatIsMissing(t *testing.T) {
	_, err := grant.New(grant.Config{})
	for _, name := range []string{"Store", "Refreshes", "KEK", "Refresher", "Event", "Log"} {
		if err == nil || !strings.Contains(err.Error(), name+" is missing") {
			t.Errorf("New = %v; want it to name %s", err, name)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	r := newRig(b)
	k := r.keeper()
	r.consent(k, ada)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := k.Token(b.Context(), ada, acme); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkTokenCold reads and opens the row each time.
func BenchmarkTokenCold(b *testing.B) {
	r := newRig(b)
	k := r.keeper()
	r.consent(k, ada)
	b.ReportAllocs()
	for b.Loop() {
		k.Purge()
		if _, err := k.Token(b.Context(), ada, acme); err != nil {
			b.Error(err)
		}
	}
}
