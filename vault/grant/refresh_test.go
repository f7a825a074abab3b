package grant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// flaky is a refresh store with a function for each crash point. A nil
// function leaves the real store to it.
type flaky struct {
	grant.RefreshStore
	claim     func(ctx context.Context, c grant.Claim) (grant.Row, error)
	refreshed func(ctx context.Context, r grant.Row, claim string) error
	failed    func() error
}

func (f *flaky) GrantClaim(ctx context.Context, c grant.Claim) (grant.Row, error) {
	if f.claim != nil {
		return f.claim(ctx, c)
	}
	return f.RefreshStore.GrantClaim(ctx, c)
}

func (f *flaky) GrantRefreshed(ctx context.Context, r grant.Row, claim string) error {
	if f.refreshed != nil {
		return f.refreshed(ctx, r, claim)
	}
	return f.RefreshStore.GrantRefreshed(ctx, r, claim)
}

func (f *flaky) GrantFailed(ctx context.Context, id identity.GrantID, claim string, state grant.State, lastError string) error {
	if f.failed != nil {
		return f.failed()
	}
	return f.RefreshStore.GrantFailed(ctx, id, claim, state, lastError)
}

func with(f *flaky) func(*grant.Config) {
	return func(c *grant.Config) { c.Refreshes = f }
}

// many calls in parallel and returns the results of all.
func many(t *testing.T, n int, call func(i int) (grant.Token, error)) []grant.Token {
	t.Helper()
	tokens := make([]grant.Token, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			var err error
			if tokens[i], err = call(i); err != nil {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	group.Wait()
	return tokens
}

var errGone = errors.New("connection reset")

func TestAHundredCallsMakeOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		r.endpoint.set(func(ctx context.Context, _ string) error { time.Sleep(time.Second); return nil }, nil)
		time.Sleep(2 * time.Hour)
		for _, token := range many(t, 100, func(int) (grant.Token, error) { return k.Token(t.Context(), ada, acme) }) {
			r.want(token, 2)
		}
		r.wantPosts(1)
	})
}

func TestReplicasMakeOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		replicas := []*grant.Keeper{r.keeper(), r.keeper(), r.keeper()}
		r.consent(replicas[0], ada)
		r.endpoint.set(func(context.Context, string) error { time.Sleep(time.Second); return nil }, nil)
		for round := range 10 {
			time.Sleep(2 * time.Hour)
			for _, token := range many(t, 60, func(i int) (grant.Token, error) { return replicas[i%3].Token(t.Context(), ada, acme) }) {
				r.want(token, round+2)
			}
			r.wantPosts(round + 1)
		}
		if r.endpoint.reused != 0 {
			t.Errorf("%d refresh tokens were spent twice", r.endpoint.reused)
		}
	})
}

func TestTheRefreshOutlivesTheCallThatStartedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		r.endpoint.set(func(ctx context.Context, _ string) error {
			time.Sleep(2 * time.Second)
			return ctx.Err()
		}, nil)
		time.Sleep(2 * time.Hour)
		var group sync.WaitGroup
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := k.Token(ctx, ada, acme)
			wantCode(t, err, usererr.Timeout)
		})
		time.Sleep(500 * time.Millisecond)
		r.want(r.token(k, ada), 2)
		group.Wait()
		r.wantPosts(1)
	})
}

// A process died after its claim and before it sent anything.
func TestACrashAfterTheClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		time.Sleep(2 * time.Hour)
		if _, err := r.db.GrantClaim(t.Context(), grant.Claim{Grant: id, Version: 1, By: "dead", At: time.Now(), Until: time.Now().Add(20 * time.Second)}); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		r.want(r.token(k, ada), 2)
		if waited := time.Since(start); waited < 20*time.Second || waited > 21*time.Second {
			t.Errorf("waited %v; want until the dead claim ended after 20s", waited)
		}
		r.wantPosts(1)
		if !strings.Contains(r.log.String(), "may have been sent before") {
			t.Error("the log does not say that a refresh token may have been sent before")
		}
	})
}

// A process died after the token endpoint had answered and before the pair was
// stored: the rotated pair is lost.
func TestACrashBeforeTheStore(t *testing.T) {
	tests := map[string]struct {
		later time.Duration
		code  usererr.Code
	}{
		"inside the leeway":  {5 * time.Minute, ""},
		"outside the leeway": {15 * time.Minute, usererr.SignIn},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				dead := &flaky{
					RefreshStore: r.db, failed: func() error { return errGone },
					refreshed: func(context.Context, grant.Row, string) error { return errGone },
				}
				dying, k := r.keeper(with(dead)), r.keeper()
				id := r.consent(k, ada)
				time.Sleep(2 * time.Hour)
				_, err := dying.Token(t.Context(), ada, acme)
				wantCode(t, err, usererr.Unavailable)
				r.wantPosts(1)
				time.Sleep(test.later)
				_, err = k.Token(t.Context(), ada, acme)
				wantCode(t, err, test.code)
				r.wantPosts(2)
				row, err := r.db.GrantGet(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if want := test.code == usererr.SignIn; want != (row.State == grant.SignInAgain) || row.Key == nil || row.Refresh == nil {
					t.Errorf("state %s, key %v: want the sealed bytes kept", row.State, row.Key != nil)
				}
			})
		})
	}
}

