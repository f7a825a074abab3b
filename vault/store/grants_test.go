package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// consentDay is a time that survives being stored.
var consentDay = time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)

// row is a grant with all of its columns filled.
func grantRow(id identity.GrantID, person identity.PersonID) grant.Row {
	return grant.Row{
		Grant: grant.Grant{
			ID: id, Person: person, Tenant: "acme", State: grant.Live, Account: "account",
			Scopes: []string{"read:page:confluence", "offline_access"},
			Sites:  []grant.Site{{Name: "wiki", CloudID: "c-1", URL: "https://acme.atlassian.net"}},
			Issued: consentDay, Used: consentDay, TokenExpires: consentDay.Add(time.Hour), Expires: consentDay.Add(90 * 24 * time.Hour), NextRefresh: consentDay.Add(55 * time.Minute),
		},
		Version: 1, Key: []byte("key"), Access: []byte("access"), Refresh: []byte("refresh"),
	}
}

func putGrant(t *testing.T, db *store.DB, r grant.Row) {
	t.Helper()
	if _, err := db.GrantPut(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

func gotGrant(t *testing.T, db *store.DB, id identity.GrantID) grant.Row {
	t.Helper()
	r, err := db.GrantGet(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func epochOf(t *testing.T, db *store.DB) int64 {
	t.Helper()
	n, err := db.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func wantGrantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v; want %v", what, err, want)
	}
}

func grantClaim(id identity.GrantID, version int64, by string, at time.Time) grant.Claim {
	return grant.Claim{Grant: id, Version: version, By: by, At: at, Until: at.Add(20 * time.Second)}
}

func TestGrantsComeBackAsTheyWere(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		want := grantRow("g_1", "p_ada")
		want.Refreshed, want.LastError, want.Ended = consentDay.Add(time.Minute), "words", time.Time{}
		want.Claim, want.ClaimUntil, want.IntentAt = "c_1", consentDay.Add(time.Second), consentDay
		putGrant(t, db, want)
		if diff := cmp.Diff(want, gotGrant(t, db, "g_1")); diff != "" {
			t.Errorf("GrantGet -want +got:\n%s", diff)
		}
		found, err := db.GrantFind(t.Context(), "p_ada", "acme")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("GrantFind -want +got:\n%s", diff)
		}
		all, err := db.GrantList(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]grant.Grant{want.Grant}, all); diff != "" {
			t.Errorf("GrantList -want +got:\n%s", diff)
		}
	})
}

func TestNoGrant(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		_, err := db.GrantGet(t.Context(), "g_2")
		wantGrantErr(t, "GrantGet", err, grant.ErrNone)
		_, err = db.GrantFind(t.Context(), "p_ada", "other")
		wantGrantErr(t, "GrantFind of another tenant", err, grant.ErrNone)
		_, err = db.GrantFind(t.Context(), "p_eve", "acme")
		wantGrantErr(t, "GrantFind of another person", err, grant.ErrNone)
		wantGrantErr(t, "GrantRevoke", db.GrantRevoke(t.Context(), "g_2", consentDay), grant.ErrNone)
		wantGrantErr(t, "GrantUsed", db.GrantUsed(t.Context(), "g_2", consentDay), grant.ErrNone)
		_, err = db.GrantClaim(t.Context(), grantClaim("g_2", 1, "c_1", consentDay))
		wantGrantErr(t, "GrantClaim", err, grant.ErrNone)
		wantGrantErr(t, "GrantFailed", db.GrantFailed(t.Context(), "g_2", "c_1", grant.Live, ""), grant.ErrFenced)
	})
}

func TestANewGrantSupersedes(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		putGrant(t, db, grantRow("g_eve", "p_eve"))
		before := epochOf(t, db)
		second := grantRow("g_2", "p_ada")
		second.Issued = consentDay.Add(time.Hour)
		superseded, err := db.GrantPut(t.Context(), second)
		if err != nil || superseded != "g_1" {
			t.Fatalf("GrantPut = %q, %v; want g_1", superseded, err)
		}
		if epochOf(t, db) == before {
			t.Error("a live grant was superseded and the epoch stood still")
		}
		old := gotGrant(t, db, "g_1")
		if old.State != grant.Superseded || old.Key != nil || old.Access != nil || old.Refresh != nil || !old.Ended.Equal(second.Issued) {
			t.Errorf("the old one: %+v; want a tombstone", old)
		}
		if found, err := db.GrantFind(t.Context(), "p_ada", "acme"); err != nil || found.ID != "g_2" {
			t.Errorf("GrantFind = %s, %v; want g_2", found.ID, err)
		}
		if gotGrant(t, db, "g_eve").State != grant.Live {
			t.Error("somebody else's grant was superseded")
		}
	})
}

