package atlassian_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/atlassian"
)

func TestRevoking(t *testing.T) {
	s := newServer(t)
	s.body = "<h1>" + canary + "</h1>" // RFC 7009 §2.2: what is in it does not matter
	if err := s.app(t).Revoke(t.Context(), secret.New("the-refresh")); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"token": {"the-refresh"}, "token_type_hint": {"refresh_token"}, "client_id": {"id"}, "client_secret": {"the-secret-" + canary}}
	if diff := cmp.Diff(want, s.form); diff != "" {
		t.Errorf("the form (-want +got):\n%s", diff)
	}
	for _, status := range []int{400, 401, 403, 404, 429, 500, 302} {
		s.status = status
		err := s.app(t).Revoke(t.Context(), secret.New("the-refresh-"+canary))
		if err == nil {
			t.Errorf("%d counts as done", status)
		}
		clean(t, err)
	}
	if s.calls != 8 {
		t.Errorf("%d calls for 8 revocations", s.calls)
	}
}

func TestRevokingWhereThatIsNotPossible(t *testing.T) {
	s := newServer(t)
	cfg := s.config()
	cfg.Token = s.URL + "/token"
	app, err := atlassian.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Revoke(t.Context(), secret.New(canary)); !errors.Is(err, atlassian.ErrNoRevocation) || s.calls != 0 {
		t.Errorf("without an endpoint: %v, %d calls", err, s.calls)
	}
	cfg.Revoke = "http://elsewhere.example/revoke"
	if _, err := atlassian.New(cfg); err == nil {
		t.Error("tokens would go out in plain text")
	}
	// Whoever is silent is not waited for.
	s.serve = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err = s.app(t).Revoke(ctx, secret.New(canary))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent server: %v", err)
	}
	clean(t, err)
}
