package oidc

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

// Logout is a provider's order to end sessions (OpenID Connect Back-Channel
// Logout 1.0).
type Logout struct {
	Issuer       string
	Subject, SID string // one of the two at least
	ID           string // the same order has the same one
	Issued       time.Time
	Until        time.Time // the token is good
}

// Logout checks a logout token, all but whether it came before. Its errors say
// for the log what is wrong; they have no text of the token.
func (p *Provider) Logout(ctx context.Context, raw secret.String) (Logout, error) {
	m, err := p.discover(ctx)
	if err != nil {
		return Logout{}, err
	}
	token, err := m.ids.VerifyLogout(ctx, raw.Reveal())
	if err != nil {
		return Logout{}, tokenError(err)
	}
	var more struct {
		Tenant string `json:"tid"`
	}
	_ = token.Claims(&more) // it was readable before
	switch {
	case !p.issued(m, token.Issuer, more.Tenant):
		return Logout{}, errors.New("the logout token is from another issuer")
	case len(token.Subject) > maxID || len(token.SessionID) > maxID || len(token.TokenID) > maxID:
		return Logout{}, errors.New("the logout token names something too long")
	case checkClock(token.IssuedAt) != nil:
		return Logout{}, errors.New("the logout token was not issued just now")
	}
	// A token is good until it expires or is too old, whatever comes first.
	until := token.IssuedAt.Add(backdated + leeway)
	return Logout{Issuer: token.Issuer, Subject: token.Subject, SID: token.SessionID, ID: token.TokenID, Issued: token.IssuedAt, Until: until.Add(leeway)}, nil
}
