package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// crowded puts 7 sessions and grants into a store, three of each at one time.
func crowded(t *testing.T, db *store.DB) {
	t.Helper()
	for i := range 7 {
		s := sessionOf(fmt.Sprint("d", i), fmt.Sprint("p", i%3))
		s.ID = identity.SessionID(fmt.Sprint("s", i))
		s.Created = now.Add(time.Duration(min(i, 4)) * time.Second)
		if i == 5 {
			s.IdleUntil = now
		}
		if err := db.SessionStart(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		r := grantRow(identity.GrantID(fmt.Sprint("g", i)), identity.PersonID(fmt.Sprint("p", i)))
		r.Issued = s.Created
		putGrant(t, db, r)
	}
}

func TestListsPageByPage(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		crowded(t, db)
		ctx, d := t.Context(), db.Desk()
		// walk reads a list two by two.
		walk := func(page func(after admin.Mark) ([]string, admin.Mark, error)) []string {
			var all []string
			for at := (admin.Mark{}); ; {
				names, next, err := page(at)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, names...)
				if at = next; len(names) < 2 {
					return all
				}
			}
		}
		sessions := func(find admin.SessionFind) []string {
			return walk(func(after admin.Mark) (names []string, last admin.Mark, err error) {
				find.After, find.Limit = after, 2
				list, err := d.Sessions(ctx, find)
				for _, s := range list {
					names, last = append(names, string(s.ID)), admin.Mark{Time: s.Created, ID: string(s.ID)}
					if find.ByDevice {
						last.ID = string(s.Device)
					}
				}
				return names, last, err
			})
		}
		grants := func(find admin.GrantFind) []string {
			return walk(func(after admin.Mark) (names []string, last admin.Mark, err error) {
				find.After, find.Limit = after, 2
				list, err := d.Grants(ctx, find)
				for _, g := range list {
					names, last = append(names, string(g.ID)), admin.Mark{Time: g.Issued, ID: string(g.ID)}
				}
				return names, last, err
			})
		}
		people := walk(func(after admin.Mark) (names []string, last admin.Mark, err error) {
			list, err := d.People(ctx, identity.PersonID(after.ID), 2)
			for _, k := range list {
				names, last = append(names, fmt.Sprint(k.ID, " ", len(k.Sessions), " ", len(k.Grants))), admin.Mark{ID: string(k.ID)}
			}
			return names, last, err
		})
		for what, test := range map[string]struct{ got, want []string }{
			"all sessions":      {sessions(admin.SessionFind{}), []string{"s4", "s5", "s6", "s3", "s2", "s1", "s0"}},
			"a person's":        {sessions(admin.SessionFind{Person: "p0"}), []string{"s6", "s3", "s0"}},
			"live ones":         {sessions(admin.SessionFind{Person: "p2", LiveAt: now}), []string{"s2"}},
			"one":               {sessions(admin.SessionFind{ID: "s3"}), []string{"s3"}},
			"of no tenant":      {sessions(admin.SessionFind{Tenant: "nowhere"}), nil},
			"by device":         {sessions(admin.SessionFind{ByDevice: true}), []string{"s0", "s1", "s2", "s3", "s4", "s5", "s6"}},
			"all grants":        {grants(admin.GrantFind{}), []string{"g4", "g5", "g6", "g3", "g2", "g1", "g0"}},
			"a person's grants": {grants(admin.GrantFind{Person: "p5", State: grant.Live}), []string{"g5"}},
			"revoked grants":    {grants(admin.GrantFind{State: grant.Revoked}), nil},
			"people":            {people, []string{"p0 3 1", "p1 2 1", "p2 2 1", "p3 0 1", "p4 0 1", "p5 0 1", "p6 0 1"}},
		} {
			if diff := cmp.Diff(test.want, test.got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
	})
}

func TestRecordsFromTheEnd(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		log := audit.New(audit.Config{Sink: db})
		for i := range 5 {
			for _, tenant := range []identity.TenantID{"acme", "other"} {
				if err := log.Record(t.Context(), audit.Entry{Event: fmt.Sprint("e", i), Tenant: tenant}); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := db.Desk().RecordsBefore(t.Context(), "acme", 5, 3)
		if err != nil {
			t.Fatal(err)
		}
		want, err := log.List(t.Context(), "acme", 1, 3)
		slices.Reverse(want)
		if diff := cmp.Diff(want, list); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
