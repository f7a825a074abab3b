package evidence

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// hashKey names the secret of the keyed hashes in the store.
const hashKey = "audit hashes"

// open opens what makes the keyed hashes, once: its secret is wrapped in the
// store like the vault's other keys. What fails is tried again the next time.
func (k *Keeper) open(ctx context.Context) (*keyed.Hasher, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.hasher != nil {
		return k.hasher, nil
	}
	kek, err := k.cfg.KEK(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := seal.VaultSecret(ctx, kek, k.cfg.Store, hashKey)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	k.hasher, err = keyed.New(secret)
	return k.hasher, err
}

// Alias is what stands for a person in the records of a chain where people are
// named by hash; "" if nobody ever was.
func (k *Keeper) Alias(ctx context.Context, tenant identity.TenantID, id identity.PersonID) (identity.PersonID, error) {
	if _, err := k.cfg.Store.VaultKey(ctx, hashKey); !k.ByHash() && errors.Is(err, seal.ErrNoVaultKey) {
		return "", nil
	}
	h, err := k.open(ctx)
	if err != nil {
		return "", err
	}
	return h.Person(tenant, id), nil
}

// ByHash reports whether people are named by hash.
func (k *Keeper) ByHash() bool {
	return k.cfg.Settings.Observability.Attribution == string(audit.ByHash)
}

// hashes reports whether records need keyed hashes.
func (k *Keeper) hashes() bool {
	level := audit.Level(k.cfg.Settings.Observability.Audit)
	return k.ByHash() || level == audit.Hashes || level == audit.Full
}

// AuditProof says what is to be proven of a record. Nil stands for nothing.
type AuditProof struct {
	Tenant            string
	Seq               int64
	Arguments, Result []byte // JSON
}

// ProveAudit reports whether a record is about these arguments and this
// result, by their keyed hashes. That somebody asked is on record.
func (k *Keeper) ProveAudit(ctx context.Context, p AuditProof) (arguments, result bool, err error) {
	tenant := identity.TenantID(p.Tenant)
	tenants, err := k.audit.Tenants(ctx)
	if err != nil {
		return false, false, err
	}
	var e audit.Entry
	list, err := k.audit.List(ctx, tenant, p.Seq-1, 1)
	if err == nil && len(list) == 1 && list[0].Seq == p.Seq && slices.Contains(tenants, tenant) {
		e, err = list[0].Entry()
	} else if err == nil {
		missing := usererr.New(usererr.NotFound, "There is no such audit record", "List them with: coatcheck-vault audit list")
		what := fmt.Sprintf("record %d of %s", p.Seq, p.Tenant)
		err = k.missed(ctx, audit.Entry{Event: "audit.proved", Objects: []string{what}}, missing)
	}
	if err != nil {
		return false, false, err
	}
	if p.Arguments != nil && e.ArgumentsHash == "" || p.Result != nil && e.ResultHash == "" {
		return false, false, usererr.New(usererr.BadInput, "The record has no hash of that",
			"Records have hashes while observability.audit is hashes or full, and of a result only if there was one")
	}
	h, err := k.open(ctx)
	if err != nil {
		return false, false, k.cfg.KeyError(hashKey, err)
	}
	arguments = p.Arguments != nil && h.Arguments(tenant, p.Arguments) == e.ArgumentsHash
	result = p.Result != nil && h.Result(tenant, p.Result) == e.ResultHash
	return arguments, result, k.cfg.Record(ctx, audit.Entry{Event: "audit.proved", Tenant: tenant, Call: e.Call, Person: e.Person, Objects: []string{"record"}})
}
