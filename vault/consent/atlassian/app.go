// Package atlassian speaks to Atlassian Cloud's authorization server in the
// name of one tenant's OAuth app: the way to the consent page, codes for
// tokens, refresh tokens for new ones, and what the API says about the account
// behind a token. It stores nothing and knows nothing of logins.
//
// It is the only user of golang.org/x/oauth2, without its token sources. What
// a server sends is bounded in size and time, and no byte of it is ever part
// of an error; a redirect is never followed.
package atlassian

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

// Atlassian's own endpoints, the defaults of [Config].
const (
	AuthorizeEndpoint = "https://auth.atlassian.com/authorize"
	TokenEndpoint     = "https://auth.atlassian.com/oauth/token" //nolint:gosec // an address, not a credential
	APIEndpoint       = "https://api.atlassian.com"
)

const (
	audience    = "api.atlassian.com"
	offline     = "offline_access"
	readMe      = "read:me"
	defaultLife = time.Hour // of an access token whose answer names none
	maxLife     = 24 * time.Hour
)

// Site is a Confluence that the settings of a tenant name.
type Site struct {
	Name string // the key in the settings
	URL  string // base_url
}

// Config describes one tenant's OAuth app. Everything is required
// unless stated.
type Config struct {
	ClientID     string
	ClientSecret secret.String
	// Scopes that are asked for; read:me and offline_access are added.
	Scopes []string
	// Redirect is the callback as registered with the app, letter by letter.
	Redirect string
	// Sites are the only ones that a grant may reach.
	Sites []Site
	// Authorize, Token and API default to Atlassian's.
	Authorize, Token, API string
	// Revoke is the endpoint that ends grants (RFC 7009); by default the one
	// beside Token, if that is where Atlassian has its own.
	Revoke string
	// Issuer is what "iss" must say where a callback has one (RFC 9207); the
	// origin of Authorize by default.
	Issuer string
	// HTTP gives transport (proxy, trust); its other fields are not used.
	HTTP *http.Client
}

// App is one tenant's OAuth app at its authorization server. It may be used
// from many goroutines.
type App struct {
	cfg   Config
	oauth oauth2.Config
	http  *http.Client
}

