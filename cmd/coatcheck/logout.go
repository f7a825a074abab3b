package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

// commandLimit bounds what a command asks of the network.
const commandLimit = 30 * time.Second

// logout ends this device's session, or all sessions of its person.
type logout struct{ everywhere bool }

func (c *logout) flags(set *flag.FlagSet) {
	set.BoolVar(&c.everywhere, "everywhere", false, "End your sessions on all devices, and what you allowed Coatcheck in Confluence.")
}

// run tells the vault, and says what that means.
func (c *logout) run(ctx context.Context, p *program) error {
	if p.wrong != nil {
		return p.wrong
	}
	log := p.openLog(true)
	defer log.Close()
	keeper := p.keeper(log.Logger())
	thumbprint, _, err := keeper.Known()
	if err != nil {
		return err
	}
	if thumbprint == "" {
		_, err := fmt.Fprintln(p.out, "This device was never signed in at "+p.settings.Vault.String()+".")
		return err
	}
	way, err := p.network()
	if err != nil {
		return err
	}
	defer way.Close()
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	client := &signin.Client{HTTP: way.HTTP, Vault: p.settings.Vault, Prover: keeper}
	var done wire.LoggedOut
	switch err := client.Post(ctx, wire.LogoutPath, wire.Logout{Everywhere: c.everywhere}, &done); usererr.CodeOf(err) {
	case "":
		if done.Everywhere {
			_, err := fmt.Fprintf(p.out, "Signed out everywhere: sessions ended: %d. What you allowed Coatcheck in Confluence is destroyed at the vault;\n"+
				"remove the app at https://id.atlassian.com/manage-profile/apps as well.\n", done.Sessions)
			return err
		}
		if c.everywhere {
			return usererr.New(usererr.Version, "The session of this device has ended, but the vault is too old to end the others",
				"Sign out on each device, or ask the administrator of the vault")
		}
		_, err := fmt.Fprint(p.out, "Signed out: the session of this device has ended, for all programs on it.\n"+
			"What you allowed Coatcheck in Confluence stays with the vault for your other devices;\n"+
			"you can withdraw it at https://id.atlassian.com/manage-profile/apps.\n")
		return err
	case usererr.NotFound, usererr.SignIn:
		_, err := fmt.Fprintln(p.out, "This device is not signed in at "+p.settings.Vault.String()+".")
		return err
	default:
		return err
	}
}
