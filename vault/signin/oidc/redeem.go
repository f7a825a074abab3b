package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	askAgain          = "Ask your assistant again to start a new sign-in"
	tellAdministrator = "Tell the administrator of the vault"
)

// Request is what a browser carries to the provider. State, Nonce and Verifier
// must be fresh and unguessable.
type Request struct {
	State, Nonce, Verifier secret.String
	// Fresh, if not nil, wants the person to show anew who they are.
	Fresh *Fresh
}

// Fresh is how a person has to show who they are.
type Fresh struct {
	MaxAge time.Duration // how long ago at most
	ACR    []string      // authentication contexts to ask for, the best first; may be empty
}

// AuthorizeURL is where a browser goes to sign in. Its errors are user errors.
func (p *Provider) AuthorizeURL(ctx context.Context, r Request) (string, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(m.authorize)
	if err != nil {
		return "", wrongProvider("the authorization endpoint is no address")
	}
	sum := sha256.Sum256([]byte(r.Verifier.Reveal()))
	q := to.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": p.cfg.ClientID, "redirect_uri": p.cfg.Redirect, "scope": strings.Join(p.scopes(m), " "),
		"state": r.State.Reveal(), "nonce": r.Nonce.Reveal(),
		"code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method": "S256",
	} {
		q.Set(name, value)
	}
	if r.Fresh != nil {
		q.Set("prompt", "login")
		q.Set("max_age", strconv.Itoa(int(r.Fresh.MaxAge/time.Second)))
		if err := p.contexts(q, r.Fresh.ACR); err != nil {
			return "", err
		}
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}

// contexts asks for authentication contexts. Entra ID takes them as a claim
// (its Conditional Access authentication contexts, "c1" to "c99").
func (p *Provider) contexts(q url.Values, acr []string) error {
	if len(acr) == 0 {
		return nil
	}
	if p.cfg.Kind != Entra {
		q.Set("acr_values", strings.Join(acr, " "))
		return nil
	}
	type wanted struct {
		Essential bool     `json:"essential"`
		Values    []string `json:"values"`
	}
	text, err := json.Marshal(map[string]map[string]wanted{"id_token": {"acrs": {true, acr}}})
	q.Set("claims", string(text))
	return err
}

func (p *Provider) scopes(m *metadata) []string {
	if len(p.cfg.Scopes) > 0 {
		return p.cfg.Scopes
	}
	all := []string{"openid", "profile", "email"}
	if m.offline {
		all = append(all, "offline_access")
	}
	if p.cfg.Kind == Entra && p.cfg.NeedGroups {
		all = append(all, "User.Read") // else the access token is not for Graph
	}
	return all
}

// Answer is what the browser brought back, with what it had carried there.
type Answer struct {
	Code, Nonce, Verifier secret.String
	// Issuer is iss of the callback (RFC 9207), if HasIssuer.
	Issuer    string
	HasIssuer bool
	// MaxAge, if not zero, is how long ago the person may have shown who they
	// are, at most.
	MaxAge time.Duration
}

// Redeem exchanges a code for who has signed in. Its errors are user errors.
func (p *Provider) Redeem(ctx context.Context, a Answer) (identity.SignIn, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return identity.SignIn{}, err
	}
	if a.HasIssuer && !p.issued(m, a.Issuer, "") || m.named && !a.HasIssuer {
		return identity.SignIn{}, untrusted("the callback came from another issuer")
	}
	said, err := p.ask(ctx, m, url.Values{
		"grant_type": {"authorization_code"}, "code": {a.Code.Reveal()}, "redirect_uri": {p.cfg.Redirect}, "code_verifier": {a.Verifier.Reveal()},
	})
	if err != nil {
		return identity.SignIn{}, redeemError(err)
	}
	c, err := p.verify(ctx, m, said.ID)
	if err != nil {
		return identity.SignIn{}, err
	}
	if !secret.New(c.Nonce).Equal(a.Nonce) || a.Nonce.Empty() {
		return identity.SignIn{}, untrusted("the ID token has another nonce")
	}
	if c.hash != "" && c.token.VerifyAccessToken(said.Access) != nil {
		return identity.SignIn{}, untrusted("the ID token belongs to another access token")
	}
	who, err := p.signIn(ctx, m, c, said)
	if err != nil {
		return identity.SignIn{}, err
	}
	if a.MaxAge > 0 && !who.Fresh(a.MaxAge, time.Now()) {
		return identity.SignIn{}, stale(who)
	}
	return who, nil
}

// stale refuses a person who had to show anew who they are and did not.
func stale(who identity.SignIn) error {
	cause := errors.New("the ID token has an old auth_time")
	switch {
	case who.Time.IsZero():
		cause = errors.New("the ID token has no auth_time")
	case who.Time.After(time.Now()):
		cause = errors.New("the ID token has an auth_time of the future")
	}
	return usererr.Wrap(cause, usererr.Denied, "Your company's sign-in did not confirm that you signed in just now, which this step needs", tellAdministrator)
}

// untrusted is for an answer that does not prove what it says.
func untrusted(cause string) *usererr.Error {
	return usererr.Wrap(errors.New(cause), usererr.Denied, "The answer of your company's sign-in cannot be trusted, so nothing was stored", tellAdministrator)
}

func redeemError(err error) error {
	no, ok := errors.AsType[*answered](err)
	switch {
	case !ok || no.transient():
		return away(err)
	case no.code == "invalid_grant":
		return usererr.Wrap(err, usererr.Timeout, "The permission of your company's sign-in cannot be used any more", askAgain)
	case no.status == 401 || no.code == "invalid_client" || no.code == "unauthorized_client":
		return usererr.Wrap(err, usererr.Settings, "Your company's sign-in does not accept the vault", "Ask the administrator to check identity.oidc.client_id and client_secret")
	}
	return usererr.Wrap(err, usererr.Denied, "Your company's sign-in did not complete", tellAdministrator)
}

// Refresh renews the sign-in of a person, which was, and tells how things stand
// now. When and how the person showed who they are stays as it was, and so do
// groups that are not told. Its errors wrap [ErrRefused] or [ErrNoGroups], or may
// pass; the sign-in beside them has the token that is good from now on.
func (p *Provider) Refresh(ctx context.Context, was identity.SignIn) (identity.SignIn, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return was, err
	}
	said, err := p.ask(ctx, m, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {was.Refresh.Reveal()}})
	if err != nil {
		// invalid_client and its like are about the vault, not the person.
		if no, ok := errors.AsType[*answered](err); ok && slices.Contains([]string{"invalid_grant", "interaction_required", "login_required", "consent_required", "access_denied"}, no.code) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return was, fmt.Errorf("renewing a company sign-in: %w", err)
	}
	now := was
	if said.Refresh != "" {
		now.Refresh = secret.New(said.Refresh)
	}
	c := &claims{Subject: was.Person.Subject}
	if said.ID != "" { // which a renewal may leave out, OpenID Connect Core §12.2
		if c, err = p.verify(ctx, m, said.ID); err != nil {
			return now, fmt.Errorf("renewing a company sign-in: %w", err)
		}
		if who, err := p.person(c); err != nil || who.ID != was.Person.ID {
			return now, fmt.Errorf("%w: it is another person's", ErrRefused)
		}
	}
	fresh, err := p.fill(ctx, m, c, said)
	if err == nil && fresh.GroupsKnown {
		now.Groups, now.GroupsKnown = fresh.Groups, true
	}
	if err != nil {
		return now, fmt.Errorf("renewing a company sign-in: %w", err)
	}
	return now, nil
}
