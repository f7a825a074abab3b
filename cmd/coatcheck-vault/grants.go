package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type grantsCmd struct {
	List   grantsListCmd   `cmd:"" help:"List the grants; never a token"`
	Show   grantsShowCmd   `cmd:"" help:"Show one grant; never its tokens"`
	Revoke grantsRevokeCmd `cmd:"" help:"Destroy a grant's key and tokens and end its sessions now"`
}

type grantsListCmd struct {
	Person string `placeholder:"ID" help:"Only this person's"`
	Tenant string `placeholder:"NAME" help:"Only those at this tenant"`
	State  string `help:"Only those that are live, sign_in_again, superseded or revoked"`
	JSON   bool   `help:"Print JSON Lines"`
}

// Run lists grants.
func (l grantsListCmd) Run(ctx context.Context, p program, c *cli) error {
	state, err := admin.ParseState(l.State)
	if err != nil {
		return err
	}
	return p.admin(ctx, c, func(a *vault.Admin) error {
		q := admin.GrantQuery{Person: identity.PersonID(l.Person), Tenant: identity.TenantID(l.Tenant), State: state}
		list, err := everything(func(at admin.Paging) (admin.Page[grant.Grant], error) {
			q.Paging = at
			return a.Grants(ctx, a.Who, q)
		})
		if err != nil {
			return err
		}
		if l.JSON {
			return lines(p, list, func(g grant.Grant) any { return view.GrantOf(g) })
		}
		table := p.table("GRANT", "STATE", "TENANT", "PERSON", "ISSUED", "REFRESHED", "USED", "EXPIRES")
		for _, g := range list {
			row(table, string(g.ID), string(g.State), string(g.Tenant), string(g.Person), stamp(g.Issued), stamp(g.Refreshed), stamp(g.Used), stamp(g.Expires))
		}
		return table.Flush()
	})
}

type grantsShowCmd struct {
	ID   string `arg:"" help:"The grant's id"`
	JSON bool   `help:"Print JSON"`
}

// Run shows everything but the tokens.
func (s grantsShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		g, err := a.Grant(ctx, a.Who, identity.GrantID(s.ID))
		if err != nil {
			return err
		}
		if s.JSON {
			return p.json(view.GrantOf(g))
		}
		table := p.table("GRANT", string(g.ID))
		for _, line := range [][2]string{
			{"state", string(g.State)}, {"person", string(g.Person)}, {"tenant", string(g.Tenant)}, {"account", g.Account},
			{"scopes", strings.Join(g.Scopes, " ")}, {"issued", stamp(g.Issued)}, {"refreshed", stamp(g.Refreshed)}, {"used", stamp(g.Used)},
			{"token expires", stamp(g.TokenExpires)}, {"next refresh", stamp(g.NextRefresh)}, {"expires unless used", stamp(g.Expires)},
			{"ended", stamp(g.Ended)}, {"last error", g.LastError},
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
		done, err := a.Revoke(ctx, a.Who, admin.Scope{Grant: identity.GrantID(s.ID)})
		if err != nil {
			return err
		}
		return p.say("The grant %s is revoked: its key and tokens are destroyed.\n%s%s", s.ID, followed(done), upstream(done))
	})
}

// followed says what else a revocation ended.
func followed(r admin.Revocation) string {
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
