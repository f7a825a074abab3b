package dial

import (
	"net/url"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Problem is why no vault can be dialled: the settings are unusable, or do not
// say where a safe one is. It is nil if one can.
func Problem(vault *url.URL, settings error) *usererr.Error {
	if settings != nil {
		if known, ok := usererr.From(settings); ok {
			return known
		}
		return usererr.Wrap(settings, usererr.Settings, "The settings of Coatcheck cannot be used", "Run 'coatcheck status' to see why")
	}
	if vault == nil {
		return usererr.New(usererr.Settings, "Coatcheck does not know the address of its vault", "Put the vault's URL into the settings; 'coatcheck status' says where they are")
	}
	if !Safe(vault) {
		return usererr.New(usererr.Settings, "The vault's address "+vault.Scheme+"://"+vault.Host+" is not a safe one",
			"It must begin with https:// (http:// only works for a vault on this computer)")
	}
	return nil
}
