package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestSignInsThatComeToNothing lets Atlassian answer in ways that are no good,
// and the person decline: the browser shows a page that says so and what to do,
// the call that waited says it too, and the vault keeps and tells nothing.
func TestSignInsThatComeToNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault      atlassiansim.TokenFault
		decline    bool
		page, call string
	}{
		"no refresh token": {atlassiansim.TokenFault{Kind: atlassiansim.TokenNoRefreshToken}, false, "Sign-in did not complete", "offline_access"},
		"wrong scopes":     {atlassiansim.TokenFault{Kind: atlassiansim.TokenFewerScopes}, false, "Sign-in did not complete", "allowed less than was asked for"},
		"HTML":             {atlassiansim.TokenFault{Kind: atlassiansim.TokenHTML}, false, "Sign-in did not complete", "could not be asked"},
		"50 MB":            {atlassiansim.TokenFault{Kind: atlassiansim.TokenHuge}, false, "Sign-in did not complete", "cannot be used"},
		"declined":         {atlassiansim.TokenFault{}, true, "You declined", "declined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, stage.Options{Sim: atlassiansim.Options{Canary: canary}})
			if !test.decline {
				w.Sim.FailToken(10, test.fault)
			}
			c := startRaw(t, w.laptop("ada").Shim(context.WithoutCancel(t.Context())))
			c.initialize("2025-11-25")
			answer := make(chan string, 1)
			go func() {
				text, failed, err := c.tool("1", "confluence_list_spaces", nil)
				if !failed || err != nil {
					t.Errorf("the call that waited: %v, %v", failed, err)
				}
				answer <- text
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			address, err := w.WaitOpened(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			p, err := browser.New().Consent(ctx, address, browser.Choose{Person: "ada", Allow: !test.decline})
			if err != nil {
				t.Fatal(err)
			}
			text := within(t, answer, 60*time.Second)
			if !strings.Contains(p, test.page) {
				t.Errorf("the last page does not say %q:\n%s", test.page, p)
			}
			if !strings.Contains(text, test.call) {
				t.Errorf("the call says %q, want %q", text, test.call)
			}
			for what, said := range map[string]string{"the page": p, "the call": text} {
				if strings.Contains(said, canary) {
					t.Errorf("%s shows what Atlassian keeps secret: %s", what, said)
				}
			}
			for _, list := range []string{w.vault("grants", "list"), w.vault("sessions", "list")} {
				if strings.Contains(list, " live") || strings.Contains(list, "Ada") {
					t.Errorf("the vault keeps %s", list)
				}
			}
			c.once()
		})
	}
}
