package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const (
	maxGroups = 12_000 // Graph tells at most 11,000
	maxGroup  = 256    // bytes of one
)

// fill finds the groups, and a name where the ID token has none: in the token,
// with Entra ID from Graph where they do not fit, else at the userinfo endpoint.
// Where groups are needed and not told, it fails.
func (p *Provider) fill(ctx context.Context, m *metadata, c *claims, said tokens) (identity.SignIn, error) {
	var found identity.SignIn
	found.Refresh = secret.New(said.Refresh)
	var err error
	switch {
	case c.overage(p.cfg.GroupsClaim):
		found.Groups, err = p.fromGraph(ctx, said.Access)
		found.GroupsKnown = err == nil
	default:
		if found.Groups, found.GroupsKnown, err = c.groups(p.cfg.GroupsClaim); err != nil || found.GroupsKnown && c.Name != "" {
			break
		}
		// A name alone is worth no failure.
		more, asked := p.userinfo(ctx, m, c, said.Access)
		if asked != nil {
			if !found.GroupsKnown {
				err = asked
			}
			break
		}
		found.Person = identity.Person{Name: remote.Clean(more.Name), Email: remote.Clean(more.Email)}
		if !found.GroupsKnown {
			found.Groups, found.GroupsKnown, err = more.groups(p.cfg.GroupsClaim)
		}
	}
	switch {
	case !p.cfg.NeedGroups:
		err = nil
	case err == nil && !found.GroupsKnown:
		err = noGroups(errors.New("no claim has the groups"))
	}
	return found, err
}

func noGroups(cause error) error {
	return usererr.Wrap(fmt.Errorf("%w: %w", ErrNoGroups, cause), usererr.Denied, "Your company's sign-in did not tell your groups, which decide what you may use, so nothing was stored",
		"Ask the administrator to let the sign-in tell the vault your groups (identity.oidc.groups_claim)")
}

// overage reports whether there are more groups than fit into the token (Entra
// ID: about 200). Where they are is known; the address in the token is not
// followed.
func (c *claims) overage(name string) bool {
	_, elsewhere := c.Elsewhere[name]
	_, here := c.all[name]
	return elsewhere || bool(c.HasGroups) && !here
}

// groups reads the claim of that name; a dot leads into an object.
func (c *claims) groups(name string) (groups []string, known bool, err error) {
	raw, ok := c.all[name]
	for at := c.all; !ok; {
		head, rest, more := strings.Cut(name, ".")
		if !more {
			return nil, false, nil
		}
		var inner map[string]json.RawMessage
		if json.Unmarshal(at[head], &inner) != nil {
			return nil, false, nil
		}
		at, name = inner, rest
		raw, ok = at[name]
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		groups = []string{one}
	} else if err := json.Unmarshal(raw, &groups); err != nil || string(raw) == "null" {
		return nil, false, noGroups(errors.New("the claim with the groups is no list of texts"))
	}
	return bound(groups)
}

// bound refuses more than can be kept: groups that are left out would not be
// missed.
func bound(groups []string) ([]string, bool, error) {
	if len(groups) > maxGroups || slices.ContainsFunc(groups, func(g string) bool { return len(g) > maxGroup }) {
		return nil, false, noGroups(errors.New("there are too many groups"))
	}
	slices.Sort(groups)
	return slices.Compact(groups), true, nil
}

// fromGraph asks Microsoft Graph for the groups of the person, direct and
// through other groups.
func (p *Provider) fromGraph(ctx context.Context, access string) ([]string, error) {
	if p.cfg.Kind != Entra {
		return nil, noGroups(errors.New("the groups are elsewhere, and this is not Entra ID"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.cfg.Graph+"/me/getMemberObjects", strings.NewReader(`{"securityEnabledOnly":false}`))
	if err != nil {
		return nil, errors.New("the address of Graph is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+access)
	var said struct {
		Value []string `json:"value"`
		Next  string   `json:"@odata.nextLink"`
	}
	status, err := p.send(req, &said)
	switch {
	case err != nil:
		return nil, away(fmt.Errorf("asking Graph for groups: %w", err))
	case status >= 500, status == http.StatusTooManyRequests:
		return nil, away(fmt.Errorf("asking Graph for groups: answered %d", status))
	case status/100 != 2:
		return nil, noGroups(fmt.Errorf("asking Graph for groups: answered %d", status))
	case said.Value == nil || said.Next != "":
		return nil, noGroups(errors.New("there are more groups than Graph told"))
	}
	groups, _, err := bound(said.Value)
	return groups, err
}

// userinfo asks what is not in the ID token (OpenID Connect Core §5.3).
func (p *Provider) userinfo(ctx context.Context, m *metadata, c *claims, access string) (*claims, error) {
	if m.userinfo == "" || access == "" {
		return nil, noGroups(errors.New("there is no userinfo endpoint"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.userinfo, http.NoBody)
	if err != nil {
		return nil, errors.New("the userinfo endpoint is no address")
	}
	req.Header.Set("Authorization", "Bearer "+access)
	var raw json.RawMessage
	status, err := p.send(req, &raw)
	switch {
	case err != nil:
		return nil, away(fmt.Errorf("asking for userinfo: %w", err))
	case status >= 500, status == http.StatusTooManyRequests:
		return nil, away(fmt.Errorf("asking for userinfo: answered %d", status))
	case status/100 != 2:
		return nil, noGroups(fmt.Errorf("asking for userinfo: answered %d", status))
	}
	more, err := read(func(into any) error { return json.Unmarshal(raw, into) })
	if err != nil {
		return nil, noGroups(err)
	}
	if more.Subject != c.Subject { // §5.3.2: else it may be anybody's
		return nil, untrusted("the userinfo is another person's")
	}
	return more, nil
}
