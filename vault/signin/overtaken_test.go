package signin_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
)

// TestALogoutOvertakesALogin: what the company ends while the browser is under
// way gets no session; who signs in anew does.
func TestALogoutOvertakesALogin(t *testing.T) {
	for name, order := range map[string]map[string]any{
		"the person": {"sub": "ada-1"}, "the person's session": {"sub": "ada-1", "sid": "sid-1"}, "a session": {"sid": "sid-1"},
	} {
		t.Run(name, func(t *testing.T) {
			idp := oidctest.New(t, "", adas())
			r := newRig(t, rigOptions{idp: idp})
			r.first(r.device(), idp) // whose grant lives
			s, p := r.device().shim("two"), &person{r: r}
			_, text := p.visit(idp, s.start().URL)
			if status, text := (&person{r: r}).do(http.MethodPost, r.url+oidc.LogoutPath, url.Values{"logout_token": {idp.Logout(order)}}, nil); status != http.StatusOK {
				t.Fatalf("the logout was answered %d %s", status, text)
			}
			if done, problem := p.home(s, text); done.OK || problem.Code != "denied" || !strings.Contains(problem.Message, "was ended while you signed in") {
				t.Errorf("finishing: %+v, %+v", done, problem)
			}
			if _, err := r.keeper.Current(t.Context(), s.id); err == nil {
				t.Error("there is a session")
			}
			if events := r.events(); events[len(events)-1] != "login.failed" {
				t.Errorf("the records are %v", events)
			}
			idp.Set(forge("iat", time.Now().Add(2*time.Second).Unix()))
			s = r.device().shim("three")
			_, text = p.visit(idp, s.start().URL)
			if done, problem := p.home(s, text); !done.OK {
				t.Errorf("signing in anew: %+v", problem)
			}
		})
	}
}
