package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type peopleCmd struct {
	List    peopleListCmd    `cmd:"" help:"List the people who have a session or a grant, or had one"`
	Show    peopleShowCmd    `cmd:"" help:"Show one person with all sessions and grants"`
	Revoke  peopleRevokeCmd  `cmd:"" help:"Take all access of a person away now: sessions, grants, keys and tokens"`
	Restore peopleRestoreCmd `cmd:"" help:"Let a person sign in again whom an anomaly suspended"`
}

type peopleListCmd struct {
	Match string `placeholder:"TEXT" help:"Only those with this in the id, the name or the e-mail address, or who is named so in audit records"`
	JSON  bool   `help:"Print JSON Lines"`
}

// Run lists people.
func (l peopleListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := everything(func(at admin.Paging) (admin.Page[admin.Known], error) {
			return a.People(ctx, a.Who, admin.PersonQuery{Match: l.Match, Paging: at})
		})
		if err != nil {
			return err
		}
		now := time.Now()
		if l.JSON {
			return lines(p, list, func(k admin.Known) any { return view.PersonOf(k, now) })
		}
		aliases := slices.ContainsFunc(list, func(k admin.Known) bool { return len(k.InRecords) > 0 })
		head := []string{"PERSON", "NAME", "TENANTS", "SESSIONS", "GRANTS", "USED"}
		if aliases {
			head = append(head, "IN RECORDS")
		}
		table := p.table(head...)
		for _, k := range list {
			v := view.PersonOf(k, now)
			cells := []string{v.ID, orDash(v.Name), strings.Join(v.Tenants, " "), strconv.Itoa(v.Sessions), strconv.Itoa(v.Grants), stamp(k.Used())}
			if aliases {
				cells = append(cells, inRecords(v))
			}
			row(table, cells...)
		}
		return table.Flush()
	})
}

// inRecords is what stands for a person in each chain of records.
func inRecords(v view.Person) string {
	var all []string
	for _, chain := range slices.Sorted(maps.Keys(v.InRecords)) {
		all = append(all, chain+":"+v.InRecords[chain])
	}
	return strings.Join(all, " ")
}

type peopleShowCmd struct {
	ID   string `arg:"" help:"The person's id"`
	JSON bool   `help:"Print JSON"`
}

// Run shows one person.
func (s peopleShowCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		k, err := a.Person(ctx, a.Who, identity.PersonID(s.ID))
		if err != nil {
			return err
		}
		now := time.Now()
		if s.JSON {
			return p.json(view.WholePersonOf(k, now))
		}
		v := view.PersonOf(k, now)
		table := p.table("PERSON", v.ID)
		for _, line := range [][2]string{{"name", v.Name}, {"e-mail", v.Email}, {"tenants", strings.Join(v.Tenants, " ")}, {"accounts", strings.Join(v.Accounts, " ")}, {"in records", inRecords(v)}, {"used", stamp(k.Used())}} {
			row(table, line[0], orDash(line[1]))
		}
		for _, one := range k.Sessions {
			row(table, "session", string(one.ID)+" "+admin.State(one, now)+" on "+orDash(one.Shown.Host))
		}
		for _, g := range k.Grants {
			row(table, "grant", string(g.ID)+" "+string(g.State)+" at "+string(g.Tenant))
		}
		return table.Flush()
	})
}

type peopleRevokeCmd struct {
	ID  string `arg:"" help:"The person's id"`
	Yes bool   `help:"Do it; without, it is only said what would be done"`
}

// Run revokes all access of one person.
func (r peopleRevokeCmd) Run(ctx context.Context, p program, c *cli) error {
	return revokeCmd{Person: r.ID, Yes: r.Yes}.Run(ctx, p, c)
}
