package role

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// whole sets the whole vault up on a stage: store on disk, audit, sealed
// grant, and a simulated Atlassian that answers at once. Somebody signs in;
// the laptop is then the caller's.
func whole(ctx context.Context, args []string, say func(Ready) error) (err error) {
	if len(args) != 2 {
		return errors.New("the whole vault wants the folder of the programs and one to fill")
	}
	debug.SetGCPercent(400) // Confluence would not run on this machine
	s, err := stage.New(ctx, stage.Options{Bin: args[0], Dir: args[1], Sim: atlassiansim.Options{NoJournal: true}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := s.StartVault(ctx); err != nil {
		return err
	}
	laptop, err := s.Laptop("bench")
	if err != nil {
		return err
	}
	if err := signIn(ctx, s, laptop); err != nil {
		return fmt.Errorf("signing in: %w", err)
	}
	ready := Ready{URL: s.VaultURL, PID: s.VaultPID(), Home: laptop.Home, Env: laptop.Environment(), Page: s.Sim.AnyPage("ENG").ID}
	ready.API = s.SimURL + "/ex/confluence/" + s.Sim.CloudID("acme") + "/wiki"
	ready.Token, _ = s.Sim.MintToken("ada", []string{"read:attachment:confluence", "write:attachment:confluence"})
	if err := say(ready); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// signIn asks for something and consents.
func signIn(ctx context.Context, s *stage.Stage, laptop *stage.Laptop) error {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: "1"}, nil)
	session, err := client.Connect(ctx, &mcp.CommandTransport{Command: laptop.Shim(ctx)}, nil)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	done := make(chan error, 1)
	go func() { // ends with ctx
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "confluence_list_spaces"})
		if err == nil && result.IsError {
			text, _ := json.Marshal(result.Content)
			err = errors.New(string(text))
		}
		done <- err
	}()
	address, err := s.WaitOpened(ctx, 1)
	if err != nil {
		return err
	}
	if _, err := browser.New().Consent(ctx, address, browser.Choose{Person: "ada", Allow: true}); err != nil {
		return err
	}
	return <-done
}
