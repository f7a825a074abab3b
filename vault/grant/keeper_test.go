package grant_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
)

func wantCode(t *testing.T, err error, code usererr.Code) {
	t.Helper()
	if got := usererr.CodeOf(err); got != code {
		t.Errorf("error %v has code %q; want %q", err, got, code)
	}
}

func TestATokenIsGivenAndRefreshedWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		k := r.keeper()
		_, err := k.Token(t.Context(), ada, acme)
		wantCode(t, err, usererr.SignIn)
		id := r.consent(k, ada)
		first := r.token(k, ada)
		r.want(first, 1)
		if first.Grant != id || first.Version != 1 || len(first.Sites) != 1 || first.Person != ada || first.Tenant != acme {
			t.Errorf("token of the wrong grant: %+v", first)
		}
		time.Sleep(58 * time.Minute)
		r.want(r.token(k, ada), 1)
		r.wantPosts(0)
		time.Sleep(time.Minute + time.Second)
		second := r.token(k, ada)
		r.want(second, 2)
		if second.Version != 2 {
			t.Errorf("version %d; want 2", second.Version)
		}
		r.want(r.token(k, ada), 2)
		r.wantPosts(1)
		if diff := cmp.Diff([]string{"grant.issued", "grant.refreshed"}, r.happened()); diff != "" {
			t.Errorf("events -want +got:\n%s", diff)
		}
	})
}

func TestTokensOfAnotherPersonOrTenantAreNotGiven(t *testing.T) {
	r := newRig(t)
	k := r.keeper()
	r.consent(k, ada)
	r.token(k, ada)
	_, err := k.Token(t.Context(), "p_eve", acme)
	wantCode(t, err, usererr.SignIn)
	_, err = k.Token(t.Context(), ada, "other")
	wantCode(t, err, usererr.SignIn)
	if !errors.Is(err, grant.ErrNone) {
		t.Errorf("error %v; want ErrNone in it", err)
	}
}
