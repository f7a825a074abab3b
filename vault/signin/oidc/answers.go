package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/remote"
)

const (
	answerTime = 8 * time.Second // for one answer of the provider
	maxAnswer  = 4 << 20         // Graph tells up to 11,000 groups
	// Anybody may send a token that names a key which nobody knows, and the
	// library asks for the keys anew each time.
	keysRate  = rate.Limit(0.2) // a second
	keysBurst = 5
)

var errKeys = errors.New("the provider's keys were asked for too often")

type keysKey struct{}

// askForKeys marks requests for the provider's keys.
func askForKeys(ctx context.Context) context.Context { return context.WithValue(ctx, keysKey{}, true) }

// client asks the provider, and for its keys not too often.
func client(from *http.Client) *http.Client {
	seldom := *from
	if seldom.Transport == nil {
		seldom.Transport = http.DefaultTransport
	}
	seldom.Transport = keysSeldom{seldom.Transport, rate.NewLimiter(keysRate, keysBurst)}
	return remote.Client(&seldom, maxAnswer, answerTime)
}

type keysSeldom struct {
	next http.RoundTripper
	keys *rate.Limiter
}

// RoundTrip implements http.RoundTripper.
func (k keysSeldom) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(keysKey{}) != nil && !k.keys.Allow() {
		return nil, errKeys
	}
	return k.next.RoundTrip(r)
}

// reached says what kept an answer from arriving or being read, without any of
// its bytes.
func reached(err error) error {
	if errors.Is(err, errKeys) {
		return errKeys
	}
	if known := remote.Unreached(err); known != nil {
		return known
	}
	return errors.New("the connection broke")
}

// send sends a request and reads a JSON answer into out, which a failing status
// leaves as it is if its body is not JSON.
func (p *Provider) send(req *http.Request, out any) (status int, err error) {
	return remote.JSON(p.http, req, out, reached)
}

// tokens is what a token endpoint says, good or bad (RFC 6749 §5).
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Code    string `json:"error"`
}

// String keeps tokens out of everything that prints.
func (tokens) String() string { return secret.Redacted }

// knownCode is an error code of RFC 6749 §5.2 or OpenID Connect Core §3.1.2.6.
// Any other text is the provider's own and stays there.
func knownCode(code string) string {
	switch code {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
		"access_denied", "server_error", "temporarily_unavailable", "interaction_required", "login_required", "consent_required":
		return code
	}
	return "no known code"
}

// answered is a token endpoint's no.
type answered struct {
	status int
	code   string // a known one
}

// Error implements error.
func (a *answered) Error() string {
	return fmt.Sprintf("the token endpoint answered %d, %s", a.status, a.code)
}

// transient reports whether the same request may do better later.
func (a *answered) transient() bool {
	return a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout || a.code == "temporarily_unavailable"
}

// ask sends form to the token endpoint: one POST, never repeated. Its error is
// an *answered where the provider said no.
func (p *Provider) ask(ctx context.Context, m *metadata, form url.Values) (tokens, error) {
	if !m.basic {
		form.Set("client_id", p.cfg.ClientID)
		if !p.cfg.ClientSecret.Empty() {
			form.Set("client_secret", p.cfg.ClientSecret.Reveal())
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.token, strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, errors.New("the token endpoint is no address")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if m.basic { // each part is encoded as in a form, RFC 6749 §2.3.1
		req.SetBasicAuth(url.QueryEscape(p.cfg.ClientID), url.QueryEscape(p.cfg.ClientSecret.Reveal()))
	}
	var said tokens
	status, err := p.send(req, &said)
	switch {
	case err != nil:
		return tokens{}, err
	case status/100 != 2 || said.Code != "":
		return tokens{}, &answered{status, knownCode(said.Code)}
	}
	return said, nil
}