// One process makes a hundred consents of one person at once: one is left.
func TestNeverTwoCurrentGrants(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() {
				if _, err := db.GrantPut(t.Context(), grantRow(identity.GrantID(fmt.Sprintf("g_%d", i)), "p_ada")); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		all, err := db.GrantList(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		states := map[grant.State]int{}
		for _, g := range all {
			states[g.State]++
		}
		if diff := cmp.Diff(map[grant.State]int{grant.Live: 1, grant.Superseded: 99}, states); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestARevokedGrantIsATombstone(t *testing.T) {
	for _, state := range []grant.State{grant.Live, grant.SignInAgain, grant.Superseded} {
		t.Run(string(state), func(t *testing.T) {
			onEach(t, func(t *testing.T, db *store.DB) {
				r := grantRow("g_1", "p_ada")
				r.State, r.Claim, r.ClaimUntil, r.IntentAt = state, "c_1", consentDay.Add(time.Minute), consentDay
				putGrant(t, db, r)
				before := epochOf(t, db)
				for _, at := range []time.Time{consentDay.Add(time.Hour), consentDay.Add(2 * time.Hour)} {
					if err := db.GrantRevoke(t.Context(), "g_1", at); err != nil {
						t.Fatal(err)
					}
				}
				if epochOf(t, db) == before {
					t.Error("the epoch stood still")
				}
				want := r
				want.State, want.Ended, want.NextRefresh = grant.Revoked, consentDay.Add(time.Hour), time.Time{}
				want.Key, want.Access, want.Refresh, want.Claim, want.ClaimUntil, want.IntentAt = nil, nil, nil, "", time.Time{}, time.Time{}
				if diff := cmp.Diff(want, gotGrant(t, db, "g_1")); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
				_, err := db.GrantFind(t.Context(), "p_ada", "acme")
				wantGrantErr(t, "GrantFind", err, grant.ErrNone)
				if _, err := db.GrantPut(t.Context(), grantRow("g_2", "p_ada")); err != nil {
					t.Errorf("a new consent: %v", err)
				}
				if gotGrant(t, db, "g_1").State != grant.Revoked {
					t.Error("the tombstone was superseded")
				}
			})
		})
	}
}

// The bytes of a revoked grant are not in the file any more, nor in its log.
func TestARevokedGrantLeavesNoBytes(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), "sqlite:vault.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	r := grantRow("g_1", "p_ada")
	r.Key = []byte(strings.Repeat("wrapped-key ", 40))
	putGrant(t, db, r)
	if err := errors.Join(db.GrantRevoke(t.Context(), "g_1", consentDay), db.Close()); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no database", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, []byte("wrapped-key")) {
			t.Errorf("%s still has the wrapped key", filepath.Base(name))
		}
	}
}

// TestAnEndedGrantLeavesTheLog looks for the same while the database is open.
func TestAnEndedGrantLeavesTheLog(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, "sqlite:"+filepath.Join(dir, "vault.db"))
	left := func() string {
		// The log first, which may be folded into the file meanwhile.
		for _, name := range []string{"vault.db-wal", "vault.db"} {
			data, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(data, []byte("wrapped-key")) {
				return name
			}
		}
		return ""
	}
	put := func(id identity.GrantID, key string) {
		r := grantRow(id, "p_ada")
		r.Key = []byte(strings.Repeat(key, 40))
		putGrant(t, db, r)
	}
	for name, end := range map[string]func() error{
		"revoked": func() error { return db.GrantRevoke(t.Context(), "g_revoked", consentDay) },
		"superseded": func() error {
			put("g_next", "another-key ")
			return nil
		},
	} {
		put(identity.GrantID("g_"+name), "wrapped-key ")
		if left() == "" {
			t.Fatalf("%s: the test does not see the key", name)
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); left() != "" && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		if file := left(); file != "" {
			t.Errorf("%s: %s still has the wrapped key", name, file)
		}
	}
}

