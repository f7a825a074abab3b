package main

import (
	"context"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

type revokeCmd struct {
	Person     string `help:"Whose sessions and grants, as sessions list --all and grants list show the person" placeholder:"ID"`
	Tenant     string `help:"Everybody at this tenant; with --person only there"`
	Device     string `help:"The session on this device; the person's grant stays for other devices" placeholder:"ID"`
	Site       string `help:"Everybody who may reach this site" placeholder:"URL"`
	Everything bool   `help:"Everybody"`
	Yes        bool   `help:"Do it; without, it is only said what would be done"`
}

// Run revokes, or says what would be.
func (r revokeCmd) Run(ctx context.Context, p program, c *cli) error {
	scope := store.Scope{
		Person: identity.PersonID(r.Person), Tenant: identity.TenantID(r.Tenant), Device: identity.DeviceID(r.Device), Site: r.Site, Everything: r.Everything,
	}
	switch others := scope; {
	case scope == store.Scope{}:
		return usererr.New(usererr.Settings, "Nobody is named whose access to take away", "Give --person, --device, --tenant, --site or --everything")
	case r.Everything:
		if others.Everything = false; others != (store.Scope{}) {
			return usererr.New(usererr.Settings, "--everything goes with nothing else", "Leave it out, or the others")
		}
	}
	if !r.Yes {
		return p.say("This takes away the access of %s, at once and for good: they sign in again, if they may. Add --yes to do it.", whom(scope))
	}
	return p.admin(ctx, c, func(a *vault.Admin) error {
		done, err := a.Revoke(ctx, scope)
		if err == nil || len(done.Grants)+len(done.Sessions) > 0 {
			said := p.say("Revoked: %s and %s. Running vaults close their connections within a second.",
				many(len(done.Sessions), "session"), many(len(done.Grants), "grant"))
			if err == nil {
				err = said
			}
		}
		return err
	})
}

func whom(s store.Scope) string {
	text := "everybody"
	switch {
	case s.Device != "":
		text = "the device " + string(s.Device)
	case s.Person != "":
		text = string(s.Person)
	}
	if s.Tenant != "" {
		text += " at " + string(s.Tenant)
	}
	if s.Site != "" {
		text += " who may reach " + s.Site
	}
	return text
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
