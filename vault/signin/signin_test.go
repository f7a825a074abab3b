package signin_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

func TestSigningIn(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().shim("one")
	started := s.start()
	if !started.Open || !strings.HasPrefix(started.URL, r.url+wire.LoginPagePrefix) {
		t.Fatalf("the start was answered %+v", started)
	}
	page := r.consent(started.URL, "ada", true)
	done, problem := s.finish()
	if !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	if text := wait(t, page); !strings.Contains(text, "You are signed in") || !strings.Contains(text, "Ada") {
		t.Errorf("the last page is %s", text)
	}
	sessions, err := r.keeper.List(t.Context())
	if err != nil || len(sessions) != 1 || sessions[0].Device != s.id || sessions[0].Shown.Host != "ada-laptop" ||
		sessions[0].Shown.OS != "linux" || sessions[0].Shown.Version != "v1" || sessions[0].Shown.KeyClass != "file" {
		t.Fatalf("the sessions are %+v, %v", sessions, err)
	}
	token, err := r.grants.Token(t.Context(), sessions[0].Person, "acme")
	if err != nil || token.Value.Empty() {
		t.Fatalf("the grant gave %v, %v", token, err)
	}
	if len(token.Sites) != 1 || token.Sites[0].Name != "wiki" || token.Sites[0].CloudID != r.sim.CloudID("acme") {
		t.Errorf("the grant reaches %+v", token.Sites)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]wire.LoginDone{{OK: true}}, r.streams.told()); diff != "" {
		t.Errorf("the streams were told (-want +got):\n%s", diff)
	}
	r.leaks(s.verifier)
	if status, problem := s.post(wire.LogoutPath, struct{}{}, nil); status != http.StatusNoContent {
		t.Errorf("logging out answered %d %+v", status, problem)
	}
	if !slices.Contains(r.events(), "session.ended") {
		t.Errorf("logging out is not on record: %v", r.events())
	}
	if status, _ := s.post(wire.LogoutPath, struct{}{}, nil); status != http.StatusNoContent {
		t.Errorf("logging out twice answered %d", status)
	}
}

// TestLoggingOutEverywhere needs a device that somebody is signed in on, and
// says whose sessions end.
func TestLoggingOutEverywhere(t *testing.T) {
	var ended []session.Session
	r := newRig(t, rigOptions{everywhere: func(_ context.Context, s session.Session, _ string) (wire.LoggedOut, error) {
		ended = append(ended, s)
		return wire.LoggedOut{Everywhere: true, Sessions: 2, Grants: 1}, nil
	}})
	s := r.device().shim("one")
	if status, problem := s.post(wire.LogoutPath, wire.Logout{Everywhere: true}, nil); status != http.StatusNotFound || len(ended) > 0 {
		t.Errorf("a guest got %d %+v", status, problem)
	}
	page := r.consent(s.start().URL, "ada", true)
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	wait(t, page)
	var done wire.LoggedOut
	if status, problem := s.post(wire.LogoutPath, wire.Logout{Everywhere: true}, &done); status != http.StatusOK || done != (wire.LoggedOut{Everywhere: true, Sessions: 2, Grants: 1}) {
		t.Errorf("it answered %d %+v %+v", status, problem, done)
	}
	if len(ended) != 1 || ended[0].Device != s.id || ended[0].Person == "" {
		t.Errorf("it ended %+v", ended)
	}
}