func TestClaims(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		first, err := db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_1", consentDay))
		if err != nil {
			t.Fatal(err)
		}
		if first.Claim != "c_1" || !first.ClaimUntil.Equal(consentDay.Add(20*time.Second)) || !first.IntentAt.Equal(consentDay) || string(first.Refresh) != "refresh" {
			t.Errorf("claimed %+v", first)
		}
		_, err = db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_2", consentDay.Add(19*time.Second)))
		wantGrantErr(t, "while another claim lasts", err, grant.ErrBusy)
		_, err = db.GrantClaim(t.Context(), grantClaim("g_1", 2, "c_2", consentDay.Add(time.Minute)))
		wantGrantErr(t, "another version", err, grant.ErrFenced)

		second, err := db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_2", consentDay.Add(20*time.Second)))
		if err != nil {
			t.Fatal(err)
		}
		if !second.IntentAt.Equal(consentDay) {
			t.Errorf("intent %v; want the first one, %v", second.IntentAt, consentDay)
		}
		// The first one wakes up: nothing of what it does counts.
		rotated := first
		rotated.Access, rotated.Refresh = []byte("late"), []byte("late")
		wantGrantErr(t, "storing without the claim", db.GrantRefreshed(t.Context(), rotated, "c_1"), grant.ErrFenced)
		wantGrantErr(t, "failing without the claim", db.GrantFailed(t.Context(), "g_1", "c_1", grant.SignInAgain, "no"), grant.ErrFenced)
		if now := gotGrant(t, db, "g_1"); now.State != grant.Live || now.Claim != "c_2" || string(now.Access) != "access" {
			t.Errorf("the late one changed the grant: %+v", now)
		}

		if err := db.GrantFailed(t.Context(), "g_1", "c_2", grant.Live, "no answer"); err != nil {
			t.Fatal(err)
		}
		if now := gotGrant(t, db, "g_1"); now.Claim != "" || now.LastError != "no answer" || !now.IntentAt.Equal(consentDay) || now.State != grant.Live {
			t.Errorf("after a failure: %+v; want live, no claim, the intent standing", now)
		}
		_, err = db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_3", consentDay.Add(21*time.Second)))
		wantGrantErr(t, "after the claim ended", err, nil)
		if err := db.GrantFailed(t.Context(), "g_1", "c_3", grant.SignInAgain, "refused"); err != nil {
			t.Fatal(err)
		}
		if now := gotGrant(t, db, "g_1"); now.State != grant.SignInAgain || string(now.Key) != "key" || string(now.Refresh) != "refresh" {
			t.Errorf("after a refusal: %+v; want sign-in-again with its bytes", now)
		}
		_, err = db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_4", consentDay.Add(time.Hour)))
		wantGrantErr(t, "a grant that is not live", err, grant.ErrFenced)
		before := epochOf(t, db)
		if superseded, err := db.GrantPut(t.Context(), grantRow("g_2", "p_ada")); err != nil || superseded != "g_1" || epochOf(t, db) != before {
			t.Errorf("GrantPut = %q, %v; want g_1 and the epoch as it was", superseded, err)
		}
	})
}

func TestARotatedPairIsStored(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		r, err := db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_1", consentDay))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.GrantUsed(t.Context(), "g_1", consentDay.Add(30*time.Minute)); err != nil {
			t.Fatal(err)
		}
		r.Access, r.Refresh, r.Scopes = []byte("access2"), []byte("refresh2"), []string{"read:page:confluence"}
		r.Refreshed, r.TokenExpires, r.Expires, r.NextRefresh = consentDay.Add(time.Hour), consentDay.Add(2*time.Hour), consentDay.Add(100*24*time.Hour), time.Time{}
		// The claim's time is over, but nobody else took it: the pair must not be lost.
		if err := db.GrantRefreshed(t.Context(), r, "c_1"); err != nil {
			t.Fatal(err)
		}
		want := r
		want.Version, want.Claim, want.ClaimUntil, want.IntentAt, want.Used = 2, "", time.Time{}, time.Time{}, consentDay.Add(30*time.Minute)
		if diff := cmp.Diff(want, gotGrant(t, db, "g_1")); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		wantGrantErr(t, "storing twice", db.GrantRefreshed(t.Context(), r, "c_1"), grant.ErrFenced)
	})
}

