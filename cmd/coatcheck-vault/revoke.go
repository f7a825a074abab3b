package main

import (
	"context"
	"fmt"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type revokeCmd struct {
	Person     string `help:"Whose sessions and grants, as people list shows the person" placeholder:"ID"`
	Tenant     string `help:"Everybody at this tenant; with --person only there"`
	Device     string `help:"The session on this device; the person's grant stays for other devices" placeholder:"ID"`
	Site       string `help:"Everybody who may reach this site" placeholder:"URL"`
	Everything bool   `help:"Everybody"`
	Yes        bool   `help:"Do it; without, it is only said what would be done"`
}

// Run revokes, or says what would be.
func (r revokeCmd) Run(ctx context.Context, p program, c *cli) error {
	scope := admin.Scope{
		Person: identity.PersonID(r.Person), Tenant: identity.TenantID(r.Tenant), Device: identity.DeviceID(r.Device), Site: r.Site, Everything: r.Everything,
	}
	switch others := scope; {
	case scope == admin.Scope{}:
		return usererr.New(usererr.Settings, "Nobody is named whose access to take away", "Give --person, --device, --tenant, --site or --everything")
	case r.Everything:
		if others.Everything = false; others != (admin.Scope{}) {
			return usererr.New(usererr.Settings, "--everything goes with nothing else", "Leave it out, or the others")
		}
	}
	return p.admin(ctx, c, func(a *vault.Admin) error {
		if !r.Yes {
			would, err := a.Preview(ctx, a.Who, scope)
			if err != nil {
				return err
			}
			return p.say("This takes away the access of %s, at once and for good: %s and %s. They sign in again, if they may. Add --yes to do it.",
				scope, many(len(would.Sessions), "session"), many(len(would.Grants), "grant"))
		}
		done, err := a.Revoke(ctx, a.Who, scope)
		if err == nil || len(done.Grants)+len(done.Sessions) > 0 {
			said := p.say("Revoked: %s and %s. Running vaults close their connections within a second.%s",
				many(len(done.Sessions), "session"), many(len(done.Grants), "grant"), upstream(done))
			if err == nil {
				err = said
			}
		}
		return err
	})
}

// upstream says what became of the grants at Atlassian.
func upstream(r admin.Revocation) string {
	if len(r.Grants) == 0 {
		return ""
	}
	text := fmt.Sprintf("\nAt Atlassian: %s ended", many(r.Upstream.Ended, "grant"))
	if r.Upstream.Failed > 0 {
		text += fmt.Sprintf(", %d could not be", r.Upstream.Failed)
	}
	if r.Upstream.Left > 0 {
		text += fmt.Sprintf(", %d not attempted", r.Upstream.Left)
	}
	return text + ". A person can remove the app for good at " + admin.ConnectedApps + "."
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
