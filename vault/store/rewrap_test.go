package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// under is something that a key file's key of this number wrapped.
func under(key byte, rest string) []byte {
	return append([]byte{1, 1, 0, 0, 0, key}, rest...)
}

func TestKeyUses(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		if uses, err := db.KeyUses(t.Context()); err != nil || len(uses) != 0 {
			t.Errorf("KeyUses of an empty store = %v, %v", uses, err)
		}
		for i, wrapped := range [][]byte{under(1, "a"), under(1, "b"), under(2, "c"), []byte("junk"), append([]byte("\x02\x04name"), 'x')} {
			r := grantRow(identity.GrantID(fmt.Sprint("g_", i)), identity.PersonID(fmt.Sprint("p_", i)))
			r.Key = wrapped
			putGrant(t, db, r)
		}
		if err := db.GrantRevoke(t.Context(), "g_1", consentDay); err != nil {
			t.Fatal(err)
		}
		for purpose, wrapped := range map[string][]byte{"nonce": under(1, "n"), "journal": under(1, "j")} {
			k := seal.VaultKey{Purpose: purpose, KEK: "file:kek#00000001", Wrapped: wrapped, Created: consentDay}
			if _, err := db.VaultKeyCreate(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.KeyUses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []store.KeyUse{{Grants: 1}, {Name: "file#00000001", ID: "file:kek#00000001", VaultKeys: 2, Grants: 1}, {Name: "file#00000002", Grants: 1}, {Name: "name", Grants: 1}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("KeyUses (-want +got):\n%s", diff)
		}
	})
}

func TestGrantKeysComeInPages(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		for i := range 7 {
			putGrant(t, db, grantRow(identity.GrantID(fmt.Sprint("g_", i)), identity.PersonID(fmt.Sprint("p_", i))))
		}
		if err := db.GrantRevoke(t.Context(), "g_3", consentDay); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for after := identity.GrantID(""); ; {
			page, err := db.GrantKeys(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, r := range page {
				full := gotGrant(t, db, r.ID)
				want := grant.Row{Grant: grant.Grant{ID: full.ID, Person: full.Person, Tenant: full.Tenant}, Key: full.Key}
				if diff := cmp.Diff(want, r); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				ids = append(ids, string(r.ID))
			}
			after = page[len(page)-1].ID
		}
		if diff := cmp.Diff([]string{"g_0", "g_1", "g_2", "g_4", "g_5", "g_6"}, ids); diff != "" {
			t.Errorf("a tombstone has no key (-want +got):\n%s", diff)
		}
	})
}

// TestGrantKeysReplace compares and sets: who changed or ended a grant
// meanwhile wins, and nothing but the key changes.
func TestGrantKeysReplace(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		var changes []store.KeyChange
		for _, id := range []identity.GrantID{"g_same", "g_revoked", "g_changed", "g_refreshed", "g_gone"} {
			r := grantRow(id, identity.PersonID("p_"+id))
			if id != "g_gone" {
				putGrant(t, db, r)
			}
			changes = append(changes, store.KeyChange{Grant: id, Old: r.Key, New: []byte("new key")})
		}
		if err := db.GrantRevoke(t.Context(), "g_revoked", consentDay); err != nil {
			t.Fatal(err)
		}
		changes[2].Old = []byte("what was there before")
		claimed, err := db.GrantClaim(t.Context(), grant.Claim{Grant: "g_refreshed", Version: 1, By: "me", At: consentDay, Until: later()})
		if err != nil {
			t.Fatal(err)
		}
		before := gotGrant(t, db, "g_same")
		n, err := db.GrantKeysReplace(t.Context(), changes)
		if err != nil || n != 2 {
			t.Fatalf("GrantKeysReplace = %d, %v; want 2", n, err)
		}
		before.Key = []byte("new key")
		if diff := cmp.Diff(before, gotGrant(t, db, "g_same")); diff != "" {
			t.Errorf("g_same (-want +got):\n%s", diff)
		}
		if r := gotGrant(t, db, "g_revoked"); r.Key != nil || r.State != grant.Revoked {
			t.Errorf("a revoked grant has the key %q", r.Key)
		}
		if r := gotGrant(t, db, "g_changed"); string(r.Key) != "key" {
			t.Errorf("a key that changed meanwhile is %q", r.Key)
		}
		// The refresh that was under way stores its pair and keeps the new key.
		claimed.Access, claimed.Refresh = []byte("access 2"), []byte("refresh 2")
		if err := db.GrantRefreshed(t.Context(), claimed, "me"); err != nil {
			t.Fatal(err)
		}
		if r := gotGrant(t, db, "g_refreshed"); string(r.Key) != "new key" || string(r.Access) != "access 2" || r.Version != 2 {
			t.Errorf("refreshed: key %q, access %q, version %d", r.Key, r.Access, r.Version)
		}
		if n, err := db.GrantKeysReplace(t.Context(), changes); err != nil || n != 0 {
			t.Errorf("the second time = %d, %v; want 0", n, err)
		}
	})
}

func TestVaultKeyReplace(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		k := seal.VaultKey{Purpose: "nonce", KEK: "old", Wrapped: []byte("old bytes"), Created: consentDay}
		if _, err := db.VaultKeyCreate(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		fresh := seal.VaultKey{Purpose: "nonce", KEK: "new", Wrapped: []byte("new bytes"), Created: consentDay}
		if replaced, err := db.VaultKeyReplace(t.Context(), fresh, []byte("other bytes")); err != nil || replaced {
			t.Errorf("replaced other bytes: %v, %v", replaced, err)
		}
		if replaced, err := db.VaultKeyReplace(t.Context(), fresh, k.Wrapped); err != nil || !replaced {
			t.Errorf("not replaced: %v, %v", replaced, err)
		}
		if replaced, err := db.VaultKeyReplace(t.Context(), k, k.Wrapped); err != nil || replaced {
			t.Errorf("replaced twice: %v, %v", replaced, err)
		}
		all, err := db.VaultKeys(t.Context())
		if diff := cmp.Diff([]seal.VaultKey{fresh}, all); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	})
}
