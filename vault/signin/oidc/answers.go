package oidc

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

const (
	answerTime = 8 * time.Second // for one answer of the provider
	maxAnswer  = 4 << 20         // Graph tells up to 11,000 groups
	// Anybody may send a token that names a key which nobody knows, and the
	// library asks for the keys anew each time.
	keysRate  = rate.Limit(0.2) // a second
	keysBurst = 5
)

var (
	errTooLong = errors.New("the answer is too long")
	errKeys    = errors.New("the provider's keys were asked for too often")
)

type keysKey struct{}

// askForKeys marks requests for the provider's keys.
func askForKeys(ctx context.Context) context.Context { return context.WithValue(ctx, keysKey{}, true) }

// bounded is a client whose answers have an end, in bytes and in time, and
// that follows no redirect: requests carry secrets.
func bounded(from *http.Client, keys *rate.Limiter) *http.Client {
	transport := from.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport:     limited{transport, keys},
		Timeout:       answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type limited struct {
	next http.RoundTripper
	keys *rate.Limiter
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(keysKey{}) != nil && !l.keys.Allow() {
		return nil, errKeys
	}
	res, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = &limitedBody{res.Body, maxAnswer}
	return res, nil
}

// limitedBody fails where io.LimitReader would pretend that all was read.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// reached says what kept an answer from arriving or being read, without any of
// its bytes.
func reached(err error) error {
	for _, ours := range []error{errTooLong, errKeys, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, ours) {
			return ours
		}
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return errors.New("no answer in time")
	}
	if broken, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("no connection: %s %s", broken.Op, broken.Net)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New("no connection: its name does not resolve")
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return errors.New("no connection: its certificate is not trusted")
	}
	return errors.New("the connection broke")
}

// send sends a request and reads a JSON answer into out, which a failing status
// leaves as it is if its body is not JSON.
func (p *Provider) send(req *http.Request, out any) (status int, err error) {
	req.Header.Set("Accept", "application/json")
	res, err := p.http.Do(req)
	if err != nil {
		return 0, reached(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, reached(err)
	}
	if err := json.Unmarshal(text, out); err != nil && res.StatusCode/100 == 2 {
		return res.StatusCode, errors.New("the answer is not the JSON that was expected")
	}
	return res.StatusCode, nil
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
