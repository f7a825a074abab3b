package grant_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// run runs k in the background until the returned function is called.
func run(t *testing.T, k *grant.Keeper) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }() // ends with ctx
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func strategy(s grant.Strategy) func(*grant.Config) {
	return func(c *grant.Config) { c.Strategy = func(identity.TenantID) grant.Strategy { return s } }
}

func TestLastUsesAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		stop := run(t, k)
		used := func(want time.Time) {
			t.Helper()
			row, err := r.db.GrantGet(t.Context(), id)
			if err != nil || !row.Used.Equal(want.Truncate(time.Minute)) {
				t.Errorf("last used %v, %v; want %v", row.Used, err, want.Truncate(time.Minute))
			}
		}
		time.Sleep(10*time.Minute + time.Second)
		r.token(k, ada)
		at := time.Now()
		time.Sleep(time.Minute)
		used(at)
		time.Sleep(5*time.Minute + time.Second)
		r.token(k, ada)
		at = time.Now()
		stop() // writes what is left
		used(at)
		_, err := k.Token(t.Context(), ada, acme)
		if err != nil {
			t.Errorf("a token that needs no refresh, after the end: %v", err)
		}
		time.Sleep(2 * time.Hour)
		_, err = k.Token(t.Context(), ada, acme)
		wantCode(t, err, usererr.Unavailable)
		r.wantPosts(0)
	})
}

func TestProactiveGrantsAreFreshWhenNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		replicas := []*grant.Keeper{r.keeper(strategy(grant.Proactive)), r.keeper(strategy(grant.Proactive))}
		for i := range 20 {
			r.consent(replicas[0], identity.PersonID(fmt.Sprintf("p_%d", i)))
		}
		shown, err := replicas[0].Describe(t.Context(), "p_1", acme)
		if left := shown.TokenExpires.Sub(shown.NextRefresh); err != nil || left < time.Minute || left > 8*time.Minute {
			t.Errorf("the next refresh is %v before the expiry, %v; want 1 to 8 minutes", left, err)
		}
		stops := []func(){run(t, replicas[0]), run(t, replicas[1])}
		time.Sleep(time.Hour)
		r.wantPosts(20)
		for i := range 20 {
			if token := r.token(replicas[1], identity.PersonID(fmt.Sprintf("p_%d", i))); token.Version != 2 {
				t.Errorf("p_%d: version %d; want 2", i, token.Version)
			}
		}
		r.wantPosts(20)
		for _, stop := range stops {
			stop()
		}
		if r.endpoint.reused != 0 {
			t.Errorf("%d refresh tokens were spent twice", r.endpoint.reused)
		}
	})
}

func TestGrantsThatNobodyUses(t *testing.T) {
	tests := []struct {
		strategy  grant.Strategy
		days      int
		low, high int // refreshes
	}{
		{grant.Lazy, 10, 0, 0},
		{grant.Proactive, 10, 5, 8},   // on the day of the consent
		{grant.KeepAlive, 130, 7, 10}, // and after 60 and 120 days
	}
	for _, test := range tests {
		t.Run(string(test.strategy), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				k := r.keeper(strategy(test.strategy))
				r.consent(k, ada)
				// Looking each minute for months takes long, so the vault is up
				// for some hours of some days only.
				for day := range test.days {
					up := time.Duration(0)
					if day < 2 {
						up = 6 * time.Hour
					} else if day%20 < 2 {
						up = time.Hour
					}
					if up > 0 {
						stop := run(t, r.keeper(strategy(test.strategy)))
						time.Sleep(up)
						stop()
					}
					time.Sleep(24*time.Hour - up)
				}
				if n := r.endpoint.count(); n < test.low || n > test.high {
					t.Errorf("%d refreshes in %d days; want %d to %d", n, test.days, test.low, test.high)
				}
			})
		})
	}
}

func TestAShutdownWaitsForTheRefreshUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		r.endpoint.set(func(context.Context, string) error { time.Sleep(2 * time.Second); return nil }, nil)
		time.Sleep(2 * time.Hour)
		stop := run(t, k)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := k.Token(ctx, ada, acme)
		wantCode(t, err, usererr.Timeout)
		stop()
		if row, err := r.db.GrantGet(t.Context(), id); err != nil || row.Version != 2 || row.Claim != "" {
			t.Errorf("after the end: version %d, claim %q, %v; want the pair stored", row.Version, row.Claim, err)
		}
	})
}

// Waiting for a claim that a dead replica holds must not keep the vault from
// stopping.
func TestAShutdownDoesNotWaitForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		time.Sleep(2 * time.Hour)
		if _, err := r.db.GrantClaim(t.Context(), grant.Claim{Grant: id, Version: 1, By: "dead", At: time.Now(), Until: time.Now().Add(20 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		stop := run(t, k)
		waiting := make(chan error, 1)
		go func() { // ends with the keeper
			_, err := k.Token(t.Context(), ada, acme)
			waiting <- err
		}()
		time.Sleep(time.Second)
		start := time.Now()
		stop()
		if took := time.Since(start); took > time.Second {
			t.Errorf("stopped after %v", took)
		}
		wantCode(t, <-waiting, usererr.Unavailable)
		r.wantPosts(0)
	})
}

// TestTokensAreNowhereElse drives every path with tokens that can be found
// again, and looks for them.
func TestTokensAreNowhereElse(t *testing.T) {
	synctest.Test(t, testTokensAreNowhereElse)
}

func testTokensAreNowhereElse(t *testing.T) {
	dir := t.TempDir()
	r := newRig(t)
	db, err := store.Open(t.Context(), "sqlite:vault.db", dir)
	if err != nil {
		t.Fatal(err)
	}
	r.db = db
	r.endpoint.life = time.Second
	k := r.keeper()
	var seen strings.Builder
	note := func(what any, err error) {
		fmt.Fprintf(&seen, "%+v %#v %v %s\n", what, what, err, usererr.Text(err, ""))
	}
	note(k.Put(t.Context(), grant.Grant{Person: ada, Tenant: acme}, grant.Tokens{Access: r.endpoint.tokens().Access}))
	r.consent(k, ada)
	token := r.token(k, ada)
	note(token, nil)
	note(k.Rejected(t.Context(), token))
	note(k.Describe(t.Context(), ada, acme))
	note(k.List(t.Context()))
	r.endpoint.set(func(context.Context, string) error { return errGone }, nil)
	time.Sleep(time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	note(k.Token(ctx, ada, acme))
	cancel()
	k.Close()
	r.endpoint.set(func(context.Context, string) error { return fmt.Errorf("no: %w", grant.ErrRefused) }, nil)
	k = r.keeper()
	note(k.Token(t.Context(), ada, acme))
	note(k.Describe(t.Context(), ada, acme))
	row, err := db.GrantFind(t.Context(), ada, acme)
	note(row, err)
	note(nil, errors.Join(k.Revoke(t.Context(), row.ID), db.Close()))
	fmt.Fprint(&seen, r.log, r.happened())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal("no database", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(data)
	}
	if at := strings.Index(seen.String(), canary); at >= 0 {
		t.Errorf("a token was seen: …%q…", seen.String()[max(0, at-200):at+40])
	}
	if !strings.Contains(seen.String(), "grant.refused") {
		t.Error("the refusal was not reached")
	}
}
