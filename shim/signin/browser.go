package signin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pkg/browser"
)

// ErrNoBrowser says that there is nowhere to show a page to a person.
var ErrNoBrowser = errors.New("no browser on this computer")

// openerLimit is how long an opener is watched: most end at once, some stay as
// long as the browser does.
const openerLimit = 5 * time.Second

// Browser returns an OpenBrowser for [Config] that asks the desktop, through
// the system's own opener and never through a shell. Whatever the opener
// prints goes to output, which must not be the standard output of a shim.
func Browser(output io.Writer) func(ctx context.Context, url string) error {
	browser.Stdout, browser.Stderr = output, output
	return func(ctx context.Context, url string) error {
		ended := make(chan error, 1)
		// Ends with the opener, which nobody waits for beyond the limit: it may
		// be the browser itself.
		go func() { ended <- browser.OpenURL(url) }()
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("opening the browser: %w", err)
			}
			return nil
		case <-time.After(openerLimit):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
