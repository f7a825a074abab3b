package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// account is somebody at the company's identity provider.
type account struct {
	ID       string   `json:"id"`
	Name     string   `json:"name,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
}

// company is a world whose people sign in with a third-party identity provider.
type company struct {
	*world
	issuer string
}

// newCompany starts three vaults first: the provider may be away then.
func newCompany(t *testing.T, opt stage.Options) *company {
	t.Helper()
	npm := testenv.NPM(t)
	address, err := stage.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &company{issuer: "http://" + address}
	opt.Tenant = "    groups: [wiki-users]\n"
	opt.Settings += fmt.Sprintf(`identity:
  oidc: {issuer: %q, client_id: vault, client_secret: "env:ACME_COMPANY_SECRET", recheck: 2s}
  roles: {auditor: [staff], administrator: [vault-admins]}
  step_up: {tools: [confluence_create_page], max_age: 5m, acr: [mfa]}
`, c.issuer)
	c.world = newReplicas(t, newPostgres(t), opt)
	_, port, _ := strings.Cut(address, ":")
	config, err := json.Marshal(map[string]any{"npm": npm, "port": port, "vault": c.VaultURL, "secret": stage.CompanySecret, "people": []account{
		{ID: "ada", Name: "Ada Berger", Groups: []string{"staff", "wiki-users"}}, {ID: "eve", Name: "Eve Guest", Groups: []string{"guests"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(testenv.Root(), "internal", "e2e", "testdata", "provider.mjs"), string(config))
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the identity provider said:\n%s", &said)
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			return c
		}
	}
	t.Fatalf("the identity provider did not start: %s", &said)
	return nil
}

// change changes an account at the provider.
func (c *company) change(a account) {
	c.t.Helper()
	body, err := json.Marshal(a)
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := http.Post(c.issuer+"/test/account", "application/json", bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	_ = res.Body.Close()
}

// ask calls a tool on a laptop and returns its text once it answers.
func (c *company) ask(call1 func(ctx context.Context) (string, error)) <-chan string {
	answer := make(chan string, 1)
	go func() {
		text, err := call1(c.t.Context())
		answer <- fmt.Sprintf("%s %v", text, err)
	}()
	return answer
}

func (c *company) opened(n int) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	address, err := c.WaitOpened(ctx, n)
	if err != nil {
		c.t.Fatal(err)
	}
	return address
}

// audited counts records of an event.
func (c *company) audited(event string) int {
	c.t.Helper()
	return strings.Count(c.vault("audit", "list", "--last", "500"), " "+event)
}

// TestTheCompanysSignIn goes through a third-party identity provider in a real
// browser, to whichever of three vaults comes next: a first device with Atlassian's consent, a second one without, a
// call that needs a second factor, administration by a device's key, somebody of
// no group, and an account that loses its group.
func TestTheCompanysSignIn(t *testing.T) {
	t.Parallel()
	b := chromium(t)
	c := newCompany(t, stage.Options{})
	spaces := func(laptop string) func(ctx context.Context) (string, error) {
		s := c.connect(c.laptop(laptop), nil)
		return func(ctx context.Context) (string, error) { return call(ctx, s, "confluence_list_spaces", nil) }
	}

	answer := c.ask(spaces("ada"))
	b.do(chromedp.Navigate(c.opened(1)))
	b.heading("Connect Confluence on", "company-consent")
	b.press("button.primary")
	b.do(chromedp.WaitVisible(chromedp.CSS("button.company[value=ada]")))
	b.shoot("company-provider")
	b.press("button.company[value=ada]")
	b.press("button[value=ada]:not(.company)") // at Atlassian
	b.press("button[value=allow]")
	b.heading("You are signed in", "company-success")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "ENG") {
		t.Fatalf("the first device was answered %q", text)
	}

	// The second device asks neither the company nor Atlassian.
	second := c.connect(c.laptop("ada-too"), nil)
	answer = c.ask(func(ctx context.Context) (string, error) { return call(ctx, second, "confluence_list_spaces", nil) })
	tokens := len(c.Sim.TokenRequests())
	b.do(chromedp.Navigate(c.opened(2)))
	b.heading("Connect Confluence on", "company-second")
	b.press("button.primary")
	b.heading("You are signed in", "company-second-success")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "ENG") || len(c.Sim.TokenRequests()) != tokens {
		t.Fatalf("the second device was answered %q, after %d requests for tokens", text, len(c.Sim.TokenRequests())-tokens)
	}
	if grants := c.vault("grants", "list"); strings.Count(grants, " live") != 1 {
		t.Errorf("grants: %s", grants)
	}

	// Writing needs a second factor, which the password alone is not.
	write := func(title string) <-chan string {
		return c.ask(func(ctx context.Context) (string, error) {
			return call(ctx, second, "confluence_create_page", map[string]any{"space": "ENG", "title": title, "body": "text"})
		})
	}
	answer = write("Without a second factor")
	b.do(chromedp.Navigate(c.opened(3)))
	b.heading("Confirm that it is you", "company-stepup")
	b.press("button.primary")
	b.press("button.company[value=ada]")
	b.heading("Sign-in did not complete", "company-stepup-refused")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "second factor") || strings.Contains(text, "created") {
		t.Errorf("without a second factor: %q", text)
	}
	answer = write("With a second factor")
	b.do(chromedp.Navigate(c.opened(4)))
	b.heading("Confirm that it is you", "company-stepup-again")
	b.press("button.primary")
	b.press("input[name=factor]")
	b.press("button.company[value=ada]")
	b.heading("Thank you", "company-stepup-success")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "With a second factor") || !strings.HasSuffix(text, "<nil>") {
		t.Errorf("with a second factor: %q", text)
	}
	// It is remembered.
	if text := within(t, write("Once more"), 30*time.Second); !strings.HasSuffix(text, "<nil>") {
		t.Errorf("after the second factor: %q", text)
	}

	c.administers("ada")

	// Who logs out at the company is logged out of both devices.
	b.do(chromedp.Navigate(c.issuer + "/session/end"))
	b.press("button[name=logout]")
	c.until("both devices are logged out", func() bool { return !strings.Contains(c.vault("sessions", "list"), " live ") })
	// A record comes before the end that it tells of, so two vaults that learn of
	// one logout may both make one, but no session ends without.
	revoked := map[string]bool{}
	for _, line := range strings.Split(c.vault("audit", "list", "--event", "session.revoked", "--json"), "\n") {
		var record struct{ Entry struct{ Session string } }
		if json.Unmarshal([]byte(line), &record) == nil && record.Entry.Session != "" {
			revoked[record.Entry.Session] = true
		}
	}
	if len(revoked) != 2 {
		t.Errorf("the ends of %d sessions are on record, want 2", len(revoked))
	}

	c.strangers(b, spaces("eve"))
	c.fall(b, spaces("ada"))
	if out := c.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		t.Errorf("audit: %s", out)
	}
}

// until waits for something that takes a moment.
func (c *company) until(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("it did not come so far: %s", what)
		}
	}
}

// strangers are people of the company who are in no group of the tenant.
func (c *company) strangers(b *tab, call func(context.Context) (string, error)) {
	c.t.Helper()
	answer := c.ask(call)
	b.do(chromedp.Navigate(c.opened(5)))
	b.heading("Connect Confluence on", "company-stranger")
	b.press("button.primary")
	b.press("button.company[value=eve]")
	b.heading("Sign-in did not complete", "company-no-group")
	if text := within(c.t, answer, 30*time.Second); !strings.Contains(text, "groups") || strings.Contains(text, "ENG") {
		c.t.Errorf("somebody of no group was answered %q", text)
	}
	b.do(chromedp.Navigate(c.issuer + "/session/end"))
	b.press("button[name=logout]")
}

// fall is what becomes of a person who loses the group while signed in.
func (c *company) fall(b *tab, call func(context.Context) (string, error)) {
	c.t.Helper()
	answer := c.ask(call)
	b.do(chromedp.Navigate(c.opened(6)))
	b.heading("Connect Confluence on", "company-back")
	b.press("button.primary")
	b.press("button.company[value=ada]")
	b.heading("You are signed in", "company-back-success") // without Atlassian
	if text := within(c.t, answer, 30*time.Second); !strings.Contains(text, "ENG") {
		c.t.Fatalf("signing in again was answered %q", text)
	}
	time.Sleep(5 * time.Second) // twice as long as between two looks at the company
	if !strings.Contains(c.vault("sessions", "list"), " live ") {
		c.t.Error("the session ended although nothing changed at the company")
	}
	c.change(account{ID: "ada", Groups: []string{"staff"}})
	c.until("the person without the group is out", func() bool {
		return !strings.Contains(c.vault("sessions", "list"), " live ") && !strings.Contains(c.vault("grants", "list"), " live")
	})
	if n := c.audited("person.expelled"); n != 1 {
		c.t.Errorf("%d expulsions are on record, want 1", n)
	}
}
