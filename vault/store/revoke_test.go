package store_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// TestRevokeByScope has two people at two tenants, with two devices each.
func TestRevokeByScope(t *testing.T) {
	const site = "https://other.atlassian.net"
	for name, test := range map[string]struct {
		scope            admin.Scope
		sessions, grants []string
	}{
		"a person":             {admin.Scope{Person: "ada"}, []string{"ada-acme", "ada-other"}, []string{"ada-acme", "ada-other"}},
		"a person at a tenant": {admin.Scope{Person: "ada", Tenant: "acme"}, []string{"ada-acme"}, []string{"ada-acme"}},
		"a tenant":             {admin.Scope{Tenant: "other"}, []string{"ada-other", "ben-other"}, []string{"ada-other", "ben-other"}},
		"a device":             {admin.Scope{Device: "ben-acme"}, []string{"ben-acme"}, nil},
		"a site":               {admin.Scope{Site: site + "/"}, []string{"ada-other", "ben-other"}, []string{"ada-other", "ben-other"}},
		"a person's site":      {admin.Scope{Person: "ben", Site: site}, []string{"ben-other"}, []string{"ben-other"}},
		"everything":           {admin.Scope{Everything: true}, []string{"ada-acme", "ada-other", "ben-acme", "ben-other"}, []string{"ada-acme", "ada-other", "ben-acme", "ben-other"}},
		"a session":            {admin.Scope{Session: "ada-acme"}, []string{"ada-acme"}, nil},
		"a grant":              {admin.Scope{Grant: "ada-acme"}, []string{"ada-acme"}, []string{"ada-acme"}},
		"a session of another": {admin.Scope{Session: "ada-acme", Person: "ben"}, nil, nil},
		"nobody":               {admin.Scope{Person: "carl"}, nil, nil},
		"no scope":             {admin.Scope{}, nil, nil},
		"a mixed scope":        {admin.Scope{Everything: true, Person: "ada"}, nil, nil},
		"no such site":         {admin.Scope{Site: "https://acme.example"}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, db *store.DB) {
				for _, person := range []string{"ada", "ben"} {
					for _, tenant := range []identity.TenantID{"acme", "other"} {
						id := person + "-" + string(tenant)
						s := sessionOf(id, person)
						s.ID = identity.SessionID(id)
						s.Tenant = tenant
						if err := db.SessionStart(t.Context(), s); err != nil {
							t.Fatal(err)
						}
						r := grantRow(identity.GrantID(id), identity.PersonID(person))
						r.Tenant = tenant
						if tenant == "other" {
							r.Sites = append(r.Sites, grant.Site{Name: "other", URL: site})
						}
						putGrant(t, db, r)
					}
				}
				would, err := db.Desk().Affected(t.Context(), test.scope)
				if err != nil || len(would.Sessions) != len(test.sessions) || len(would.Grants) != len(test.grants) {
					t.Errorf("it would end %d sessions and %d grants, %v", len(would.Sessions), len(would.Grants), err)
				}
				before, at := epochOf(t, db), time.Now().UTC().Truncate(time.Millisecond)
				done, err := db.Desk().Revoke(t.Context(), test.scope, at)
				if err != nil {
					t.Fatal(err)
				}
				var sessions, grants []string
				for _, s := range done.Sessions {
					sessions = append(sessions, string(s.Device))
				}
				for _, g := range done.Grants {
					grants = append(grants, string(g.ID))
				}
				slices.Sort(sessions)
				slices.Sort(grants)
				if diff := cmp.Diff([][]string{test.sessions, test.grants}, [][]string{sessions, grants}); diff != "" {
					t.Error(diff)
				}
				if moved := epochOf(t, db) > before; moved != (len(test.sessions) > 0) {
					t.Errorf("the epoch moved: %v", moved)
				}
				standing(t, db, test.sessions, test.grants, at)
				if again, err := db.Desk().Revoke(t.Context(), test.scope, at); err != nil || len(again.Sessions)+len(again.Grants) > 0 {
					t.Errorf("the second time: %+v, %v", again, err)
				}
			})
		})
	}
}

// standing wants that those who were named are gone, without a key, and nobody
// else is.
func standing(t *testing.T, db *store.DB, sessions, grants []string, at time.Time) {
	t.Helper()
	list, err := db.SessionList(t.Context())
	if err != nil || len(list) != 4 {
		t.Fatal(len(list), err)
	}
	for _, s := range list {
		if gone := s.Revoked.Equal(at); gone != slices.Contains(sessions, string(s.Device)) || !gone && !s.Revoked.IsZero() {
			t.Errorf("session on %s is gone since %v", s.Device, s.Revoked)
		}
		r := gotGrant(t, db, identity.GrantID(s.Device))
		if gone := r.State == grant.Revoked; gone != slices.Contains(grants, string(r.ID)) || gone != (r.Key == nil && r.Access == nil && r.Refresh == nil && r.Ended.Equal(at)) {
			t.Errorf("grant %+v", r)
		}
	}
}