func TestARevocationFencesARefresh(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		r, err := db.GrantClaim(t.Context(), grantClaim("g_1", 1, "c_1", consentDay))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.GrantRevoke(t.Context(), "g_1", consentDay); err != nil {
			t.Fatal(err)
		}
		wantGrantErr(t, "GrantRefreshed", db.GrantRefreshed(t.Context(), r, "c_1"), grant.ErrFenced)
		wantGrantErr(t, "GrantFailed", db.GrantFailed(t.Context(), "g_1", "c_1", grant.SignInAgain, ""), grant.ErrFenced)
		if now := gotGrant(t, db, "g_1"); now.State != grant.Revoked || now.Access != nil {
			t.Errorf("the refresh revived a revoked grant: %+v", now)
		}
	})
}

// Two stores on one file, as two processes have them: of many that claim, one
// gets the claim.
func TestOneOfManyClaims(t *testing.T) {
	dir := t.TempDir()
	var dbs []*store.DB
	for range 2 {
		db, err := store.Open(t.Context(), "sqlite:vault.db", dir)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		dbs = append(dbs, db)
	}
	putGrant(t, dbs[0], grantRow("g_1", "p_ada"))
	for version := int64(1); version <= 5; version++ {
		var claimed atomic.Int64
		var winner atomic.Value
		var group sync.WaitGroup
		for i := range 32 {
			group.Go(func() {
				by := fmt.Sprintf("c_%d", i)
				_, err := dbs[i%2].GrantClaim(t.Context(), grantClaim("g_1", version, by, consentDay))
				if err == nil {
					claimed.Add(1)
					winner.Store(by)
				} else if !errors.Is(err, grant.ErrBusy) {
					t.Errorf("version %d, %s: %v; want ErrBusy", version, by, err)
				}
			})
		}
		group.Wait()
		if claimed.Load() != 1 {
			t.Fatalf("version %d: %d claims; want 1", version, claimed.Load())
		}
		r := gotGrant(t, dbs[1], "g_1")
		if err := dbs[0].GrantRefreshed(t.Context(), r, winner.Load().(string)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUsesNeverGoBack(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		putGrant(t, db, grantRow("g_1", "p_ada"))
		for _, at := range []time.Time{consentDay.Add(2 * time.Minute), consentDay.Add(time.Minute)} {
			if err := db.GrantUsed(t.Context(), "g_1", at); err != nil {
				t.Fatal(err)
			}
		}
		if used := gotGrant(t, db, "g_1").Used; !used.Equal(consentDay.Add(2 * time.Minute)) {
			t.Errorf("used %v; want the latest", used)
		}
	})
}

func TestVaultKeys(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		has := func(want bool) {
			t.Helper()
			if uses, err := db.KeyUses(t.Context()); err != nil || (len(uses) > 0) != want {
				t.Errorf("KeyUses = %v, %v; want some: %v", uses, err, want)
			}
		}
		has(false)
		_, err := db.VaultKey(t.Context(), "nonce")
		wantGrantErr(t, "VaultKey", err, seal.ErrNoVaultKey)
		putGrant(t, db, grantRow("g_1", "p_ada"))
		has(true)
		if err := db.GrantRevoke(t.Context(), "g_1", consentDay); err != nil {
			t.Fatal(err)
		}
		has(false) // a tombstone needs no key
		var group sync.WaitGroup
		keys := make([]seal.VaultKey, 16)
		for i := range keys {
			group.Go(func() {
				var err error
				k := seal.VaultKey{Purpose: "nonce", KEK: "file:kek#1", Wrapped: []byte{byte(i)}, Created: consentDay}
				if keys[i], err = db.VaultKeyCreate(context.WithoutCancel(t.Context()), k); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		stored, err := db.VaultKey(t.Context(), "nonce")
		if err != nil {
			t.Fatal(err)
		}
		for i := range keys {
			if diff := cmp.Diff(stored, keys[i]); diff != "" {
				t.Errorf("creator %d got another key than is stored:\n%s", i, diff)
			}
		}
		has(true)
	})
}
