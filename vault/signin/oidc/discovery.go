package oidc

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const (
	metadataLife = time.Hour      // then it is looked for again, and keys that were taken away are forgotten
	metadataMost = 24 * time.Hour // so long it is used while the provider cannot be asked
	failurePause = 2 * time.Second
	retryPause   = 300 * time.Millisecond
)

// metadata is what the provider says of itself (OpenID Connect Discovery 1.0).
type metadata struct {
	found                      time.Time
	issuer                     string // may be a template with Entra ID
	authorize, token, userinfo string
	basic                      bool // the client secret goes into a header
	offline                    bool // there is a scope offline_access
	named                      bool // callbacks have iss (RFC 9207)
	ids                        *oidc.IDTokenVerifier
}

// failure is why the provider could not be found, a moment ago.
type failure struct {
	at  time.Time
	err error
}

// away is for people while the provider cannot be reached.
func away(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "Your company's sign-in cannot be reached", "Try again in a moment; tell the administrator of the vault if it stays so")
}

// discover returns what is known of the provider, or looks for it. One looks at
// a time, the others wait. Its error is a user error.
func (p *Provider) discover(ctx context.Context) (*metadata, error) {
	if m := p.found.Load(); m != nil && time.Since(m.found) < metadataLife {
		return m, nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, away(ctx.Err())
	}
	known := p.found.Load()
	if known != nil && time.Since(known.found) < metadataLife {
		return known, nil
	}
	m, err := p.find(ctx)
	switch {
	case err == nil:
		p.found.Store(m)
		return m, nil
	case known != nil && time.Since(known.found) < metadataMost:
		return known, nil
	}
	return nil, err
}

// find asks the provider, twice if need be, unless that failed a moment ago.
func (p *Provider) find(ctx context.Context) (*metadata, error) {
	if f := p.failed.Load(); f != nil && time.Since(f.at) < failurePause {
		return nil, f.err
	}
	m, err := p.fetch(ctx)
	if usererr.CodeOf(err) == usererr.Unavailable {
		select {
		case <-time.After(retryPause):
			m, err = p.fetch(ctx)
		case <-ctx.Done():
		}
	}
	if err != nil && ctx.Err() == nil { // whoever hangs up proves nothing
		p.failed.Store(&failure{time.Now(), err})
	}
	return m, err
}

func wrongProvider(cause string) error {
	return usererr.Wrap(errors.New(cause), usererr.Settings, "Your company's sign-in is not set up as the vault expects", "Tell the administrator of the vault")
}

// template is in the issuer that Entra ID's endpoints for many tenants name.
const template = "{tenantid}"

func (p *Provider) fetch(ctx context.Context) (*metadata, error) {
	ctx = oidc.ClientContext(ctx, p.http)
	issuer := p.cfg.Issuer
	if p.cfg.Kind == Entra {
		// What it is called is checked below, and in each token.
		ctx = oidc.InsecureIssuerURLContext(ctx, issuer)
	}
	provider, err := oidc.NewProvider(ctx, issuer)
	if _, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return nil, wrongProvider("the provider calls itself something else than identity.oidc.issuer")
	}
	if err != nil {
		return nil, away(discoveryError(err))
	}
	var said struct {
		Issuer  string   `json:"issuer"`
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
		Scopes  []string `json:"scopes_supported"`
		Named   bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := provider.Claims(&said); err != nil {
		return nil, wrongProvider("the discovery document is not readable")
	}
	if p.cfg.Kind == Entra && !p.entraIssuer(said.Issuer) {
		return nil, wrongProvider("the provider calls itself something else than identity.oidc.issuer")
	}
	at := provider.Endpoint()
	for _, endpoint := range []string{at.AuthURL, at.TokenURL, said.Keys} {
		if checkEndpoint(endpoint) != nil {
			return nil, wrongProvider("the discovery document names an endpoint that is not https")
		}
	}
	m := &metadata{
		found: time.Now(), issuer: said.Issuer, authorize: at.AuthURL, token: at.TokenURL, userinfo: provider.UserInfoEndpoint(), named: said.Named,
		offline: slices.Contains(said.Scopes, "offline_access"),
		basic:   !p.cfg.ClientSecret.Empty() && (len(said.Methods) == 0 || slices.Contains(said.Methods, "client_secret_basic")),
	}
	if checkEndpoint(m.userinfo) != nil {
		m.userinfo = ""
	}
	keys := oidc.NewRemoteKeySet(askForKeys(oidc.ClientContext(ctx, p.http)), said.Keys)
	m.ids = oidc.NewVerifier(issuer, keys, &oidc.Config{
		ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms(),
		SkipIssuerCheck: true,                                                // [Provider.issued] knows templates, too
		Now:             func() time.Time { return time.Now().Add(-leeway) }, // of what has expired
	})
	return m, nil
}

// discoveryError takes the provider's words out of what the library says.
func discoveryError(err error) error {
	if strings.HasPrefix(err.Error(), "oidc: failed to decode") {
		return errors.New("the discovery document is not readable")
	}
	if len(err.Error()) > 3 && strings.Trim(err.Error()[:3], "0123456789") == "" {
		return errors.New("the discovery document was answered with status " + err.Error()[:3])
	}
	return reached(err)
}

// entraIssuer checks what Entra ID's discovery document calls the provider:
// the issuer of the settings, or the template for many tenants.
func (p *Provider) entraIssuer(said string) bool {
	if len(p.cfg.Tenants) == 0 {
		return said == p.cfg.Issuer
	}
	before, rest, ok := strings.Cut(said, template)
	return ok && strings.HasPrefix(p.cfg.Issuer, before) && rest == "/v2.0"
}

// algorithms are those that a token may be signed with: none that needs a
// shared secret, none that is no signature.
func algorithms() []string {
	return []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}
}
