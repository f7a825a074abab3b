// Package oidc signs people in with their company's identity provider by
// OpenID Connect Core 1.0: authorization code with PKCE, state and nonce. It
// finds the provider's endpoints and keys, sends a browser there, turns the
// code that comes back into who the person is and which groups they are in,
// renews that later, and reads logout tokens. It stores nothing and knows
// nothing of logins, sessions and tenants.
//
// A person is issuer and subject; with Microsoft Entra ID, whose subjects
// differ from app to app, tenant and object id. E-mail addresses and names are
// for showing only: whoever may change them must not become somebody else.
//
// The provider may be away when the vault starts. Whatever it sends is bounded
// in size and time, no byte of it is ever part of an error, and no redirect is
// followed.
package oidc

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Kind tells providers apart that need more than the standard says.
type Kind string

// The kinds of providers.
const (
	Standard Kind = "standard"
	Entra    Kind = "entra" // Microsoft Entra ID, v2.0 endpoints
)

// Paths of the vault that the provider is told: where browsers come back, and
// where it sends logout tokens.
const (
	CallbackPath = "/oidc/callback"
	LogoutPath   = "/oidc/logout"
)

// Defaults of [Config].
const (
	DefaultGroupsClaim = "groups"
	DefaultGraph       = "https://graph.microsoft.com/v1.0"
)

// leeway is how far the provider's clock may be from ours.
const leeway = identity.Leeway

// Errors of [Provider.Refresh]. Every other one is transient.
var (
	// ErrRefused is wrapped when the provider will not renew the sign-in any
	// more: the account is disabled, its sessions were taken away, the token is
	// spent, or it is another person's.
	ErrRefused = errors.New("the company's sign-in cannot be renewed")
	// ErrNoGroups is wrapped when the sign-in was renewed, but the provider does
	// not tell the groups, for whatever cause that will not pass by itself. It
	// says nothing against the person.
	ErrNoGroups = errors.New("no groups")
)

// Config describes the vault as a client of one provider. Everything is
// required unless stated.
type Config struct {
	// Issuer is the provider's name, letter by letter. With Entra ID it may
	// have "organizations" or "common" for the tenant; then Tenants are needed.
	Issuer   string
	ClientID string
	// ClientSecret is empty for a public client, which PKCE alone protects.
	ClientSecret secret.String
	// Redirect is the callback as registered with the provider.
	Redirect string
	// Scopes that are asked for; by default openid, profile, email, and
	// offline_access where the provider has it.
	Scopes []string
	// GroupsClaim is the claim that has the groups; optional. A dot leads into
	// a claim that is an object.
	GroupsClaim string
	// NeedGroups refuses sign-ins whose groups the provider does not tell.
	NeedGroups bool
	// Kind is [Entra] for Microsoft's hosts and [Standard] for others if left
	// out.
	Kind Kind
	// Tenants are the ids of the Entra tenants whose people may sign in, where
	// Issuer does not name one.
	Tenants []string
	// Graph is where Entra ID tells groups that do not fit into a token;
	// optional.
	Graph string
	// HTTP gives transport (proxy, trust); its other fields are not used.
	HTTP *http.Client
}

// Provider is the company's identity provider. It may be used from many
// goroutines.
type Provider struct {
	cfg  Config
	http *http.Client

	found  atomic.Pointer[metadata]
	failed atomic.Pointer[failure]
	turn   chan struct{} // capacity 1; whoever has put something in looks for the endpoints
}

var (
	guid  = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	entra = regexp.MustCompile(`^https://[^/]+/([^/]+)/v2\.0$`)
)

// New checks cfg, without asking the provider, and reports all of its problems
// at once. Each begins with the name of the setting.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if cfg.HTTP == nil {
		return nil, errors.New("http: no HTTP client")
	}
	cfg = cfg.withDefaults()
	return &Provider{cfg: cfg, http: client(cfg.HTTP), turn: make(chan struct{}, 1)}, nil
}

func (c Config) withDefaults() Config {
	if c.Kind == "" {
		c.Kind = KindOf(c.Issuer)
	}
	if c.GroupsClaim == "" {
		c.GroupsClaim = DefaultGroupsClaim
	}
	if c.Graph == "" {
		c.Graph = DefaultGraph
	}
	c.Graph = strings.TrimSuffix(c.Graph, "/")
	return c
}

// Check reports all that is wrong with c as [New] does. It does not look at
// HTTP.
func (c Config) Check() error {
	c = c.withDefaults()
	var problems []error
	wrong := func(key, text string) { problems = append(problems, fmt.Errorf("%s: %s", key, text)) }
	for _, at := range []struct{ key, address string }{{"issuer", c.Issuer}, {"redirect", c.Redirect}, {"graph", c.Graph}} {
		if err := checkEndpoint(at.address); err != nil {
			wrong(at.key, err.Error())
		}
	}
	if c.ClientID == "" {
		wrong("client_id", "is needed: the id under which the vault is registered with the identity provider")
	}
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, "openid") {
		wrong("scopes", "must have openid among them")
	}
	switch c.Kind {
	case Standard:
		if len(c.Tenants) > 0 {
			wrong("entra_tenants", "belongs to Microsoft Entra ID")
		}
	case Entra:
		problems = append(problems, c.checkEntra()...)
	default:
		wrong("kind", "must be standard or entra")
	}
	return errors.Join(problems...)
}

// checkEntra wants it to be certain whose people may sign in.
func (c *Config) checkEntra() []error {
	var problems []error
	name := entra.FindStringSubmatch(c.Issuer)
	switch {
	case strings.HasPrefix(c.Issuer, "http://"): // a test's own
	case name == nil:
		problems = append(problems, errors.New("issuer: must be like https://login.microsoftonline.com/TENANT-ID/v2.0"))
	case guid.MatchString(name[1]) && len(c.Tenants) > 0:
		problems = append(problems, errors.New("entra_tenants: the issuer names its tenant already"))
	case !guid.MatchString(name[1]) && len(c.Tenants) == 0:
		problems = append(problems, errors.New("entra_tenants: is needed, since the issuer is not that of one tenant: the ids of those whose people may sign in"))
	}
	for _, id := range c.Tenants {
		if !guid.MatchString(id) {
			problems = append(problems, errors.New("entra_tenants: each must be a tenant's id in small letters, such as 8eaef023-2b34-4da1-9baa-8bc8c9d6a490"))
		}
	}
	return problems
}

// KindOf tells from an issuer which kind of provider it is.
func KindOf(issuer string) Kind {
	if u, err := url.Parse(issuer); err == nil {
		switch strings.ToLower(u.Hostname()) {
		case "login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn":
			return Entra
		}
	}
	return Standard
}

// checkEndpoint wants https, or http to this very machine.
func checkEndpoint(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("must be an address such as https://login.example.com")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return errors.New("must be https; plain http is for loopback only")
}
