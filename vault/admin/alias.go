package admin

import (
	"context"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// alias notes what stands for k in the records of the chains where there may
// be some, if who may know it and people are named so, or match asks for it.
func (d *Desk) alias(ctx context.Context, who Actor, k *Known, match string) (err error) {
	if d.cfg.Aliases || keyed.IsPerson(identity.PersonID(match)) {
		k.InRecords, err = d.aliases(ctx, who, k.ID, append(k.Tenants(), ""))
	}
	return err
}

// aliases are what stands for a person in chains. It is for administrators
// only: that is what hashes are for.
func (d *Desk) aliases(ctx context.Context, who Actor, person identity.PersonID, chains []identity.TenantID) (map[identity.TenantID]identity.PersonID, error) {
	if d.cfg.Alias == nil || who.Role != identity.Administrator || person == "" || keyed.IsPerson(person) {
		return nil, nil
	}
	all := map[identity.TenantID]identity.PersonID{}
	for _, chain := range chains {
		alias, err := d.cfg.Alias(ctx, chain, person)
		if err != nil {
			return nil, usererr.Wrap(err, usererr.Unavailable, "The key for people in audit records cannot be opened", "Look at the key-encryption key and the store")
		}
		if alias != "" {
			all[chain] = alias
		}
	}
	return all, nil
}
