package signin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
)

// tab is a page of a real browser that notes what the browser complains about.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp's way to name a tab
	dir string          // where pictures go, for somebody who wants to look; "" for nowhere

	mu         sync.Mutex
	complaints []string // guarded by mu
}

// profile opens a tab that shares nothing with others, as somebody else's
// browser would.
func profile(t *testing.T, running context.Context) *tab {
	t.Helper()
	ctx, endTab := chromedp.NewContext(running, chromedp.WithNewBrowserContext())
	b := &tab{t: t, ctx: ctx, dir: os.Getenv("COATCHECK_SCREENSHOTS")}
	messages := chromedp.Console(ctx)
	heard := make(chan struct{})
	go func() { // ends with the tab
		defer close(heard)
		for m, err := range messages {
			if err != nil {
				return
			}
			b.hear(m)
		}
	}()
	t.Cleanup(func() {
		endTab()
		<-heard
		b.noComplaints()
	})
	return b
}

func (b *tab) hear(m chromedp.ConsoleMessage) {
	// A page that says "not like this" has a status that says so too.
	if m.Source == "network" && strings.Contains(m.Text, "the server responded with a status of") && !strings.HasSuffix(m.URL, ".svg") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, m.String()+" "+m.URL)
}

// noComplaints fails the test if the browser complained, about a violation of
// the content security policy for example.
func (b *tab) noComplaints() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.complaints {
		b.t.Errorf("the browser complains: %s", text)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		at, _ := chromedp.Run(b.ctx, chromedp.Location())
		b.t.Fatalf("in the browser at %.60s: %v", at, err)
	}
}

// ask runs an action for its answer.
func ask[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
	return value
}

func (b *tab) open(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address), chromedp.WaitReady(chromedp.CSS("main")))
}

// heading waits for a page whose heading begins so.
func (b *tab) heading(begin string) {
	b.t.Helper()
	if err := browser.Heading(b.ctx, begin); err != nil {
		b.t.Fatal(err)
	}
}

// shoot checks that nothing sticks out, wide and narrow, light and dark, and
// takes pictures of it.
func (b *tab) shoot(name string) {
	b.t.Helper()
	for _, size := range []struct {
		name          string
		width, height int64
		mobile        bool
	}{{"desktop", 1280, 900, false}, {"phone", 360, 740, true}} {
		for _, scheme := range []string{"light", "dark"} {
			ask(b, metrics(emulation.SetDeviceMetricsOverrideParams{Width: size.width, Height: size.height, DeviceScaleFactor: 2, Mobile: size.mobile}))
			ask(b, media(scheme))
			wide := ask(b, chromedp.Evaluate[bool]("document.documentElement.scrollWidth > innerWidth"))
			if wide {
				b.t.Errorf("%s is wider than a %s", name, size.name)
			}
			if b.dir == "" {
				continue
			}
			picture := ask(b, chromedp.FullScreenshot(100))
			file := filepath.Join(b.dir, name+"-"+size.name+"-"+scheme+".png")
			if err := os.WriteFile(file, picture, 0o600); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	ask(b, metrics(emulation.SetDeviceMetricsOverrideParams{}))
}

func metrics(params emulation.SetDeviceMetricsOverrideParams) chromedp.Action[cdp.Empty] {
	return func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, params)
	}
}

func media(scheme string) chromedp.Action[cdp.Empty] {
	return func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	if err := browser.Press(b.ctx, selector); err != nil {
		b.t.Fatal(err)
	}
}

// atAtlassian clicks through Atlassian's own pages as Ada, who allows or denies.
func (b *tab) atAtlassian(decision string) {
	b.t.Helper()
	b.click("button[value=ada]")
	b.click("button[value=" + decision + "]")
}

// TestInARealBrowser clicks through sign-ins, refusals and what goes wrong, as
// a person would, and lets the browser complain about what it does not like:
// a violation of the pages' own policy, for example.
func TestInARealBrowser(t *testing.T) {
	running := browser.Start(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"signing in": inBrowserSigningIn,
		"choosing":   inBrowserChoosing,
		"odd pages":  inBrowserOddPages,
		"onward":     inBrowserOnward,
		"company":    inBrowserCompany,
	} {
		t.Run(name, func(t *testing.T) { test(t, running) })
	}
}

func inBrowserSigningIn(t *testing.T, running context.Context) {
	b := profile(t, running)
	r := newRig(t, rigOptions{company: "Acme Corporation"})
	s := r.device().shim("one")
	started := s.start()
	b.open(started.URL)
	b.heading("Connect Confluence on ada-laptop")
	b.shoot("consent")
	b.click("button.primary")
	b.atAtlassian("allow")
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	b.heading("You are signed in")
	b.shoot("success")

	other := profile(t, running)
	other.open(started.URL)
	other.heading("This sign-in is over")
	other.shoot("used")

	b.open(r.device().shim("two").start().URL)
	b.click("button.primary")
	b.click("button[value=deny]") // Ada is known there by now
	b.heading("You declined")
	b.shoot("refusal")
}

