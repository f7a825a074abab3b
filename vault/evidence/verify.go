package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/cef"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/export"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/ocsf"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// AuditReport is what a check of the audit records found.
type AuditReport struct {
	Chains  []audit.Chain
	Records int64
	// Checkpoints were held against them; Torn ones had been cut short when
	// they were written and prove nothing.
	Checkpoints, Torn int
	// Archive is what was exported before it was dropped, if that was checked.
	Archive retain.Archived
}

// AuditSources is what records are held against. The zero value is nothing but
// the records themselves.
type AuditSources struct {
	Checkpoints io.Reader // a file of checkpoints
	Objects     string    // a folder of audit objects
	Key         string    // verifies both; "" means this vault's own
}

// VerifyAudit checks all chains, and that they still have what the sources say.
// A chain may begin behind a segment that the vault sealed. [audit.BrokenError]
// in its error names the record at which a chain is broken.
func (k *Keeper) VerifyAudit(ctx context.Context, from AuditSources) (report AuditReport, err error) {
	key := func(ctx context.Context) (string, error) {
		if from.Key != "" {
			return from.Key, nil
		}
		return k.AuditKey(ctx)
	}
	if _, _, err := audit.ReadCheckpoints(strings.NewReader(""), from.Key); from.Key != "" && err != nil {
		return report, plain(err)
	}
	proof := audit.Proof{Key: key}
	complete := func() error { return nil }
	if from.Checkpoints != nil || from.Objects != "" {
		vkey, err := key(ctx)
		if err == nil {
			complete, err = k.dropped(ctx, from, vkey, &proof)
		}
		if err == nil {
			proof.Signed, err = report.sources(ctx, from, vkey)
		}
		if err != nil {
			return report, plain(err)
		}
	}
	report.Checkpoints = len(proof.Signed)
	report.Chains, err = k.audit.VerifyWith(ctx, proof)
	err = errors.Join(err, complete())
	for _, c := range report.Chains {
		report.Records += c.Records
	}
	return report, plain(err)
}

// dropped notes which segments have been dropped so far, before the archive is
// looked at, to which replicas may add meanwhile. What it returns checks that
// the archive has them, once all records have been read.
func (k *Keeper) dropped(ctx context.Context, from AuditSources, vkey string, proof *audit.Proof) (complete func() error, err error) {
	if from.Objects == "" {
		return func() error { return nil }, nil
	}
	tenants, err := k.audit.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	segments := make([][]audit.Segment, len(tenants))
	for i, tenant := range tenants {
		if segments[i], err = k.cfg.Store.AuditSegments(ctx, tenant); err != nil {
			return nil, err
		}
	}
	exported := map[identity.TenantID]int64{}
	proof.Each = func(r *audit.Record) {
		if first := retain.Exported(r); first > 0 && (exported[r.Tenant] == 0 || first < exported[r.Tenant]) {
			exported[r.Tenant] = first
		}
	}
	return func() (err error) {
		dir, err := objects.NewDir(from.Objects)
		if err != nil {
			return err
		}
		for i, tenant := range tenants {
			err = errors.Join(err, retain.Complete(ctx, dir, vkey, segments[i], exported[tenant]))
		}
		return err
	}, nil
}

// sources reads what is outside the store.
func (r *AuditReport) sources(ctx context.Context, from AuditSources, vkey string) (list []audit.Checkpoint, err error) {
	if from.Checkpoints != nil {
		if list, r.Torn, err = audit.ReadCheckpoints(from.Checkpoints, vkey); err != nil {
			return nil, err
		}
	}
	if from.Objects == "" {
		return list, nil
	}
	dir, err := objects.NewDir(from.Objects)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The folder of audit objects cannot be read", "Name it with --objects")
	}
	more, torn, err := audit.ReadObjects(ctx, dir, vkey)
	if err != nil {
		return nil, err
	}
	r.Archive, err = retain.VerifyArchive(ctx, dir, vkey)
	r.Torn += torn + r.Archive.Torn
	return append(list, more...), err
}

// plain says in plain words what is wrong with records or with what proves them.
func plain(err error) error {
	if wrong, ok := errors.AsType[*audit.CheckpointError](err); ok {
		return usererr.New(usererr.Settings, "The checkpoints cannot be relied on: "+wrong.Error(),
			"Take them and the key from where the vault itself cannot change them; coatcheck-vault audit key prints the key")
	}
	if _, broken := errors.AsType[*audit.BrokenError](err); broken || errors.Is(err, audit.ErrSegment) {
		return usererr.Wrap(err, usererr.Internal, "The audit records are not intact: "+err.Error(),
			"Keep the database as it is and find out who had access to it")
	}
	return err
}

// Verify checks all chains, and that they still have what this vault's own
// checkpoints say, if there are any.
func (k *Keeper) Verify(ctx context.Context) (AuditReport, error) {
	var from AuditSources
	if name := k.cfg.Settings.Audit.Checkpoints; name != "" {
		file, err := os.Open(k.cfg.Settings.Path(name))
		if err != nil {
			return AuditReport{}, usererr.Wrap(err, usererr.Settings, "The file of audit.checkpoints cannot be read", "Look where it is")
		}
		defer func() { _ = file.Close() }() // only read
		from.Checkpoints = file
	}
	if name := k.cfg.Settings.Audit.Objects; name != "" {
		from.Objects = k.cfg.Settings.Path(name)
	}
	return k.VerifyAudit(ctx, from)
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
			missing := usererr.New(usererr.NotFound, "There are no audit records of a tenant "+x.Tenant, "List what there is with: coatcheck-vault audit list")
			return k.missed(ctx, audit.Entry{Event: "audit.exported", Objects: []string{"tenant " + x.Tenant}}, missing)
		}
		tenants, what = []identity.TenantID{identity.TenantID(x.Tenant)}, "tenant "+x.Tenant
	} else if !slices.Contains(tenants, "") {
		tenants = append(tenants, "") // which begins with what is recorded now
	}
	if err := k.cfg.Record(ctx, audit.Entry{Event: "audit.exported", Objects: []string{what}}); err != nil {
		return err
	}
	how := export.Options{Format: export.Format(x.Format), Tenants: tenants, After: x.After, Version: x.Version}
	switch x.Format {
	case "cef":
		how.Append = cef.Append
	case "ocsf":
		how.Append = ocsf.Append
	}
	if _, err := export.Write(ctx, k.audit, w, how); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	return nil
}

// missed puts on record that an administrator asked for what is not there.
func (k *Keeper) missed(ctx context.Context, e audit.Entry, missing error) error {
	e.Outcome, e.Code = "error", string(usererr.CodeOf(missing))
	if err := k.cfg.Record(ctx, e); err != nil {
		return err
	}
	return missing
}
