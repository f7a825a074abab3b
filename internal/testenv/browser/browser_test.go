package browser_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv/browser"
)

// TestAMissedButtonIsPressedAgain: something else gets the first clicks.
func TestAMissedButtonIsPressedAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(browser.Start(t), time.Minute)
	defer cancel()
	page := `data:text/html,<button onclick="document.title += 'pressed'">Go</button>` +
		`<div style="position:fixed;inset:0" onclick="if (++window.n > 2) this.remove()"></div><script>n = 0</script>`
	if err := chromedp.Do(ctx, chromedp.Navigate(page)); err != nil {
		t.Fatal(err)
	}
	if err := browser.Press(ctx, "button"); err != nil {
		t.Fatal(err)
	}
	title, err := chromedp.Run(ctx, chromedp.Title())
	clicks, _ := chromedp.Run(ctx, chromedp.Evaluate[int]("n"))
	if err != nil || title != "pressed" || clicks != 3 {
		t.Errorf("the title is %q after %d clicks that missed, %v", title, clicks, err)
	}
}
