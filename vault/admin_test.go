package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// TestARevokedGrantTakesItsSessionsAlong, each on record, and no others.
func TestARevokedGrantTakesItsSessionsAlong(t *testing.T) {
	cfg := config(t, free(t), "")
	cfg.User = "ada"
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
	revoke := func(id identity.GrantID, superseded bool, want ...identity.SessionID) {
		t.Helper()
		done, err := a.Revoke(t.Context(), a.Who, admin.Scope{Grant: id})
		var got []identity.SessionID
		for _, s := range done.Sessions {
			got = append(got, s.ID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || done.Superseded != superseded || !slices.Equal(got, want) {
			t.Errorf("revoking %s gave %v, superseded %t (-want +got):\n%s", id, err, done.Superseded, cmp.Diff(want, got))
		}
	}
	revoke("g_old", true)
	before, _ := sessions.Epoch(t.Context())
	revoke("g_new", false, laptop, desktop)
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
	revoke("g_new", false)

	page, err := a.Records(t.Context(), a.Who, admin.RecordQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var events []string
	for _, r := range page.Items {
		events = append(events, r.Entry.Event)
		if r.Entry.By != "os:ada" {
			t.Errorf("%s by %q", r.Entry.Event, r.Entry.By)
		}
	}
	slices.Reverse(events)
	// Of the first and the last nothing was left.
	want := []string{"revocation.ordered", "revocation.ordered", "grant.revoked", "session.revoked", "session.revoked", "revocation.ordered"}
	if diff := cmp.Diff(want, events); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}
