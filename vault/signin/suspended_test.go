package signin_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestWhoIsSuspended hears whom to ask, gets no session, and signs in again
// once that is over.
func TestWhoIsSuspended(t *testing.T) {
	r := newRig(t, rigOptions{})
	signIn := func(d *device) (int, wire.Problem) {
		s, p := d.shim("one"), &person{r: r}
		_, onward := p.click(s.start().URL, "continue", nil)
		if status, text := p.get(p.atAtlassian(between(onward, `class="primary" href="`, `"`))); status != http.StatusSeeOther {
			t.Fatalf("the callback was answered %d %s", status, text)
		}
		back, err := url.Parse(p.last.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		return s.post(wire.LoginFinishPath, s.claim(back.Query()), new(wire.LoginFinished))
	}
	d, other := r.device(), r.device()
	if status, problem := signIn(d); status != http.StatusOK {
		t.Fatalf("at first: %d %+v", status, problem)
	}
	s, err := r.keeper.Current(t.Context(), d.id)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	if _, err := r.db.PersonSuspend(t.Context(), s.Person, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	status, problem := signIn(other)
	if status != http.StatusForbidden || !strings.Contains(problem.Message, "suspended") || !strings.Contains(problem.Hint, "administrator") {
		t.Errorf("suspended: %d %+v", status, problem)
	}
	for _, id := range []identity.DeviceID{d.id, other.id} {
		if _, err := r.keeper.Current(t.Context(), id); err == nil {
			t.Error("there is a session")
		}
	}
	if !slices.Contains(r.events(), "login.failed") {
		t.Errorf("on record: %v", r.events())
	}
	if _, err := r.db.PersonSuspend(t.Context(), s.Person, now, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if status, problem := signIn(r.device()); status != http.StatusOK {
		t.Errorf("after that: %d %+v", status, problem)
	}
}
