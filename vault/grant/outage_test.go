package grant_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// sameRefresh is a token endpoint that answers without a refresh token.
type sameRefresh struct{ *endpoint }

func (s sameRefresh) Refresh(ctx context.Context, tenant identity.TenantID, refresh secret.String) (grant.Tokens, error) {
	tokens, err := s.endpoint.Refresh(ctx, tenant, refresh)
	tokens.Refresh = secret.String{}
	return tokens, err
}

func TestAHiccupIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		tries := 0
		r.endpoint.set(func(context.Context, string) error {
			switch tries++; tries {
			case 1:
				return errGone
			case 2: // whatever it calls itself
				return usererr.New(usererr.Unavailable, "busy", "")
			}
			return nil
		}, nil)
		time.Sleep(2 * time.Hour)
		r.want(r.token(k, ada), 2)
		r.wantPosts(3)
	})
}

// While the token endpoint is down it is not hammered, calls get a clear
// answer in bounded time, and work again soon after it came back.
func TestAnOutageOfTheTokenEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		id := r.consent(k, ada)
		r.endpoint.set(func(context.Context, string) error { return errGone }, nil)
		time.Sleep(2 * time.Hour)
		for until := time.Now().Add(20 * time.Minute); time.Now().Before(until); time.Sleep(2 * time.Second) {
			start := time.Now()
			_, err := k.Token(t.Context(), ada, acme)
			wantCode(t, err, usererr.Unavailable)
			if took := time.Since(start); took > 10*time.Second {
				t.Fatalf("an answer after %v", took)
			}
		}
		if posts := r.endpoint.count(); posts < 20 || posts > 110 {
			t.Errorf("%d posts in 20 minutes of outage; want one in 15 to 30 s", posts)
		}
		if row, err := r.db.GrantGet(t.Context(), id); err != nil || row.State != grant.Live || row.Claim != "" || row.LastError == "" {
			t.Errorf("after the outage: %+v, %v; want live, no claim, the reason", row.Grant, err)
		}
		r.endpoint.set(nil, nil)
		time.Sleep(30 * time.Second)
		r.token(k, ada)
		if row, err := r.db.GrantGet(t.Context(), id); err != nil || row.LastError != "" || !row.IntentAt.IsZero() {
			t.Errorf("after the recovery: %+v, %v; want no error and no intent", row.Grant, err)
		}
	})
}

func TestTheOldTokenServesWhileItLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		r.endpoint.set(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }, nil)
		time.Sleep(time.Hour - 50*time.Second) // due, and still good
		for range 20 {
			start := time.Now()
			r.want(r.token(k, ada), 1)
			if took := time.Since(start); took > time.Second {
				t.Errorf("the old token came after %v", took)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		_, err := k.Token(t.Context(), ada, acme)
		wantCode(t, err, usererr.Unavailable)
	})
}

// One tenant's endpoint being down is noticed from different people's grants
// and spares all of them.
func TestManyFailuresSpareTheTokenEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		people := make([]identity.PersonID, 200)
		for i := range people {
			people[i] = identity.PersonID(fmt.Sprintf("p_%d", i))
			r.consent(k, people[i])
		}
		r.endpoint.set(func(context.Context, string) error { return errGone }, nil)
		time.Sleep(2 * time.Hour)
		for range 3 {
			for _, person := range people {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				_, _ = k.Token(ctx, person, acme)
				cancel()
			}
		}
		if posts := r.endpoint.count(); posts > 120 { // when they are tried again is random
			t.Errorf("%d posts for 600 calls in a minute of outage", posts)
		}
	})
}

func TestShortLivedTokensAreNotRefreshedEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.endpoint.life = 3 * time.Second
		k := r.keeper()
		r.consent(k, ada)
		for range 300 {
			if token := r.token(k, ada); time.Until(token.Expires) <= 0 {
				t.Error("a dead token")
			}
			time.Sleep(100 * time.Millisecond)
		}
		if posts := r.endpoint.count(); posts < 10 || posts > 16 {
			t.Errorf("%d refreshes in 30 s of tokens that live 3 s; want about 15", posts)
		}
	})
}

func TestARejectedTokenIsExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k, other := r.keeper(), r.keeper()
		r.consent(k, ada)
		first := r.token(k, ada)
		r.want(r.token(other, ada), 1)
		for _, token := range many(t, 100, func(int) (grant.Token, error) { return k.Rejected(t.Context(), first) }) {
			r.want(token, 2)
		}
		r.wantPosts(1)
		second, err := other.Rejected(t.Context(), first) // knows nothing of it yet
		if err != nil {
			t.Fatal(err)
		}
		r.want(second, 2)
		r.want(r.token(other, ada), 2)
		r.wantPosts(1)
	})
}

// Confluence rejects whatever the token endpoint issues.
func TestTokensThatAreDeadOnArrivalMakeNoStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		r.consent(k, ada)
		token := r.token(k, ada)
		var err error
		for range 100 {
			var next grant.Token
			if next, err = k.Rejected(t.Context(), token); err == nil {
				token = next
			}
		}
		wantCode(t, err, usererr.Unavailable)
		r.wantPosts(6)
		time.Sleep(2 * time.Minute)
		if _, err := k.Rejected(t.Context(), token); err != nil {
			t.Errorf("two minutes later: %v", err)
		}
	})
}

// TestNoCrashLosesAGrant lets two replicas die at random points, again and
// again, always within the leeway.
func TestNoCrashLosesAGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		seed := uint64(time.Now().UnixNano())
		dice := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test that can be repeated
		t.Logf("seed %d", seed)
		lost := 0
		r.endpoint.set(
			func(context.Context, string) error { // lost on the way there
				if dice.IntN(5) == 0 {
					return errGone
				}
				return nil
			},
			func(context.Context) error { // lost on the way back
				if dice.IntN(5) == 0 {
					lost++
					return errGone
				}
				return nil
			})
		crash := &flaky{RefreshStore: r.db}
		crash.claim = func(ctx context.Context, c grant.Claim) (grant.Row, error) {
			row, err := r.db.GrantClaim(ctx, c)
			if err == nil && dice.IntN(10) == 0 {
				return row, errGone
			}
			return row, err
		}
		crash.refreshed = func(ctx context.Context, row grant.Row, claim string) error {
			switch dice.IntN(10) {
			case 0:
				return errGone // not stored
			case 1:
				return errors.Join(errGone, r.db.GrantRefreshed(ctx, row, claim)) // stored, but the answer is lost
			}
			return r.db.GrantRefreshed(ctx, row, claim)
		}
		replicas := []*grant.Keeper{r.keeper(with(crash)), r.keeper(with(crash))}
		r.consent(replicas[0], ada)
		for range 60 {
			time.Sleep(2 * time.Hour)
			var err error
			for try := range 20 { // a client asks again
				if _, err = replicas[try%2].Token(t.Context(), ada, acme); err == nil {
					break
				}
				wantCode(t, err, usererr.Unavailable)
				time.Sleep(10 * time.Second)
			}
			if err != nil {
				t.Fatalf("no token: %v", err)
			}
		}
		if lost == 0 {
			t.Error("the dice never lost an answer")
		}
	})
}
