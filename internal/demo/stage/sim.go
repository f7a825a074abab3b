package stage

import "github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"

// newSim is the company's Atlassian, with the vault's app registered.
func newSim(opt atlassiansim.Options, _, vaultURL string) *atlassiansim.Sim {
	opt.Apps = []atlassiansim.App{{
		ClientID: ClientID, Secret: clientSecret, Name: "Coatcheck",
		Callback: vaultURL + "/callback/" + Tenant,
	}}
	return atlassiansim.New(opt)
}
