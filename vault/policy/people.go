package policy

import (
	"maps"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// People says by the groups of the company's sign-in who may use which tenant
// and who has which role. It is not changed once it is in use.
type People struct {
	// Tenants has the groups of each tenant; one of them is enough. A tenant
	// without groups is for everybody who can sign in.
	Tenants map[identity.TenantID][]string
	// Roles has the groups of each role. A role without groups is nobody's.
	Roles map[identity.Role][]string
}

// NeedGroups reports whether groups decide anything.
func (p *People) NeedGroups() bool {
	for _, groups := range p.Tenants {
		if len(groups) > 0 {
			return true
		}
	}
	for _, groups := range p.Roles {
		if len(groups) > 0 {
			return true
		}
	}
	return false
}

// TenantsOf are the tenants that a member of groups may use, in order.
func (p *People) TenantsOf(groups []string) []identity.TenantID {
	var all []identity.TenantID
	for _, tenant := range slices.Sorted(maps.Keys(p.Tenants)) {
		if wanted := p.Tenants[tenant]; len(wanted) == 0 || shared(wanted, groups) {
			all = append(all, tenant)
		}
	}
	return all
}

// RolesOf are the roles that a member of groups has, in order.
func (p *People) RolesOf(groups []string) []identity.Role {
	var all []identity.Role
	for _, role := range slices.Sorted(maps.Keys(p.Roles)) {
		if shared(p.Roles[role], groups) {
			all = append(all, role)
		}
	}
	return all
}
