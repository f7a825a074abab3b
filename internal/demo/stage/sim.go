package stage

import "github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"

// newSim is the company's Atlassian, with the vault's app registered. Its wiki
// can be looked at where it runs.
func newSim(opt atlassiansim.Options, simURL, vaultURL string) *atlassiansim.Sim {
	opt.Apps = []atlassiansim.App{{
		ClientID: ClientID, Secret: clientSecret, Name: "Coatcheck",
		Callback: vaultURL + "/callback/" + Tenant,
	}}
	if opt.Sites == nil {
		opt.Sites = []atlassiansim.Site{{Name: "acme", URL: simURL}}
	}
	return atlassiansim.New(opt)
}
