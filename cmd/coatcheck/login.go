package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
	"github.com/coatcheck-mcp/coatcheck/shim/visit"
)

// login signs in from a terminal.
type login struct{ tenant string }

func (c *login) flags(known *flag.FlagSet) {
	known.StringVar(&c.tenant, "tenant", "", "The company to sign in at, where the vault serves several, by its `NAME`.")
}

// run asks for a sign-in, shows where, and waits for its end.
func (c *login) run(ctx context.Context, p *program) error {
	if p.wrong != nil {
		return p.wrong
	}
	log := p.openLog(true)
	defer log.Close()
	way, err := p.network()
	if err != nil {
		return err
	}
	defer way.Close()
	open := p.opener()
	prover := p.keeper(log.Logger())
	// The vault counts on processes that it is connected to, and says over the
	// connection when the sign-in was refused or finished elsewhere.
	at, err := visit.Open(ctx, visit.Config{Network: way, Vault: p.settings.Vault, Prover: prover})
	if err != nil {
		return err
	}
	states := make(chan signin.State, 1) // the latest that was not shown yet
	host, user := p.hostAndUser()
	in := signin.New(signin.Config{
		HTTP: way.HTTP, VaultURL: p.settings.Vault, Prover: prover, Stream: func() string { return at.Stream }, Log: log.Logger(),
		OpenBrowser: open, Host: host, User: user,
		AskCode: p.askCode(),
		Notify:  func(s signin.State) { replace(states, s) },
	})
	visiting, leave := context.WithCancel(ctx)
	var joined sync.WaitGroup
	joined.Go(func() { at.Listen(visiting, in) }) // ends with leave
	defer joined.Wait()
	defer leave()
	defer in.Close()
	in.Required(ctx, c.tenant, true)
	return p.follow(ctx, states)
}

// askCode returns what asks for the code of the page, where the person wants no
// browser to open here: the one that they use may be on another computer.
func (p *program) askCode() func(ctx context.Context, problem string) (string, error) {
	if !p.settings.NoBrowser {
		return nil
	}
	lines := make(chan string)
	ended := make(chan struct{})
	start := sync.OnceFunc(func() {
		go func() { // ends with the input, at the latest with the process
			defer close(ended)
			for in := bufio.NewScanner(p.in); in.Scan(); {
				lines <- in.Text()
			}
		}()
	})
	return func(ctx context.Context, problem string) (string, error) {
		start()
		if problem != "" {
			_, _ = fmt.Fprintln(p.out, problem)
		}
		_, _ = fmt.Fprint(p.out, "Code: ")
		select {
		case line := <-lines:
			return line, nil
		case <-ended:
			return "", io.EOF
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// replace puts s into a channel of capacity 1, in place of what is there.
func replace(states chan signin.State, s signin.State) {
	for {
		select {
		case states <- s:
			return
		default:
		}
		select {
		case <-states:
		default:
		}
	}
}

// follow tells the person how the sign-in stands until it has ended.
func (p *program) follow(ctx context.Context, states <-chan signin.State) error {
	shown := ""
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-states:
			switch s.Phase {
			case signin.Open:
				if s.URL != shown {
					shown = s.URL
					p.show(s)
				}
			case signin.Done:
				_, err := fmt.Fprintln(p.out, "You are signed in. Your assistant can use Confluence now.")
				return err
			case signin.Failed:
				return usererr.New(s.Code, trimPeriod(s.Message), "")
			case signin.Idle, signin.Starting:
			}
		}
	}
}

func (p *program) show(s signin.State) {
	lead := "Open this address in a browser on this computer to sign in:"
	switch {
	case s.ByCode:
		lead = "Open this address in any browser to sign in; its last page shows a code to type here:"
	case s.Opened:
		lead = "Your browser opens to sign you in. If it does not, go to:"
	}
	_, _ = fmt.Fprintf(p.out, "%s\n\n  %s\n\nWaiting for you until %s. Ctrl-C gives up.\n", lead, s.URL, s.Expires.Format("15:04"))
}

func trimPeriod(text string) string {
	if n := len(text); n > 0 && text[n-1] == '.' {
		return text[:n-1]
	}
	return text
}
