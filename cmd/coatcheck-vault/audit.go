package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List records, oldest first"`
	Verify auditVerifyCmd `cmd:"" help:"Check that no record was changed, added, removed or moved"`
	Export auditExportCmd `cmd:"" help:"Write records as JSON Lines or for a SIEM"`
	Key    auditKeyCmd    `cmd:"" help:"Print the key that verifies the checkpoints of this vault"`
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

type auditVerifyCmd struct {
	Checkpoints string `placeholder:"FILE" help:"Also compare with the checkpoints in this file, which find a chain that was cut off or written anew"`
	Key         string `placeholder:"VKEY" help:"Key that the checkpoints are signed with (default: this vault's own)"`
}

// Run verifies all chains.
func (v auditVerifyCmd) Run(ctx context.Context, p program, c *cli) error {
	if v.Checkpoints == "" {
		if v.Key != "" {
			return usererr.New(usererr.Settings, "The option --key says who signed checkpoints, and there are none", "Name their file with --checkpoints")
		}
		return p.admin(ctx, c, func(a *vault.Admin) error {
			report, err := a.VerifyAudit(ctx)
			if err != nil {
				return err
			}
			return p.say("%d records, all intact.", report.Records)
		})
	}
	file, err := os.Open(v.Checkpoints)
	if err != nil {
		return usererr.Wrap(err, usererr.Settings, "The file of checkpoints cannot be read", "Name it with --checkpoints")
	}
	defer func() { _ = file.Close() }() // only read
	return p.admin(ctx, c, func(a *vault.Admin) error {
		report, err := a.VerifyAuditAgainst(ctx, file, v.Key)
		if err != nil {
			return err
		}
		return errors.Join(p.say("%d records, all intact, compared with %d checkpoints.", report.Records, report.Checkpoints), p.signed(report))
	})
}

// signed says how far the checkpoints reach.
func (p program) signed(report vault.AuditReport) error {
	if report.Torn > 0 {
		if err := p.say("%d more had been cut short when they were written, and prove nothing.", report.Torn); err != nil {
			return err
		}
	}
	table := p.table("TENANT", "RECORDS", "SIGNED TO")
	for _, c := range report.Chains {
		row(table, orDash(string(c.Tenant)), strconv.FormatInt(c.Records, 10), strconv.FormatInt(c.Signed, 10))
	}
	return table.Flush()
}

type auditExportCmd struct {
	Format string `enum:"jsonl,cef" default:"jsonl" help:"jsonl: JSON Lines with all that a chain is made of; cef: Common Event Format for a SIEM"`
	Tenant string `placeholder:"NAME" help:"Only this tenant's chain (default: all)"`
	After  int64  `placeholder:"SEQ" help:"Only the records of each chain after this number"`
}

// Run writes records, one a line.
func (x auditExportCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		return a.ExportAudit(ctx, p.out, vault.AuditExport{Format: x.Format, Tenant: x.Tenant, After: x.After, Version: buildinfo.Version()})
	})
}

type auditKeyCmd struct{}

// Run prints the verifier key.
func (auditKeyCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		key, err := a.AuditKey(ctx)
		if err != nil {
			return err
		}
		return p.say("%s", key)
	})
}
