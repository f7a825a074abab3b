package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const (
	// Entra ID dates its tokens five minutes back.
	backdated = 5 * time.Minute
	maxID     = 512 // characters of an identifier; OpenID Connect allows 255
	maxWords  = 32  // values of acr or amr
)

// claims are what an ID token says, or the answer of the userinfo endpoint.
type claims struct {
	Subject   string            `json:"sub"`
	Nonce     string            `json:"nonce"`
	Party     string            `json:"azp"`
	AuthTime  moment            `json:"auth_time"`
	ACR       words             `json:"acr"`
	ACRs      words             `json:"acrs"` // Entra ID's authentication contexts
	AMR       words             `json:"amr"`
	SID       string            `json:"sid"`
	Name      string            `json:"name"`
	Username  string            `json:"preferred_username"`
	Email     string            `json:"email"`
	Tenant    string            `json:"tid"`
	Object    string            `json:"oid"`
	Elsewhere map[string]string `json:"_claim_names"`
	HasGroups yes               `json:"hasgroups"`

	all   map[string]json.RawMessage
	token *oidc.IDToken
	hash  string // at_hash
}

// moment is a time in seconds; zero if it is not one.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. Some providers write a fraction,
// some a text.
func (m *moment) UnmarshalJSON(text []byte) error {
	var seconds json.Number
	if json.Unmarshal(text, &seconds) != nil {
		return nil // not a time: the same as none
	}
	if at, err := seconds.Float64(); err == nil && at > 0 && at < 1e11 {
		m.Time = time.Unix(int64(at), 0)
	}
	return nil
}

// words is one text or a list of them; anything else is none, and so are more
// or longer ones than anybody needs.
type words []string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	var many []string
	if json.Unmarshal(text, &one) == nil {
		many = strings.Fields(one)
	} else if json.Unmarshal(text, &many) != nil {
		return nil
	}
	if len(many) <= maxWords && !slices.ContainsFunc(many, func(word string) bool { return len(word) > maxID }) {
		*w = many
	}
	return nil
}

// yes is true or "true".
type yes bool

// UnmarshalJSON implements json.Unmarshaler.
func (y *yes) UnmarshalJSON(text []byte) error {
	*y = yes(strings.Trim(string(text), `"`) == "true")
	return nil
}

// read parses claims from a JSON object that decode knows.
func read(decode func(any) error) (*claims, error) {
	c := &claims{}
	if err := errors.Join(decode(c), decode(&c.all)); err != nil {
		return nil, errors.New("the claims are not readable")
	}
	return c, nil
}

// verify checks an ID token (OpenID Connect Core §3.1.3.7), all but its nonce.
// Its errors are user errors.
func (p *Provider) verify(ctx context.Context, m *metadata, raw string) (*claims, error) {
	token, err := m.ids.Verify(ctx, raw)
	if err != nil {
		return nil, tokenError(err)
	}
	c, err := read(token.Claims)
	if err != nil {
		return nil, untrusted(err.Error())
	}
	c.token, c.hash = token, token.AccessTokenHash
	switch {
	case !p.issued(m, token.Issuer, c.Tenant):
		return nil, untrusted("the ID token is from another issuer")
	case c.Party != "" && c.Party != p.cfg.ClientID, len(token.Audience) > 1 && c.Party == "":
		return nil, untrusted("the ID token was issued to another client")
	case !plain(c.Subject):
		return nil, untrusted("the ID token names nobody")
	}
	return c, checkClock(token.IssuedAt)
}

// checkClock refuses a token that was not issued just now: it came straight
// from the token endpoint, so one of the clocks is wrong.
func checkClock(issued time.Time) error {
	age := time.Since(issued)
	if age >= -leeway && age <= backdated+leeway {
		return nil
	}
	return wrongClock("the ID token was issued " + age.Round(time.Second).String() + " ago")
}

func wrongClock(cause string) error {
	return usererr.Wrap(errors.New(cause), usererr.Denied,
		"The clocks of the vault and of your company's sign-in differ too much, so nothing was stored", "Tell the administrator of the vault to set the clock right")
}

// tokenError says what is wrong with a token, in our own words: the library's
// quote the token.
func tokenError(err error) error {
	text := err.Error()
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return usererr.Wrap(errors.New("the ID token has expired"), usererr.Denied,
			"The answer of your company's sign-in has expired, or the clock of the vault is wrong, so nothing was stored", "Try again; tell the administrator of the vault if it stays so")
	}
	switch {
	case strings.HasPrefix(text, "failed to verify signature: fetching keys"):
		return away(errors.New("the provider's keys cannot be had"))
	case strings.HasPrefix(text, "failed to verify signature"):
		return untrusted("the signature is not the provider's")
	case strings.Contains(text, "audience"):
		return untrusted("the token is for another client")
	case strings.HasPrefix(text, "oidc: malformed jwt"):
		return untrusted("the token is malformed, or signed in a way that is not allowed")
	case strings.Contains(text, "nbf"):
		return wrongClock("the ID token is not valid yet")
	}
	return untrusted("the token is not as it must be")
}

// issued checks an issuer, letter by letter. With Entra ID's endpoints for many
// tenants it is the template with a tenant in it that the settings name.
func (p *Provider) issued(m *metadata, issuer, tenant string) bool {
	if p.cfg.Kind != Entra || len(p.cfg.Tenants) == 0 {
		return issuer == p.cfg.Issuer
	}
	return slices.ContainsFunc(p.cfg.Tenants, func(id string) bool {
		return issuer == strings.ReplaceAll(m.issuer, template, id) && (tenant == "" || tenant == id)
	})
}

// person is who an ID token is about. Its errors are user errors.
func (p *Provider) person(c *claims) (identity.Person, error) {
	who := identity.Person{Issuer: c.token.Issuer, Subject: c.Subject, Name: remote.Clean(c.Name), Email: remote.Clean(c.Email)}
	if who.Name == "" {
		who.Name = remote.Clean(c.Username)
	}
	who.ID = identity.NewPersonID(who.Issuer, who.Subject)
	if p.cfg.Kind == Entra {
		// The subject is another one for each app, and v1.0 and v2.0 call the
		// issuer differently.
		if !guid.MatchString(c.Tenant) || !guid.MatchString(c.Object) {
			return who, untrusted("the ID token has no tid or oid")
		}
		who.ID = identity.NewPersonID("entra:"+c.Tenant, c.Object)
	}
	return who, nil
}

// signIn makes a sign-in of a verified token.
func (p *Provider) signIn(ctx context.Context, m *metadata, c *claims, said tokens) (identity.SignIn, error) {
	who, err := p.person(c)
	if err != nil {
		return identity.SignIn{}, err
	}
	filled, err := p.fill(ctx, m, c, said)
	if err != nil {
		return identity.SignIn{}, err
	}
	if who.Name == "" {
		who.Name = filled.Person.Name
	}
	if who.Email == "" {
		who.Email = filled.Person.Email
	}
	filled.Person = who
	filled.SID, filled.Time, filled.Issued = c.SID, c.AuthTime.Time, c.token.IssuedAt
	if len(filled.SID) > maxID {
		filled.SID = ""
	}
	filled.ACR, filled.AMR = slices.Concat(c.ACR, c.ACRs), c.AMR
	return filled, nil
}

// plain reports whether text can be an identifier.
func plain(text string) bool {
	return text != "" && len(text) <= maxID && !strings.ContainsFunc(text, unicode.IsControl)
}
