package atlassian

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const (
	resourcesPath = "/oauth/token/accessible-resources"
	mePath        = "/me"
	maxAccountID  = 128
)

// resource is an entry of accessible-resources. Jira and Confluence of one
// site are two entries with one id.
type resource struct {
	ID     string   `json:"id"`
	URL    string   `json:"url"`
	Scopes []string `json:"scopes"`
}

// Account asks who consented and which of the tenant's sites the token
// reaches: at least one. Its errors are user errors.
func (a *App) Account(ctx context.Context, access secret.String) (identity.Person, []grant.Site, error) {
	sites, err := a.sites(ctx, access)
	if err != nil {
		return identity.Person{}, nil, err
	}
	who, err := a.me(ctx, access)
	return who, sites, err
}

// sites asks which of the tenant's sites the token reaches. Others, and other
// products, are left out: what the settings do not name does not exist.
func (a *App) sites(ctx context.Context, access secret.String) ([]grant.Site, error) {
	var all []resource
	if err := a.get(ctx, resourcesPath, access, &all); err != nil {
		return nil, usererr.Wrap(fmt.Errorf("asking for sites: %w", err), usererr.Unavailable,
			"Atlassian could not say which sites you may use", askAgain)
	}
	var sites []grant.Site
	for _, wanted := range a.cfg.Sites {
		at := slices.IndexFunc(all, func(r resource) bool {
			return r.ID != "" && plainID(r.ID) && origin(r.URL) == origin(wanted.URL) && slices.ContainsFunc(r.Scopes, ofConfluence)
		})
		if at >= 0 {
			sites = append(sites, grant.Site{Name: wanted.Name, CloudID: all[at].ID, URL: origin(wanted.URL)})
		}
	}
	if len(sites) == 0 {
		return nil, usererr.New(usererr.Denied, "The Atlassian account that you chose reaches none of the allowed sites ("+strings.Join(a.SiteNames(), ", ")+"), so nothing was stored",
			"Sign in again with the account that you use there, or ask its administrator for access to Confluence")
	}
	return sites, nil
}

// plainID wants an id that can be part of a path and mean nothing else.
func plainID(id string) bool {
	return len(id) <= maxAccountID && !strings.ContainsFunc(id, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

func ofConfluence(scope string) bool {
	return strings.HasSuffix(scope, ":confluence") || strings.Contains(scope, "confluence-") ||
		strings.Contains(scope, "confluence.") || strings.HasPrefix(scope, "readonly:content.")
}

// me asks who consented. Without corporate sign-in that is who the person is.
func (a *App) me(ctx context.Context, access secret.String) (identity.Person, error) {
	var who struct {
		ID     string `json:"account_id"`
		Status string `json:"account_status"`
		Name   string `json:"name"`
		Email  string `json:"email"`
	}
	if err := a.get(ctx, mePath, access, &who); err != nil {
		return identity.Person{}, usererr.Wrap(fmt.Errorf("asking who it is: %w", err), usererr.Unavailable,
			"Atlassian could not say whose account this is", askAgain)
	}
	if who.ID == "" || len(who.ID) > maxAccountID || remote.Clean(who.ID) != who.ID {
		return identity.Person{}, usererr.New(usererr.Internal, "Atlassian did not say whose account this is", tellAdministrator)
	}
	if who.Status != "" && who.Status != "active" {
		return identity.Person{}, usererr.New(usererr.Denied, "This Atlassian account is not active, so nothing was stored", "Ask your Atlassian administrator")
	}
	return identity.Person{
		ID:      identity.NewPersonID(a.cfg.Issuer, who.ID),
		Issuer:  a.cfg.Issuer,
		Subject: who.ID,
		Name:    remote.Clean(who.Name),
		Email:   remote.Clean(who.Email),
	}, nil
}
