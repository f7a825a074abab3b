package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
)

// start starts the shim as an MCP client would.
func (s *story) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	began := time.Now()
	client := mcp.NewClient(&mcp.Implementation{Name: "demo-assistant", Version: "1"}, nil)
	transport := &mcp.CommandTransport{Command: s.laptop.Shim(context.WithoutCancel(ctx))}
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return fmt.Errorf("starting the shim: %w", err)
	}
	s.client = session
	s.step("The assistant starts coatcheck over stdio; initialize is answered in %v.", time.Since(began).Round(time.Millisecond))
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return fmt.Errorf("listing the tools: %w", err)
	}
	var names []string
	for _, tool := range tools.Tools {
		names = append(names, tool.Name)
	}
	s.step("It sees %d tools: %s.", len(names), strings.Join(names, ", "))
	return nil
}

// answer is what a call came to.
type answer struct {
	text string
	err  error
	took time.Duration
}

// call calls a tool; a refusal by the tool is an error with its text.
func (s *story) call(ctx context.Context, tool string, args map[string]any) answer {
	began := time.Now()
	result, err := s.client.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		return answer{err: err}
	}
	var text strings.Builder
	for _, c := range result.Content {
		if c, ok := c.(*mcp.TextContent); ok {
			text.WriteString(c.Text)
		}
	}
	got := answer{text: text.String(), took: time.Since(began).Round(time.Millisecond)}
	if result.IsError {
		got.err = errors.New(got.text)
	}
	return got
}

// firstCall asks, waits for the sign-in and gets its answer.
func (s *story) firstCall(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.step(`It asks for pages about "deployment". Nobody is signed in, so the call waits while one browser tab opens.`)
	done := make(chan answer, 1)
	go func() { done <- s.call(ctx, "confluence_search", map[string]any{"query": "deployment"}) }() // ends with ctx
	if err := s.signIn(ctx, true); err != nil {
		return err
	}
	got := <-done
	for strings.Contains(fmt.Sprint(got.err), "still open") { // a person takes his or her time
		got = s.call(ctx, "confluence_search", map[string]any{"query": "deployment"})
	}
	if got.err != nil {
		return fmt.Errorf("the call that waited: %w", got.err)
	}
	s.step("The call that waited answers by itself: %s", firstLine(got.text))
	return nil
}

// signIn lets a person click, or clicks.
func (s *story) signIn(ctx context.Context, allow bool) error {
	s.consent++
	if s.opt.Display {
		s.step("Your browser opens: click Continue, choose Ada, accept. You have %v.", patience)
		return nil
	}
	address, err := s.WaitOpened(ctx, s.consent)
	if err != nil {
		return err
	}
	b := browser.New()
	if _, err := b.Consent(ctx, address, browser.Choose{Person: "ada", Allow: allow}); err != nil {
		return fmt.Errorf("going through the sign-in pages: %w", err)
	}
	if allow {
		s.step("There is no display, so the demo clicks through the same pages as Ada would: Continue, Accept (%d pages).", len(b.Pages()))
	} else {
		s.step("Asked again, the call needs a new sign-in. This time Ada declines.")
	}
	return nil
}

// secondCall shows that nothing more is asked.
func (s *story) secondCall(ctx context.Context) error {
	page := s.Sim.AnyPage("ENG")
	got := s.call(ctx, "confluence_get_page", map[string]any{"page": page.ID})
	if got.err != nil {
		return fmt.Errorf("the second call: %w", got.err)
	}
	if !strings.Contains(got.text, page.Title) {
		return fmt.Errorf("the second call answered something else than %q: %s", page.Title, firstLine(got.text))
	}
	if err := s.noNewTab(); err != nil {
		return err
	}
	s.step("It reads the page %q in %v. No tab, no question.", page.Title, got.took)
	return nil
}