// New checks cfg and reports all of its problems at once.
func New(cfg Config) (*App, error) {
	fill(&cfg.Authorize, AuthorizeEndpoint)
	fill(&cfg.Token, TokenEndpoint)
	fill(&cfg.API, APIEndpoint)
	fill(&cfg.Revoke, revocationBeside(cfg.Token))
	cfg.API = strings.TrimSuffix(cfg.API, "/")
	var problems []error
	for _, at := range []struct{ name, address string }{
		{"authorize endpoint", cfg.Authorize}, {"token endpoint", cfg.Token}, {"API endpoint", cfg.API}, {"redirect", cfg.Redirect},
		{"revocation endpoint", cfg.Revoke},
	} {
		if at.address == "" && at.name == "revocation endpoint" {
			continue
		}
		if err := checkEndpoint(at.address); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", at.name, err))
		}
	}
	if cfg.ClientID == "" {
		problems = append(problems, errors.New("client_id is missing"))
	}
	if cfg.ClientSecret.Empty() {
		// There are no public clients at Atlassian: PKCE does not replace it.
		problems = append(problems, errors.New("client_secret is missing"))
	}
	if len(cfg.Sites) == 0 {
		problems = append(problems, errors.New("no site"))
	}
	for _, site := range cfg.Sites {
		if origin(site.URL) == "" {
			problems = append(problems, fmt.Errorf("site %s: base_url is no address", site.Name))
		}
	}
	if cfg.HTTP == nil {
		problems = append(problems, errors.New("no HTTP client"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	fill(&cfg.Issuer, origin(cfg.Authorize))
	cfg.Scopes = withOurs(cfg.Scopes)
	return &App{
		cfg:  cfg,
		http: remote.Client(cfg.HTTP, maxAnswer, answerTimeout),
		oauth: oauth2.Config{
			ClientID:     cfg.ClientID,
			ClientSecret: cfg.ClientSecret.Reveal(),
			Scopes:       cfg.Scopes,
			RedirectURL:  cfg.Redirect,
			// Without a style the library would try two, and burn the code.
			Endpoint: oauth2.Endpoint{AuthURL: cfg.Authorize, TokenURL: cfg.Token, AuthStyle: oauth2.AuthStyleInParams},
		},
	}, nil
}

func fill(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// withOurs adds what the vault itself needs: who the person is, and to be
// allowed to refresh.
func withOurs(scopes []string) []string {
	all := slices.Clone(scopes)
	for _, ours := range []string{readMe, offline} {
		if !slices.Contains(all, ours) {
			all = append(all, ours)
		}
	}
	return all
}

// checkEndpoint wants https, or http to this very machine.
func checkEndpoint(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("not an address")
	}
	if u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return errors.New("must begin with https://")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// origin returns scheme, host and port of address in one form, "" if it has
// none.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// Issuer is what "iss" must say where a callback has one.
func (a *App) Issuer() string { return a.cfg.Issuer }

// Scopes are those that the person is asked for.
func (a *App) Scopes() []string { return slices.Clone(a.cfg.Scopes) }

// SiteNames are the addresses that a grant may reach, without scheme.
func (a *App) SiteNames() []string {
	names := make([]string, len(a.cfg.Sites))
	for i, site := range a.cfg.Sites {
		_, names[i], _ = strings.Cut(origin(site.URL), "://")
	}
	return names
}

// AuthorizeURL is where a browser goes for consent. Its S256 challenge (RFC
// 7636) is that of verifier, which must be fresh, like state.
func (a *App) AuthorizeURL(state, verifier secret.String) string {
	return a.oauth.AuthCodeURL(state.Reveal(),
		oauth2.SetAuthURLParam("audience", audience),
		oauth2.SetAuthURLParam("prompt", "consent"),
		oauth2.S256ChallengeOption(verifier.Reveal()))
}

// Redeem exchanges a code for tokens. Its errors are user errors; one with
// code Unavailable leaves the code as it was, as far as one can know.
func (a *App) Redeem(ctx context.Context, code, verifier secret.String) (grant.Tokens, error) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, a.http)
	token, err := a.oauth.Exchange(ctx, code.Reveal(), oauth2.VerifierOption(verifier.Reveal()))
	if err != nil {
		return grant.Tokens{}, redeemError(err)
	}
	scope, _ := token.Extra("scope").(string)
	tokens := grant.Tokens{
		Access:  secret.New(token.AccessToken),
		Refresh: secret.New(token.RefreshToken),
		Expires: expiry(token.ExpiresIn),
		Scopes:  strings.Fields(scope),
	}
	if err := a.accept(&tokens, token.TokenType); err != nil {
		return grant.Tokens{}, err
	}
	return tokens, nil
}

// accept refuses tokens that would not do what they are for.
func (a *App) accept(tokens *grant.Tokens, kind string) error {
	if kind != "" && !strings.EqualFold(kind, "bearer") {
		return usererr.New(usererr.Unavailable, "Atlassian answered with a kind of token that the vault cannot use", tellAdministrator)
	}
	if tokens.Refresh.Empty() {
		return usererr.New(usererr.Settings, "Atlassian did not allow the vault to stay signed in, so nothing was stored",
			"Ask the administrator to enable offline_access for the OAuth app")
	}
	if len(tokens.Scopes) == 0 {
		tokens.Scopes = a.Scopes() // RFC 6749 §5.1: left out if it is what was asked for
		return nil
	}
	if missing := a.missing(tokens.Scopes); len(missing) > 0 {
		return usererr.New(usererr.Scope, "Atlassian allowed less than was asked for, so nothing was stored. Missing: "+strings.Join(missing, ", "),
			"Ask the administrator to enable these scopes for the OAuth app, then sign in again")
	}
	return nil
}

// missing names the scopes that were asked for and not given. The refresh
// token itself shows that offline_access was.
func (a *App) missing(given []string) []string {
	return slices.DeleteFunc(a.Scopes(), func(scope string) bool {
		return scope == offline || slices.Contains(given, scope)
	})
}

func expiry(seconds int64) time.Time {
	life := time.Duration(min(max(seconds, 0), int64(maxLife/time.Second))) * time.Second
	if life == 0 {
		life = defaultLife
	}
	return time.Now().Add(life)
}

var _ grant.Refresher = Refresher{}

// Refresher refreshes for all tenants: grants know tenants, not apps.
type Refresher struct {
	// App finds a tenant's app; false if there is none any more.
	App func(identity.TenantID) (*App, bool)
}

// Refresh implements grant.Refresher.
func (r Refresher) Refresh(ctx context.Context, tenant identity.TenantID, refresh secret.String) (grant.Tokens, error) {
	a, ok := r.App(tenant)
	if !ok {
		return grant.Tokens{}, errors.New("refreshing: the tenant has no OAuth app in the settings")
	}
	return a.Refresh(ctx, refresh)
}
