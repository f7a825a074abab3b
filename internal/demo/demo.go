// Package demo tells the story that "make demo" shows: an assistant's question
// that waits for a sign-in, a page from Confluence, silence afterwards, a token
// that expires, a revocation, and what is left on the laptop. It plays with
// the two real programs on a stage of its own and touches nothing of the
// user's.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// patience is how long a person has to click through the sign-in.
const patience = 3 * time.Minute

// tokenLife is short, so that the story can show a token expire.
const tokenLife = 5 * time.Second

// Options say how the story is told.
type Options struct {
	Bin  string    // the folder with both programs
	Out  io.Writer // where the story goes
	Keep bool      // keep everything running afterwards, until ctx ends
	// Display says that there is a screen, so a real browser opens and a
	// person clicks.
	Display bool
}

// Display reports whether env (see os.LookupEnv) tells of a screen.
func Display(lookup func(string) (string, bool)) bool {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		_, remote := lookup("SSH_CONNECTION")
		_, ci := lookup("CI")
		return !remote && !ci
	}
	_, x := lookup("DISPLAY")
	_, wayland := lookup("WAYLAND_DISPLAY")
	return x || wayland
}

// Run tells the story. It returns nil when every step went as told.
func Run(ctx context.Context, opt Options) (err error) {
	bin, err := filepath.Abs(opt.Bin)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "coatcheck-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := &story{opt: opt, began: time.Now()}
	s.say("Coatcheck demo. All of it runs on this machine, in a folder of its own, and ends by itself.")
	s.Stage, err = stage.New(ctx, stage.Options{Bin: bin, Dir: dir, Sim: atlassiansim.Options{AccessTokenLife: tokenLife}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.StartVault(ctx); err != nil {
		return err
	}
	if s.laptop, err = s.Laptop("ada"); err != nil {
		return err
	}
	s.laptop.Display = opt.Display
	if err := s.tell(ctx); err != nil {
		return fmt.Errorf("the story went wrong: %w", err)
	}
	s.say("Done in %v: every step went as told.", time.Since(s.began).Round(100*time.Millisecond))
	if opt.Keep {
		s.keep(ctx, bin)
	}
	return nil
}

// story is the telling of it.
type story struct {
	*stage.Stage
	opt     Options
	laptop  *stage.Laptop
	client  *mcp.ClientSession
	began   time.Time
	number  int
	consent int // pages that were opened so far
}

func (s *story) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.opt.Out, format+"\n", args...) // a closed terminal is no reason to stop
}

// step says one step of the story.
func (s *story) step(format string, args ...any) {
	s.number++
	s.say("%2d  "+format, append([]any{s.number}, args...)...)
}

func (s *story) tell(ctx context.Context) error {
	s.step("A company: a simulated Atlassian at %s, its vault at %s.", s.SimURL, s.VaultURL)
	for _, part := range []func(context.Context) error{s.start, s.firstCall, s.secondCall, s.expiry, s.revocation, s.look} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// keep leaves everything running until ctx ends.
func (s *story) keep(ctx context.Context, bin string) {
	s.say("\nEverything keeps running. To use it from your own MCP client, add this to its configuration:\n")
	s.say(`{
  "mcpServers": {
    "coatcheck": {
      "command": %q,
      "args": ["--vault", %q],
      "env": {"HOME": %q}
    }
  }
}`, filepath.Join(bin, "coatcheck"), s.VaultURL, s.laptop.Home)
	s.say("\nThe people of the company are ada, ben and chloe. Press Ctrl-C to end it.")
	<-ctx.Done()
}
