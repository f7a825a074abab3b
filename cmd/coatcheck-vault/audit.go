package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/buildinfo"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List records, oldest first, from the end"`
	Verify auditVerifyCmd `cmd:"" help:"Check that no record was changed, added, removed or moved"`
	Prove  auditProveCmd  `cmd:"" help:"Say whether a record with hashes is about certain arguments and a certain result"`
	Export auditExportCmd `cmd:"" help:"Write records as JSON Lines or for a SIEM"`
	Key    auditKeyCmd    `cmd:"" help:"Print the key that verifies the checkpoints of this vault"`
}

type auditListCmd struct {
	Tenant string    `placeholder:"NAME" help:"Only this tenant's chain; - is the vault's own (default: all)"`
	Person string    `placeholder:"ID" help:"Only what this person did, or what was done to him or her"`
	Event  string    `placeholder:"KIND" help:"Only this kind, such as grant.revoked, or all that begin so, such as grant"`
	By     string    `placeholder:"WHO" help:"Only what this administrator did, such as key:NAME or os:USER"`
	Since  time.Time `placeholder:"TIME" help:"Only from this time on, such as 2026-01-31T00:00:00Z"`
	Until  time.Time `placeholder:"TIME" help:"Only up to this time"`
	Last   int       `default:"200" help:"How many, counted from the end"`
	JSON   bool      `help:"Print JSON Lines"`
}

// Run lists records as a table.
func (l auditListCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		list, err := l.read(ctx, a)
		if err != nil {
			return err
		}
		if l.JSON {
			return lines(p, list, func(r admin.Record) any { return view.RecordOf(r) })
		}
		table := p.table("TENANT", "SEQ", "TIME", "EVENT", "OUTCOME", "TOOL", "PERSON", "DEVICE", "OBJECTS", "BY", "DETAIL")
		for _, r := range list {
			e := r.Entry
			row(table, orDash(string(r.Tenant)), strconv.FormatInt(r.Seq, 10), stamp(e.Time), e.Event, e.Outcome, orDash(e.Tool), orDash(string(e.Person)),
				orDash(short(string(e.Device))), orDash(strings.Join(e.Objects, " ")), orDash(e.By), orDash(strings.TrimSpace(e.Code+" "+e.Detail)))
		}
		return table.Flush()
	})
}

// read returns the last records, the oldest first.
func (l auditListCmd) read(ctx context.Context, a *vault.Admin) ([]admin.Record, error) {
	q := admin.RecordQuery{Tenant: l.Tenant, Person: identity.PersonID(l.Person), Event: l.Event, By: l.By, Since: l.Since, Until: l.Until}
	var all []admin.Record
	for len(all) < l.Last {
		q.Limit = min(l.Last-len(all), admin.MaxLimit)
		page, err := a.Records(ctx, a.Who, q)
		if err != nil {
			return nil, err
		}
		if all = append(all, page.Items...); page.Next == "" {
			break
		}
		q.Cursor = page.Next
	}
	slices.Reverse(all)
	return all, nil
}

type auditVerifyCmd struct {
	Checkpoints string `placeholder:"FILE" help:"Also compare with the checkpoints in this file, which find a chain that was cut off or written anew"`
	Objects     string `placeholder:"FOLDER" help:"Also compare with the checkpoints in this folder of audit objects, and check the records that were exported there before they were dropped"`
	Key         string `placeholder:"VKEY" help:"Key that checkpoints and segments are signed with (default: this vault's own)"`
}

// Run verifies all chains.
func (v auditVerifyCmd) Run(ctx context.Context, p program, c *cli) error {
	from := evidence.AuditSources{Objects: v.Objects, Key: v.Key}
	if v.Checkpoints != "" {
		file, err := os.Open(v.Checkpoints)
		if err != nil {
			return usererr.Wrap(err, usererr.Settings, "The file of checkpoints cannot be read", "Name it with --checkpoints")
		}
		defer func() { _ = file.Close() }() // only read
		from.Checkpoints = file
	}
	return p.admin(ctx, c, func(a *vault.Admin) error {
		report, err := a.VerifyAudit(ctx, from)
		if err != nil {
			return err
		}
		if v.Checkpoints == "" && v.Objects == "" {
			return errors.Join(p.say("%d records, all intact.", report.Records), p.dropped(report))
		}
		return errors.Join(p.say("%d records, all intact, compared with %d checkpoints.", report.Records, report.Checkpoints), p.dropped(report), p.signed(report))
	})
}

// dropped says which chains have lost their begin, and what was exported of it.
func (p program) dropped(report evidence.AuditReport) (err error) {
	for _, c := range report.Chains {
		if c.Dropped > 0 {
			err = errors.Join(err, p.say("The chain of %s begins with record %d, behind a signed segment: what was before is older than observability.retention.",
				first(string(c.Tenant), "the vault itself"), c.Dropped+1))
		}
	}
	if report.Archive.Segments > 0 {
		err = errors.Join(err, p.say("%d exported records in %d segments, all intact.", report.Archive.Records, report.Archive.Segments))
	}
	return err
}

func first(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

// signed says how far the checkpoints reach.
func (p program) signed(report evidence.AuditReport) error {
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

type auditProveCmd struct {
	Seq       int64  `arg:"" help:"The record's number"`
	Tenant    string `placeholder:"NAME" required:"" help:"The tenant whose chain it is in"`
	Arguments string `type:"existingfile" placeholder:"FILE" help:"What was asked, as JSON"`
	Result    string `type:"existingfile" placeholder:"FILE" help:"What was answered, as JSON (the structured content)"`
}

// Run compares.
func (x auditProveCmd) Run(ctx context.Context, p program, c *cli) error {
	if x.Arguments == "" && x.Result == "" {
		return usererr.New(usererr.Settings, "There is nothing to compare the record with", "Name a file with --arguments, --result or both")
	}
	proof := evidence.AuditProof{Tenant: x.Tenant, Seq: x.Seq}
	for _, part := range []struct {
		file string
		to   *[]byte
	}{{x.Arguments, &proof.Arguments}, {x.Result, &proof.Result}} {
		if part.file == "" {
			continue
		}
		text, err := os.ReadFile(part.file)
		if err != nil {
			return usererr.Wrap(err, usererr.Settings, "The file "+part.file+" cannot be read", "Name one that can")
		}
		*part.to = append([]byte{}, text...)
	}
	return p.admin(ctx, c, func(a *vault.Admin) error {
		arguments, result, err := a.ProveAudit(ctx, proof)
		if err != nil {
			return err
		}
		if x.Arguments != "" && !arguments || x.Result != "" && !result {
			return usererr.New(usererr.Internal, "The record is about something else than that", "Compare with what the client sent and got, unchanged")
		}
		return p.say("The record is about that.")
	})
}

type auditExportCmd struct {
	Format string `enum:"jsonl,cef,ocsf" default:"jsonl" help:"jsonl: JSON Lines with all that a chain is made of; cef: Common Event Format for a SIEM; ocsf: JSON Lines in the Open Cybersecurity Schema Framework, with the chain"`
	Tenant string `placeholder:"NAME" help:"Only this tenant's chain (default: all)"`
	After  int64  `placeholder:"SEQ" help:"Only the records of each chain after this number"`
}

// Run writes records, one a line.
func (x auditExportCmd) Run(ctx context.Context, p program, c *cli) error {
	return p.admin(ctx, c, func(a *vault.Admin) error {
		return a.ExportAudit(ctx, p.out, evidence.AuditExport{Format: x.Format, Tenant: x.Tenant, After: x.After, Version: buildinfo.Version()})
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
