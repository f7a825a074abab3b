// Package browser drives a real browser in tests.
package browser

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// Start starts Chromium with an empty profile and returns the context of its
// first tab. It ends with the test. Where there is none the test is left out,
// see [testenv.Chromium].
func Start(t testing.TB) context.Context {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(testenv.Chromium(t)), chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
	}
	allocator, endBrowser := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(endBrowser)
	ctx, endTab := chromedp.NewContext(allocator)
	t.Cleanup(endTab)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("starting the browser: %v", err)
	}
	return ctx
}

// A page that changes its size, as for a picture, moves what is on it at some
// later moment, and a click meets what was there before.
const (
	watch = `(() => { const e = document.querySelector(%q); if (!e) return false; window.pressed = false; e.addEventListener("click", () => { window.pressed = true }); return true })()`
	// A page that has gone, or an element, has nothing to say of it.
	missed = `window.pressed === false`
)

// Press waits until an element can be seen and clicks it with the mouse, again
// if that missed.
func Press(ctx context.Context, selector string) error {
	element := chromedp.CSS(selector)
	for found := false; !found; {
		if err := chromedp.Do(ctx, chromedp.WaitVisible(element)); err != nil {
			return err
		}
		// It fails, or finds nothing, while the browser is between two pages.
		found, _ = chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(watch, selector)))
	}
	for range 20 {
		if err := chromedp.Do(ctx, chromedp.Click(element)); err != nil {
			return err
		}
		again, err := chromedp.Run(ctx, chromedp.Evaluate[bool](missed))
		if err != nil || !again { // an error: the browser is between two pages
			return ctx.Err()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the mouse does not meet " + selector)
}