func (s *story) noNewTab() error {
	if s.opt.Display {
		return nil // the real browser writes nothing down
	}
	opened, err := s.Opened()
	if err == nil && len(opened) != s.consent {
		err = fmt.Errorf("%d tabs were opened, not %d", len(opened), s.consent)
	}
	return err
}

// expiry lets the access token expire.
func (s *story) expiry(ctx context.Context) error {
	before := len(s.Sim.TokenRequests())
	select {
	case <-time.After(tokenLife + 500*time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	got := s.call(ctx, "confluence_list_spaces", nil)
	if got.err != nil {
		return fmt.Errorf("the call after the token expired: %w", got.err)
	}
	if spent := len(s.Sim.TokenRequests()) - before; spent != 1 {
		return fmt.Errorf("the vault asked for %d tokens, not one", spent)
	}
	if err := s.noNewTab(); err != nil {
		return err
	}
	s.step("%v later Atlassian's token has expired. The next call answers in %v: the vault refreshed it once, silently.", tokenLife, got.took)
	return nil
}

// revocation takes the laptop's session away, as an administrator would.
func (s *story) revocation(ctx context.Context) error {
	list, err := s.VaultCommand(ctx, "sessions", "list").Output()
	if err != nil {
		return fmt.Errorf("listing the sessions: %w", err)
	}
	id := ""
	for _, word := range strings.Fields(string(list)) {
		if id == "" && strings.HasPrefix(word, "s_") {
			id = word
		}
	}
	if out, err := s.VaultCommand(ctx, "sessions", "revoke", id).CombinedOutput(); err != nil {
		return fmt.Errorf("revoking the session: %w: %s", err, out)
	}
	s.step("An administrator runs: coatcheck-vault sessions revoke %s…", id[:min(len(id), 8)])
	return s.declined(ctx)
}

// declined asks until a new sign-in is needed, and declines it. The first call
// is refused, unless the stream was cut before it came.
func (s *story) declined(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 55*time.Second)
	defer cancel()
	done := make(chan answer, 1)
	ask := func() { done <- s.call(ctx, "confluence_list_spaces", nil) }
	go ask() // ends with ctx
	select {
	case got := <-done:
		if got.err == nil {
			return errors.New("a call was answered after the session was revoked")
		}
		s.step("The next call is refused: %s", firstLine(got.err.Error()))
		select {
		case <-time.After(time.Second): // by then the stream is cut
		case <-ctx.Done():
			return ctx.Err()
		}
		go ask() // ends with ctx
	case <-time.After(3 * time.Second):
		s.step("The next call is refused, and waits for a new sign-in.")
	}
	if s.opt.Display {
		s.step("Asked again, it needs a new sign-in: click Cancel in the tab that opens.")
	} else if err := s.signIn(ctx, false); err != nil {
		return err
	}
	got := <-done
	if got.err == nil {
		return errors.New("a call was answered without a sign-in")
	}
	s.step("The assistant is told: %s", firstLine(got.err.Error()))
	return nil
}

// look lists what the laptop holds.
func (s *story) look(context.Context) error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("ending the shim: %w", err)
	}
	files, err := s.laptop.Files()
	if err != nil {
		return err
	}
	keys := 0
	for _, name := range files {
		text, err := os.ReadFile(filepath.Join(s.laptop.Home, name))
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "PRIVATE KEY") {
			keys++
		}
		for _, secret := range s.Sim.Secrets() {
			if strings.Contains(string(text), secret) {
				return fmt.Errorf("a token of Atlassian's is in the laptop's %s", name)
			}
		}
	}
	if keys > 1 {
		return fmt.Errorf("the laptop holds %d keys", keys)
	}
	where := "in a file that only its owner may read"
	if keys == 0 {
		where = "in the keychain"
	}
	s.step("What is on this laptop: one device key, %s. %d files were searched for the %d secrets that Atlassian handed out: none is there.", where, len(files), len(s.Sim.Secrets()))
	return nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
