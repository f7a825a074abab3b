package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type grantsCmd struct {
	List   grantsListCmd   `cmd:"" help:"List the grants; never a token"`
	Show   grantsShowCmd   `cmd:"" help:"Show one grant; never its tokens"`
	Revoke grantsRevokeCmd `cmd:"" help:"Destroy a grant's key and tokens and end its sessions now"`
}

type grantsListCmd struct{}

// Run lists grants.
func (grantsListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := a.Grants(ctx)
		if err != nil {
			return err
		}
		table := p.table("GRANT", "STATE", "TENANT", "PERSON", "ISSUED", "REFRESHED", "USED", "EXPIRES")
		for _, g := range list {
			row(table, string(g.ID), string(g.State), string(g.Tenant), string(g.Person), stamp(g.Issued), stamp(g.Refreshed), stamp(g.Used), stamp(g.Expires))
		}
		return table.Flush()
	})
}

type grantsShowCmd struct {
	ID string `arg:"" help:"The grant's id"`
}

// Run shows everything but the tokens.
func (s grantsShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		g, err := a.Grant(ctx, identity.GrantID(s.ID))
		if err != nil {
			return err
		}
		table := p.table("GRANT", string(g.ID))
		for _, line := range [][2]string{
			{"state", string(g.State)}, {"person", string(g.Person)}, {"tenant", string(g.Tenant)}, {"account", g.Account},
			{"scopes", strings.Join(g.Scopes, " ")}, {"issued", stamp(g.Issued)}, {"refreshed", stamp(g.Refreshed)}, {"used", stamp(g.Used)},
			{"token expires", stamp(g.TokenExpires)}, {"next refresh", stamp(g.NextRefresh)}, {"expires unless used", stamp(g.Expires)}, {"last error", g.LastError},
		} {
			row(table, line[0], orDash(line[1]))
		}
		for _, site := range g.Sites {
			row(table, "site", site.Name+" "+site.URL)
		}
		return table.Flush()
	})
}

type grantsRevokeCmd struct {
	ID string `arg:"" help:"The grant's id"`
}

// Run revokes one grant.
func (s grantsRevokeCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		revoked, err := a.RevokeGrant(ctx, identity.GrantID(s.ID))
		if err != nil {
			return err
		}
		return p.say("The grant %s is revoked: its key and tokens are destroyed.\n%s\n"+
			"The person can also remove the app at https://id.atlassian.com/manage-profile/apps.", s.ID, followed(revoked))
	})
}

// followed says what else a revocation ended.
func followed(r vault.GrantRevocation) string {
	switch n := len(r.Sessions); {
	case r.Superseded:
		return "A newer grant of the person had taken its place, so no session ended: revoke that one to cut the person off."
	case n == 0:
		return "The person had no session at this tenant."
	case n == 1:
		return "The person's session ended too. A running vault closes its connections within a second."
	default:
		return fmt.Sprintf("The person's %d sessions ended too. A running vault closes their connections within a second.", n)
	}
}
