package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv/browser"
)

// tab is a page of a real browser with an empty profile.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp's way to name a tab
	dir string          // for pictures
}

func chromium(t *testing.T) *tab {
	t.Helper()
	ctx := browser.Start(t)
	b := &tab{t: t, ctx: ctx, dir: t.ArtifactDir()}
	if dir := os.Getenv("COATCHECK_SCREENSHOTS"); dir != "" {
		b.dir = dir
	}
	size := emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 900, DeviceScaleFactor: 1}
	if _, err := chromedp.Run(ctx, chromedp.Action[cdp.Empty](func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, size)
	})); err != nil {
		t.Fatal(err)
	}
	return b
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

// heading waits for a page whose heading begins so, and takes a picture of it.
func (b *tab) heading(begin, picture string) {
	b.t.Helper()
	if err := browser.Heading(b.ctx, begin); err != nil {
		b.t.Fatal(err)
	}
	b.shoot(picture)
}

func (b *tab) shoot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.dir, "e2e-"+name+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Errorf("taking a picture of %s: %v", name, err)
	}
}

// press clicks a button once it can be seen.
func (b *tab) press(selector string) {
	b.t.Helper()
	if err := browser.Press(b.ctx, selector); err != nil {
		b.t.Fatal(err)
	}
}

// TestARealBrowser goes from an assistant's question through the pages of the
// vault and of the simulated Atlassian to the answer, with the two real
// programs and a real browser; then somebody else declines.
func TestARealBrowser(t *testing.T) {
	t.Parallel()
	b := chromium(t)
	w := newWorld(t, stage.Options{})
	ask := func(person string, n int) (address string, answer chan string) {
		s := w.connect(w.laptop(person), nil)
		answer = make(chan string, 1)
		go func() {
			text, err := call(t.Context(), s, "confluence_list_spaces", nil)
			answer <- fmt.Sprintf("%s %v", text, err)
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		address, err := w.WaitOpened(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		return address, answer
	}

	address, answer := ask("ada", 1)
	b.do(chromedp.Navigate(address))
	b.heading("Connect Confluence on", "consent")
	b.press("button.primary")
	b.press("button[value=ada]")
	b.do(chromedp.WaitVisible(chromedp.CSS("button[value=allow]")))
	b.shoot("atlassian")
	b.press("button[value=allow]")
	b.heading("You are signed in", "success")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "ENG") {
		t.Errorf("the call that waited said %q", text)
	}

	address, answer = ask("ben", 2)
	b.do(chromedp.Navigate(address))
	b.press("button.primary")
	b.press("button[value=deny], button[value=ben]")
	b.heading("You declined", "refusal")
	if text := within(t, answer, 30*time.Second); !strings.Contains(text, "declined") || strings.Contains(text, "ENG") {
		t.Errorf("the call of the one who declined said %q", text)
	}
	if got := strings.Count(w.vault("sessions", "list"), " live "); got != 1 {
		t.Errorf("%d sessions, want 1", got)
	}
}