// inBrowserChoosing signs in where there is a choice of tenants, from another
// network than the one that asked.
func inBrowserChoosing(t *testing.T, running context.Context) {
	b := profile(t, running)
	r := newRig(t, rigOptions{tenants: []identity.TenantID{"acme", "acme-labs"}, address: func(req *http.Request) netip.Addr {
		if strings.HasPrefix(req.URL.Path, "/v1/") {
			return netip.MustParseAddr("203.0.113.7")
		}
		return netip.MustParseAddr("198.51.100.20")
	}})
	s := r.device().shim("one")
	b.open(s.start().URL)
	b.heading("Connect Confluence")
	if text := ask(b, chromedp.Text(chromedp.CSS("main"))); !strings.Contains(text, "Another network") {
		t.Errorf("nothing is said about the other network: %s", text)
	}
	b.click("input[value=acme-labs]")
	b.shoot("choice")
	b.click("button.primary")
	b.atAtlassian("allow")
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	b.heading("You are signed in")
	if sessions, err := r.keeper.List(t.Context()); err != nil || len(sessions) != 1 || sessions[0].Tenant != "acme-labs" {
		t.Errorf("the sessions are %+v, %v", sessions, err)
	}
}

// inBrowserOnward shows the page that goes on by itself, without its going on.
func inBrowserOnward(t *testing.T, running context.Context) {
	b := profile(t, running)
	r := newRig(t, rigOptions{})
	client := &person{r: r}
	client.click(r.device().shim("one").start().URL, "continue", nil)
	head, rest, _ := strings.Cut(client.page, `<meta http-equiv="refresh"`)
	_, rest, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatalf("the page does not go on by itself: %s", client.page)
	}
	still := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path != "/" { // the picture in the tab
			w.Header().Set("Content-Type", "image/svg+xml")
			return
		}
		w.Header().Set("Content-Security-Policy", client.last.Header.Get("Content-Security-Policy"))
		_, _ = w.Write([]byte(head + rest))
	}))
	defer still.Close()
	b.open(still.URL)
	b.heading("On the way to Atlassian")
	b.shoot("onward")
}

// inBrowserCompany signs in with the company first, chooses among what the
// groups allow, does it again without consent, and shows anew who it is.
func inBrowserCompany(t *testing.T, running context.Context) {
	b := profile(t, running)
	idp := oidctest.New(t, "", adas())
	r := newRig(t, rigOptions{company: "Acme Corporation", idp: idp, tenants: []identity.TenantID{"acme", "acme-labs"}})
	d := r.device()
	s := d.shim("one")
	b.open(s.start().URL)
	b.shoot("company-consent")
	b.click("button.primary")
	b.heading("Where do you want to work?")
	b.click("input[value=acme-labs]")
	b.shoot("company-choice")
	b.click("button.primary")
	b.atAtlassian("allow")
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	b.heading("You are signed in")
	b.shoot("company-success")

	now, err := r.keeper.Current(t.Context(), d.id)
	if err != nil || now.Tenant != "acme-labs" {
		t.Fatalf("the session is %+v, %v", now, err)
	}
	_ = r.company.Require(t.Context(), identity.Caller{Session: now.ID, Device: d.id}, "confluence_update_page")
	s = d.shim("two")
	start := s.ask()
	start.Tenant = "acme-labs" // as the shim is told
	s.post(wire.LoginStartPath, start, &s.started)
	b.open(s.started.URL)
	b.heading("Confirm that it is you")
	b.shoot("company-stepup")
	b.click("button.primary")
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing the step-up said %+v", problem)
	}
	b.heading("Thank you")
}

// inBrowserOddPages shows the rest of the pages.
func inBrowserOddPages(t *testing.T, running context.Context) {
	b := profile(t, running)
	r := newRig(t, rigOptions{site: "https://other.atlassian.net"})
	s := r.device().shim("one")
	b.open(s.start().URL)
	b.click("button.primary")
	b.do(chromedp.WaitVisible(chromedp.CSS("button[value=ada]")))

	other := profile(t, running)
	other.open(s.started.URL)
	other.heading("This sign-in is open in another browser")
	other.shoot("elsewhere")

	b.atAtlassian("allow")
	if done, _ := s.finish(); done.OK {
		t.Fatal("a grant without a site was accepted")
	}
	b.heading("Sign-in did not complete")
	b.shoot("failed")
	b.open(r.url + "/callback/acme?code=x&state=y")
	b.heading("There is no sign-in for this page")
	b.shoot("stray")
	b.open(r.url + "/login/nowhere")
	b.heading("This link leads nowhere")

	b.open(r.device().shim("two").start().URL)
	b.click("button.plain")
	b.heading("You declined")
	r.nothingStored()
}
