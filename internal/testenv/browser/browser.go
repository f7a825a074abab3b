// Package browser drives a real browser in tests.
package browser

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

// Heading waits for a page whose heading begins so, a minute at most.
func Heading(ctx context.Context, begin string) error {
	text := ""
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		// It fails while the browser is between two pages.
		text, _ = evaluate[string](ctx, `document.querySelector("h1")?.innerText.replaceAll("\n", " ") ?? ""`)
		if strings.HasPrefix(text, begin) {
			return nil
		}
	}
	return fmt.Errorf("the heading is %q, want %q", text, begin)
}

// Press waits until an element can be seen and clicks it with the mouse, again
// if that missed. It takes a minute at most.
func Press(ctx context.Context, selector string) error {
	if err := press(ctx, selector); err != nil {
		at, _ := chromedp.Run(ctx, chromedp.Location())
		return fmt.Errorf("pressing %s at %.60s: %w", selector, at, err)
	}
	return nil
}

func press(ctx context.Context, selector string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	element := chromedp.CSS(selector)
	for found := false; !found; {
		if err := chromedp.Do(ctx, chromedp.WaitVisible(element)); err != nil {
			return err
		}
		// It fails, or finds nothing, while the browser is between two pages.
		found, _ = evaluate[bool](ctx, fmt.Sprintf(watch, selector))
	}
	for range 20 {
		if err := chromedp.Do(ctx, chromedp.Click(element)); err != nil {
			return err
		}
		again, err := evaluate[bool](ctx, missed)
		if err != nil || !again { // an error: the browser is between two pages
			return ctx.Err()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the mouse does not meet " + selector)
}

// evaluate asks the page, and not for long: between two pages the browser may
// answer only once the next one is there, which may in turn wait for the test.
func evaluate[T any](ctx context.Context, script string) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script))
}
