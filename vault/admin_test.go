package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// TestARevokedGrantTakesItsSessionsAlong, each on record, and no others.
func TestARevokedGrantTakesItsSessionsAlong(t *testing.T) {
	cfg := config(t, free(t), "")
	db, err := store.Open(t.Context(), cfg.Settings.Store.URL, cfg.Settings.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	grants := func(person identity.PersonID, ids ...identity.GrantID) {
		for _, id := range ids {
			_, err := db.GrantPut(t.Context(), grant.Row{
				Grant: grant.Grant{ID: id, Person: person, Tenant: "acme", State: grant.Live, Issued: time.Now()}, Version: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	sessions := session.New(session.Config{Store: db})
	start := func(device identity.DeviceID, person identity.PersonID, tenant identity.TenantID) identity.SessionID {
		s, err := sessions.Start(t.Context(), session.Who{Device: device, Person: person, Tenant: tenant})
		if err != nil {
			t.Fatal(err)
		}
		return s.ID
	}
	grants("ada", "g_old", "g_new") // the second supersedes the first
	grants("ben", "g_ben")
	laptop, desktop := start("laptop", "ada", "acme"), start("desktop", "ada", "acme")
	start("other tenant", "ada", "labs")
	start("other person", "ben", "acme")

	a, err := vault.OpenAdmin(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	revoke := func(id identity.GrantID, want vault.GrantRevocation) {
		t.Helper()
		got, err := a.RevokeGrant(t.Context(), id)
		slices.Sort(got.Sessions)
		slices.Sort(want.Sessions)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("revoking %s gave %v (-want +got):\n%s", id, err, cmp.Diff(want, got))
		}
	}
	revoke("g_old", vault.GrantRevocation{Superseded: true})
	before, _ := sessions.Epoch(t.Context())
	revoke("g_new", vault.GrantRevocation{Sessions: []identity.SessionID{laptop, desktop}})
	if after, err := sessions.Epoch(t.Context()); err != nil || after <= before {
		t.Errorf("the epoch is %d after %d, %v: no running vault would look", after, before, err)
	}
	for device, want := range map[identity.DeviceID]bool{"laptop": false, "desktop": false, "other tenant": true, "other person": true} {
		if _, err := sessions.Current(t.Context(), device); (err == nil) != want {
			t.Errorf("the session of the %s lives: %v; want %t", device, err, want)
		}
	}
	// Whoever signed in again is not cut off by a repetition.
	time.Sleep(2 * time.Millisecond) // times are stored as milliseconds
	start("laptop", "ada", "acme")
	revoke("g_new", vault.GrantRevocation{})

	var events []string
	if err := a.Audit(t.Context(), "acme", 100, func(r vault.AuditRecord) { events = append(events, r.Entry.Event) }); err != nil {
		t.Fatal(err)
	}
	want := []string{"grant.revoked", "grant.revoked", "session.revoked", "session.revoked", "grant.revoked"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}
