package company_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/company"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

// TestALogoutDuringALogin counts for what the provider said before, whatever the
// vault's clock says, and for nothing that it said later.
func TestALogoutDuringALogin(t *testing.T) {
	ada := func(sid string, issued, shown time.Duration) identity.SignIn {
		start := time.Now().Truncate(time.Second)
		s := identity.SignIn{Person: identity.Person{ID: "p_ada", Issuer: "https://login.example.com", Subject: "ada"}, SID: sid, Issued: start.Add(issued)}
		if shown != 0 {
			s.Time = start.Add(shown)
		}
		return s
	}
	const all = "https://login.example.com"
	for name, test := range map[string]struct {
		order  oidc.Logout
		signIn func() identity.SignIn
		ended  bool
	}{
		"before":                          {oidc.Logout{Issuer: all, Subject: "ada"}, func() identity.SignIn { return ada("", -time.Minute, 0) }, true},
		"in the same second":              {oidc.Logout{Issuer: all, Subject: "ada"}, func() identity.SignIn { return ada("", 0, 0) }, true},
		"after":                           {oidc.Logout{Issuer: all, Subject: "ada"}, func() identity.SignIn { return ada("", time.Second, 0) }, false},
		"dated back, shown after":         {oidc.Logout{Issuer: all, Subject: "ada"}, func() identity.SignIn { return ada("", -5*time.Minute, time.Second) }, false},
		"when is not known":               {oidc.Logout{Issuer: all, Subject: "ada"}, func() identity.SignIn { s := ada("", 0, 0); s.Issued = time.Time{}; return s }, true},
		"of another session":              {oidc.Logout{Issuer: all, Subject: "ada", SID: "one"}, func() identity.SignIn { return ada("two", -time.Minute, 0) }, false},
		"of a session without a name":     {oidc.Logout{Issuer: all, Subject: "ada", SID: "one"}, func() identity.SignIn { return ada("", -time.Minute, 0) }, true},
		"of the session, of whomever":     {oidc.Logout{Issuer: all, SID: "one"}, func() identity.SignIn { return ada("one", -time.Minute, 0) }, true},
		"no name, of a session, whomever": {oidc.Logout{Issuer: all, SID: "one"}, func() identity.SignIn { return ada("", -time.Minute, 0) }, false},
		"of somebody else":                {oidc.Logout{Issuer: all, Subject: "ben"}, func() identity.SignIn { return ada("one", -time.Minute, 0) }, false},
		"of another issuer":               {oidc.Logout{Issuer: "https://other.example", Subject: "ada"}, func() identity.SignIn { return ada("one", -time.Minute, 0) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				said := test.signIn()
				order := test.order
				order.ID, order.Issued, order.Until = "j", time.Now().Truncate(time.Second), time.Now().Add(time.Minute)
				r.provider.order = order
				if ended, err := r.Logout(t.Context(), secret.New("token")); ended != 0 || err != nil {
					t.Fatal(ended, err)
				}
				time.Sleep(10 * time.Minute) // a login may take as long
				next := identity.Caller{Session: session.NewID(), Device: "d1", Person: "p_ada", Tenant: "acme"}
				kept, stands := r.Keep(t.Context(), next, said), r.Stands(t.Context(), said)
				if errors.Is(kept, company.ErrSignedOut) != test.ended || errors.Is(stands, company.ErrSignedOut) != test.ended {
					t.Errorf("keeping: %v; it stands: %v", kept, stands)
				}
				time.Sleep(2 * time.Hour)
				r.run(2 * time.Minute)
				if err := r.Stands(t.Context(), said); err != nil {
					t.Errorf("after hours, which no login takes: %v", err)
				}
			})
		})
	}
}

// TestALogoutWhileASessionBegins finds the session, or the session finds it.
func TestALogoutWhileASessionBegins(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		said := identity.SignIn{Person: identity.Person{ID: "p_ada", Issuer: "https://login.example.com", Subject: "ada"}, Issued: time.Now()}
		next := identity.Caller{Session: session.NewID(), Device: "d1", Person: "p_ada", Tenant: "acme"}
		if err := r.Keep(t.Context(), next, said); err != nil {
			t.Fatal(err)
		}
		r.provider.order = oidc.Logout{Issuer: "https://login.example.com", Subject: "ada", ID: "j", Issued: time.Now(), Until: time.Now().Add(time.Minute)}
		ended, err := r.Logout(t.Context(), secret.New("token"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.sessions.Start(t.Context(), session.Who{ID: next.Session, Device: "d1", Person: "p_ada", Tenant: "acme"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Stands(t.Context(), said); ended == 0 && !errors.Is(err, company.ErrSignedOut) {
			t.Errorf("it stands: %v", err)
		}
	})
}

// TestALogoutOfWhoDoesNotWait is done all the same.
func TestALogoutOfWhoDoesNotWait(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		r.provider.order = oidc.Logout{Issuer: "https://login.example.com", Subject: "ada", ID: "j", Issued: time.Now(), Until: time.Now().Add(time.Minute)}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if ended, err := r.Logout(gone, secret.New("token")); ended != 1 || err != nil || r.lives(s) {
			t.Errorf("%d, %v", ended, err)
		}
	})
}

// noOrders is a store that cannot remember orders.
type noOrders struct{ company.Store }

func (noOrders) SignOutPut(context.Context, company.SignOut) error {
	return errors.New("the disk is full")
}

// TestALogoutThatIsNotRemembered is sent again.
func TestALogoutThatIsNotRemembered(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := r.signIn("d1", "", "staff")
		r.provider.order = oidc.Logout{Issuer: "https://login.example.com", Subject: "ada", ID: "j", Issued: time.Now(), Until: time.Now().Add(time.Minute)}
		cfg := r.cfg
		cfg.Store = noOrders{cfg.Store}
		if _, err := company.New(cfg).Logout(t.Context(), secret.New("token")); usererr.CodeOf(err) != usererr.Unavailable {
			t.Errorf("= %v", err)
		}
		if ended, err := r.Logout(t.Context(), secret.New("token")); ended != 1 || err != nil || r.lives(s) {
			t.Errorf("again: %d, %v", ended, err)
		}
	})
}
