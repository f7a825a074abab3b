// Package sites finds out which site a call is about, from the name, address
// or id of a site, or from the address of a page. All its errors are user
// errors.
package sites

import (
	"errors"
	"net/url"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
)

// Choose finds the site that name (may be "") and page (may be "") mean among
// those that a grant reaches.
func Choose(list []grant.Site, name, page string) (grant.Site, error) {
	if len(list) == 0 {
		return grant.Site{}, usererr.New(usererr.Denied, "Your sign-in reaches no Confluence site",
			"Ask the administrator which site to choose, then sign in again with: coatcheck login")
	}
	byPage := -1
	if strings.Contains(page, "://") {
		found, err := Page(page, list)
		if err != nil {
			return grant.Site{}, err
		}
		byPage = found.Site
	}
	byName := -1
	if name != "" {
		if byName = named(list, name); byName < 0 {
			return grant.Site{}, usererr.New(usererr.BadInput, "There is no site of that name", "Sites: "+names(list))
		}
	}
	switch {
	case byPage >= 0 && byName >= 0 && byPage != byName:
		return grant.Site{}, usererr.New(usererr.BadInput, "The page's address is on another site than the one named", "Leave out site")
	case byPage >= 0:
		return list[byPage], nil
	case byName >= 0:
		return list[byName], nil
	case len(list) == 1:
		return list[0], nil
	}
	return grant.Site{}, usererr.New(usererr.BadInput, "You have several sites, and the call does not say which", "Give site, one of: "+names(list))
}

// Page reads a page's id or address on one of the sites.
func Page(ref string, list []grant.Site) (confluence.Address, error) {
	addresses := make([]string, len(list))
	for i, s := range list {
		addresses[i] = s.URL
	}
	found, err := confluence.ParseAddress(ref, addresses)
	switch {
	case errors.Is(err, confluence.ErrForeign):
		return found, usererr.Wrap(err, usererr.BadInput, "The address is not on a Confluence site of yours", "Sites: "+names(list))
	case err != nil:
		return found, usererr.Wrap(err, usererr.BadInput, "The page is named in a way that is not understood",
			"Give its id, its address (…/wiki/spaces/KEY/pages/123/Title), a short link (…/wiki/x/CODE), or space and title")
	}
	return found, nil
}

func named(list []grant.Site, name string) int {
	host := name
	if u, err := url.Parse(name); err == nil && u.Host != "" {
		host = u.Host
	}
	for i, s := range list {
		u, err := url.Parse(s.URL)
		if strings.EqualFold(s.Name, name) || s.CloudID == name || err == nil && strings.EqualFold(u.Host, host) {
			return i
		}
	}
	return -1
}

func names(list []grant.Site) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = s.Name + " (" + s.URL + ")"
	}
	return strings.Join(all, ", ")
}
