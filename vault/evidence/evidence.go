package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// checkpointKey is the key that signs audit checkpoints. It never leaves the
// vault, and in the store it is wrapped like all others: whoever can write the
// store cannot sign.
func checkpointKey(ctx context.Context, kek seal.KEK, store seal.KeyStore) (*audit.Key, error) {
	seed, err := seal.VaultSecret(ctx, kek, store, "audit checkpoints")
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	return audit.NewKey(seed)
}

// openNotary opens the file of audit checkpoints; nil without one.
func (v *assembly) openNotary() (*audit.Notary, error) {
	name := v.cfg.Settings.Audit.Checkpoints
	if name == "" {
		return nil, nil
	}
	n, err := audit.NewNotary(audit.NotaryConfig{Log: v.audit, Key: v.signer, File: v.cfg.Settings.Path(name), Logger: v.log})
	switch {
	case errors.Is(err, audit.ErrNotary):
		return nil, usererr.Wrap(err, usererr.Settings, "The file "+name+" of audit.checkpoints holds something other than checkpoints by this vault's key",
			"Keep it and name another file. Nothing was overwritten")
	case err != nil:
		return nil, usererr.Wrap(err, usererr.Settings, "The file "+name+" of audit.checkpoints cannot be opened", "Let it be a file that the vault may read and append to")
	}
	return n, nil
}

// AuditKey is the verifier key of this vault's audit checkpoints.
func (a *Admin) AuditKey(ctx context.Context) (string, error) {
	ring, err := openRing(ctx, a.settings, a.db, false)
	if err != nil {
		return "", err
	}
	key, err := checkpointKey(ctx, ring, a.db)
	if err != nil {
		return "", keyError("audit checkpoints", a.settings.Keys.KEK, err)
	}
	return key.Verifier(), nil
}

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
func (a *Admin) VerifyAudit(ctx context.Context) (AuditReport, error) {
	return a.verify(ctx, AuditReport{}, nil)
}

// VerifyAuditAgainst checks all chains, and that they still have what the
// checkpoints in a file say. The verifier key "" means this vault's own.
func (a *Admin) VerifyAuditAgainst(ctx context.Context, file io.Reader, key string) (AuditReport, error) {
	if key == "" {
		var err error
		if key, err = a.AuditKey(ctx); err != nil {
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
	return a.verify(ctx, AuditReport{Checkpoints: len(list), Torn: torn}, list)
}

func (a *Admin) verify(ctx context.Context, report AuditReport, list []audit.Checkpoint) (AuditReport, error) {
	var err error
	report.Chains, err = a.audit.Verify(ctx, list...)
	for _, c := range report.Chains {
		report.Records += c.Records
	}
	if _, broken := errors.AsType[*audit.BrokenError](err); broken {
		return report, usererr.Wrap(err, usererr.Internal, "The audit records are not intact: "+err.Error(),
			"Keep the database as it is and find out who had access to it")
	}
	return report, err
}

// AuditExport says which records are exported, and how.
type AuditExport struct {
	Format  string // "jsonl" or "cef"
	Tenant  string // whose chain; "" for all
	After   int64  // only later records of each
	Version string // of this program
}

// ExportAudit writes records. That somebody took them is on record first, in
// the vault's own chain.
func (a *Admin) ExportAudit(ctx context.Context, w io.Writer, x AuditExport) error {
	tenants, err := a.audit.Tenants(ctx)
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
	if err := a.record(ctx, audit.Entry{Event: "audit.exported", Objects: []string{what}}); err != nil {
		return err
	}
	if _, err := a.audit.Export(ctx, w, audit.Export{Format: audit.Format(x.Format), Tenants: tenants, After: x.After, Version: x.Version}); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	return nil
}
