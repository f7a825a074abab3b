package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List records, oldest first"`
	Verify auditVerifyCmd `cmd:"" help:"Check that no record was changed, added, removed or moved"`
}

type auditListCmd struct {
	Tenant string `placeholder:"NAME" help:"Only this tenant's chain (default: all)"`
	Last   int    `default:"200" help:"How many records of each chain, counted from its end"`
}

// Run lists records as a table.
func (l auditListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		table := p.table("TENANT", "SEQ", "TIME", "EVENT", "OUTCOME", "TOOL", "PERSON", "DEVICE", "OBJECTS", "DETAIL")
		err := a.Audit(ctx, l.Tenant, l.Last, func(r vault.AuditRecord) {
			e := r.Entry
			row(table, orDash(string(r.Tenant)), strconv.FormatInt(r.Seq, 10), stamp(e.Time), e.Event, e.Outcome, orDash(e.Tool), orDash(string(e.Person)),
				orDash(short(string(e.Device))), orDash(strings.Join(e.Objects, " ")), orDash(strings.TrimSpace(e.Code+" "+e.Detail)))
		})
		if err != nil {
			return err
		}
		return table.Flush()
	})
}

type auditVerifyCmd struct{}

// Run verifies all chains.
func (auditVerifyCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		count, err := a.VerifyAudit(ctx)
		if err != nil {
			return usererr.Wrap(err, usererr.Internal, "The audit records are not intact: "+err.Error(), "Keep the database as it is and find out who had access to it")
		}
		return p.say("%d records, all intact.", count)
	})
}
