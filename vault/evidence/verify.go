package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/ocsf"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// AuditReport is what a check of the audit records found.
type AuditReport struct {
	Chains  []audit.Chain
	Records int64
	// Checkpoints were held against them; Torn ones had been cut short when
	// they were written and prove nothing.
	Checkpoints, Torn int
}

// VerifyAudit checks all chains. [audit.BrokenError] in its error names the
// record at which a chain is broken.
func (k *Keeper) VerifyAudit(ctx context.Context) (AuditReport, error) {
	return k.verify(ctx, AuditReport{}, nil)
}

// VerifyAuditAgainst checks all chains, and that they still have what the
// checkpoints in a file say. The verifier key "" means this vault's own.
func (k *Keeper) VerifyAuditAgainst(ctx context.Context, file io.Reader, key string) (AuditReport, error) {
	if key == "" {
		var err error
		if key, err = k.AuditKey(ctx); err != nil {
			return AuditReport{}, err
		}
	}
	list, torn, err := audit.ReadCheckpoints(file, key)
	if wrong, ok := errors.AsType[*audit.CheckpointError](err); ok {
		return AuditReport{}, usererr.New(usererr.Settings, "The checkpoints cannot be relied on: "+wrong.Error(),
			"Take the file and the key from where the vault itself cannot change them; coatcheck-vault audit key prints the key")
	} else if err != nil {
		return AuditReport{}, err
	}
	return k.verify(ctx, AuditReport{Checkpoints: len(list), Torn: torn}, list)
}

func (k *Keeper) verify(ctx context.Context, report AuditReport, list []audit.Checkpoint) (AuditReport, error) {
	var err error
	report.Chains, err = k.audit.Verify(ctx, list...)
	for _, c := range report.Chains {
		report.Records += c.Records
	}
	if _, broken := errors.AsType[*audit.BrokenError](err); broken {
		return report, usererr.Wrap(err, usererr.Internal, "The audit records are not intact: "+err.Error(),
			"Keep the database as it is and find out who had access to it")
	}
	return report, err
}

// Verify checks all chains, and that they still have what this vault's own
// checkpoints say, if there are any.
func (k *Keeper) Verify(ctx context.Context) (AuditReport, error) {
	name := k.cfg.Settings.Audit.Checkpoints
	if name == "" {
		return k.VerifyAudit(ctx)
	}
	file, err := os.Open(k.cfg.Settings.Path(name))
	if err != nil {
		return AuditReport{}, usererr.Wrap(err, usererr.Settings, "The file of audit.checkpoints cannot be read", "Look where it is")
	}
	defer func() { _ = file.Close() }() // only read
	return k.VerifyAuditAgainst(ctx, file, "")
}

// AuditExport says which records are exported, and how.
type AuditExport struct {
	Format  string // "jsonl", "cef" or "ocsf"
	Tenant  string // whose chain; "" for all
	After   int64  // only later records of each
	Version string // of this program
}

// ExportAudit writes records. That somebody took them is on record first, in
// the vault's own chain.
func (k *Keeper) ExportAudit(ctx context.Context, w io.Writer, x AuditExport) error {
	tenants, err := k.audit.Tenants(ctx)
	if err != nil {
		return err
	}
	what := "all tenants"
	if x.Tenant != "" {
		if !slices.Contains(tenants, identity.TenantID(x.Tenant)) {
			return usererr.New(usererr.NotFound, "There are no audit records of a tenant "+x.Tenant, "List what there is with: coatcheck-vault audit list")
		}
		tenants, what = []identity.TenantID{identity.TenantID(x.Tenant)}, "tenant "+x.Tenant
	} else if !slices.Contains(tenants, "") {
		tenants = append(tenants, "") // which begins with what is recorded now
	}
	if err := k.cfg.Record(ctx, audit.Entry{Event: "audit.exported", Objects: []string{what}}); err != nil {
		return err
	}
	how := audit.Export{Format: audit.Format(x.Format), Tenants: tenants, After: x.After, Version: x.Version}
	if x.Format == "ocsf" {
		how.Append = ocsf.Append
	}
	if _, err := k.audit.Export(ctx, w, how); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	return nil
}