// The database fails after the endpoint answered, and recovers.
func TestAPairIsOfferedToTheStoreAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tries := 0
		slow := &flaky{RefreshStore: r.db}
		slow.refreshed = func(ctx context.Context, row grant.Row, claim string) error {
			if tries++; tries < 6 {
				return errGone
			}
			return r.db.GrantRefreshed(ctx, row, claim)
		}
		k := r.keeper(with(slow))
		r.consent(k, ada)
		time.Sleep(2 * time.Hour)
		r.want(r.token(k, ada), 2)
		r.wantPosts(1)
	})
}

// A machine that slept between claim and sending must not send: another
// replica may have rotated the token long ago, and a late one ends the family.
func TestALateProcessDoesNotSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stalls := 0
		asleep := &flaky{RefreshStore: r.db}
		asleep.claim = func(ctx context.Context, c grant.Claim) (grant.Row, error) {
			row, err := r.db.GrantClaim(ctx, c)
			if stalls++; stalls == 1 {
				time.Sleep(5 * time.Second)
				r.wantPosts(0)
			}
			return row, err
		}
		k := r.keeper(with(asleep))
		r.consent(k, ada)
		time.Sleep(2 * time.Hour)
		r.want(r.token(k, ada), 2)
		r.wantPosts(1)
		if stalls != 2 {
			t.Errorf("%d claims; want 2, the second of which sent", stalls)
		}
	})
}

func TestARefusalAsksForANewSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		old := r.consent(k, ada)
		r.endpoint.set(func(context.Context, string) error { return fmt.Errorf("invalid_grant: %w", grant.ErrRefused) }, nil)
		time.Sleep(2 * time.Hour)
		for range 3 {
			_, err := k.Token(t.Context(), ada, acme)
			wantCode(t, err, usererr.SignIn)
		}
		r.wantPosts(1) // a dead token is not sent again
		shown, err := k.Describe(t.Context(), ada, acme)
		wantCode(t, err, usererr.SignIn)
		if shown.ID != old || shown.State != grant.SignInAgain || shown.LastError == "" {
			t.Errorf("Describe = %+v; want the grant, sign-in-again, with the reason", shown)
		}
		r.endpoint.set(nil, nil)
		r.consent(k, ada)
		r.want(r.token(k, ada), 2)
		if row, err := r.db.GrantGet(t.Context(), old); err != nil || row.State != grant.Superseded || row.Key != nil {
			t.Errorf("the old grant: %s, key %v, %v; want superseded without key", row.State, row.Key != nil, err)
		}
		if diff := cmp.Diff([]string{"grant.issued", "grant.refused", "grant.superseded", "grant.issued"}, r.happened()); diff != "" {
			t.Errorf("events -want +got:\n%s", diff)
		}
	})
}

// Many refusals at once are an app that is configured wrongly, not many people
// who took their consent back.
func TestManyRefusalsTripTheBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		people := make([]identity.PersonID, 12)
		for i := range people {
			people[i] = identity.PersonID(fmt.Sprintf("p_%d", i))
			r.consent(k, people[i])
		}
		r.endpoint.set(func(context.Context, string) error { return fmt.Errorf("unauthorized_client: %w", grant.ErrRefused) }, nil)
		time.Sleep(2 * time.Hour)
		codes := map[usererr.Code]int{}
		for _, person := range people {
			_, err := k.Token(t.Context(), person, acme)
			codes[usererr.CodeOf(err)]++
		}
		if diff := cmp.Diff(map[usererr.Code]int{usererr.SignIn: 4, usererr.Unavailable: 8}, codes); diff != "" {
			t.Errorf("answers -want +got:\n%s", diff)
		}
		if n := strings.Count(r.log.String(), "ALARM"); n == 0 {
			t.Error("no alarm in the log")
		}
		time.Sleep(2 * time.Minute) // one refusal in that minute, but the breaker holds
		_, err := k.Token(t.Context(), people[11], acme)
		wantCode(t, err, usererr.Unavailable)
		r.endpoint.set(nil, nil)
		time.Sleep(time.Minute)
		for _, person := range people[4:] {
			r.token(k, person)
		}
	})
}

func TestARevocationDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		r.endpoint.set(nil, func(context.Context) error {
			if err := k.Revoke(t.Context(), id); err != nil {
				t.Error(err)
			}
			return nil
		})
		time.Sleep(2 * time.Hour)
		_, err := k.Token(t.Context(), ada, acme)
		wantCode(t, err, usererr.SignIn)
		row, err := r.db.GrantGet(t.Context(), id)
		if err != nil || row.State != grant.Revoked || row.Key != nil || row.Access != nil || row.Refresh != nil {
			t.Errorf("after the refresh: %s, key %v, %v; want a tombstone", row.State, row.Key != nil, err)
		}
		r.wantPosts(1)
	})
}

func TestANewConsentDuringARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		var fresh identity.GrantID
		r.endpoint.set(nil, func(context.Context) error { fresh = r.consent(k, ada); return nil })
		time.Sleep(2 * time.Hour)
		if token := r.token(k, ada); token.Grant != fresh || token.Version != 1 {
			t.Errorf("token of grant %s version %d; want of the new one %s", token.Grant, token.Version, fresh)
		}
		r.wantPosts(1)
	})
}

func TestATokenEndpointThatDoesNotRotate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.endpoint.leeway = 24 * time.Hour
		k := r.keeper(func(c *grant.Config) { c.Refresher = sameRefresh{r.endpoint} })
		r.consent(k, ada)
		for range 3 {
			time.Sleep(2 * time.Hour)
			r.token(k, ada)
		}
		if len(r.endpoint.spent) != 1 || r.endpoint.reused != 2 {
			t.Errorf("%d refresh tokens sent, %d again; want the same one three times", len(r.endpoint.spent), r.endpoint.reused)
		}
	})
}
