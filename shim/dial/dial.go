// Package dial opens a link to the vault: a websocket whose upgrade carries a
// proof of the device's key. It turns everything that can go wrong into an
// error that a person can act on, and knows nothing of what the link carries.
package dial

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
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

const (
	nonceTries = 2                // further tries after the vault asked for its nonce
	nonceLife  = 50 * time.Second // the vault's live a little longer
	maxText    = 300              // of a text that the vault sends for people
	maxWait    = 5 * time.Minute  // that a vault may ask for
	// silence is how long a link may say nothing. The vault pings every 30 s.
	silence = 40 * time.Second
)

// Dialer opens links to one vault. Its methods may be called from several
// goroutines.
type Dialer struct {
	Vault  *url.URL // the pinned origin
	Prover device.Prover
	TLS    *tls.Config
	Proxy  func(*http.Request) (*url.URL, error)
	// NetDial replaces the network; nil is the real one.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)

	mu      sync.Mutex
	nonce   string    // guarded by mu; the vault's latest
	nonceAt time.Time // guarded by mu
}

// Refused is a user error with what the vault said about coming back.
type Refused struct {
	Why *usererr.Error
	// After is how long the vault wants to be left alone; 0 if it did not say.
	After time.Duration
}

// Error implements error.
func (r *Refused) Error() string { return r.Why.Error() }

// Unwrap gives the user error.
func (r *Refused) Unwrap() error { return r.Why }

// Dial opens a link. Its errors are user errors.
func (d *Dialer) Dial(ctx context.Context) (*wsconn.Conn, *device.DeviceKey, error) {
	if !Safe(d.Vault) {
		return nil, nil, usererr.New(usererr.Settings, "The vault's address "+d.origin()+" is not a safe one",
			"It must begin with https:// (http:// only works for a vault on this computer)")
	}
	key, err := d.Prover.Device(ctx)
	if err != nil {
		return nil, nil, err
	}
	for try := 0; ; try++ {
		proof, err := d.Prove(key, d.latest())
		if err != nil {
			return nil, nil, err
		}
		through := way{d: d}
		conn, response, err := wsconn.Dial(ctx, d.address(), wsconn.DialOptions{
			Header:  http.Header{http.CanonicalHeaderKey(dpop.Header): {proof}},
			TLS:     d.TLS,
			Proxy:   through.choose,
			NetDial: through.dial,
			Silence: silence,
		})
		if err == nil {
			return conn, key, nil
		}
		if response == nil {
			return nil, nil, network.Explain(err, d.origin())
		}
		if errors.Is(err, wsconn.ErrSubprotocol) {
			if theirs := wire.Newest(response.Header.Values("Sec-WebSocket-Protocol")); theirs != 0 {
				return nil, nil, d.unfit(theirs)
			}
			return nil, nil, d.strange("it is of another version, or something else answers there")
		}
		again := d.learn(response) && try < nonceTries
		if !again {
			return nil, nil, d.refusal(response)
		}
	}
}

// way is one attempt to get through to the vault. It remembers whether a proxy
// was chosen, so that one that does not answer is not taken for the vault.
type way struct {
	d     *Dialer
	proxy bool
}

func (w *way) choose(r *http.Request) (*url.URL, error) {
	if w.d.Proxy == nil {
		return nil, nil //nolint:nilnil // as net/http wants it
	}
	proxy, err := w.d.Proxy(r)
	w.proxy = proxy != nil
	return proxy, err
}

func (w *way) dial(ctx context.Context, kind, address string) (net.Conn, error) {
	dial := w.d.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, kind, address)
	if err != nil && w.proxy {
		return nil, &net.OpError{Op: network.ProxyConnect, Net: kind, Err: err}
	}
	return conn, err
}

// Prove returns a proof for the upgrade request, at its first or any later
// time.
func (d *Dialer) Prove(key *device.DeviceKey, nonce string) (string, error) {
	proof, err := dpop.Prove(key.Key, dpop.Claims{Method: http.MethodGet, URL: d.origin() + wire.ConnectPath, Nonce: nonce})
	if err != nil {
		return "", usererr.Wrap(err, usererr.Unauthorized, "The key of this device cannot be used", "Run 'coatcheck status' to see where it is kept")
	}
	return proof, nil
}

// Safe reports whether a vault may be at u: https, or http on this computer.
func Safe(u *url.URL) bool {
	if u == nil || u.Hostname() == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && local
}

func (d *Dialer) origin() string {
	if d.Vault == nil {
		return ""
	}
	return d.Vault.Scheme + "://" + d.Vault.Host
}

func (d *Dialer) address() string {
	return "ws" + strings.TrimPrefix(d.origin(), "http") + wire.ConnectPath
}

func (d *Dialer) latest() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.nonceAt) > nonceLife {
		return ""
	}
	return d.nonce
}

// learn keeps the nonce that the vault wants; it reports whether another try
// makes sense.
func (d *Dialer) learn(response *http.Response) bool {
	nonce := response.Header.Get(dpop.NonceHeader)
	if response.StatusCode != http.StatusUnauthorized || nonce == "" || len(nonce) > 512 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.nonce == nonce
	d.nonce, d.nonceAt = nonce, time.Now()
	return !known
}

// refusal explains an answer that was no upgrade.
func (d *Dialer) refusal(response *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what there is
	_ = response.Body.Close()
	var said wire.Problem
	ours := json.Unmarshal(body, &said) == nil && said.Code != ""
	after := retryAfter(response.Header.Get("Retry-After"))
	speaks := wire.Newest(response.Header.Values("Sec-WebSocket-Protocol"))
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized && ours:
		return &Refused{usererr.New(usererr.Unauthorized, "The vault at "+d.origin()+" does not accept the proof of this device's key",
			"Check the vault's address in the settings: it must be the one that the vault calls its own"), after}
	case ours && said.Code == string(usererr.Version):
		return &Refused{Goodbye(wire.Bye{Reason: wire.ByeVersion, Message: said.Message, Hint: said.Hint}, d.origin()), after}
	case ours && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests):
		return &Refused{usererr.New(usererr.Unavailable, "The vault at "+d.origin()+" says: "+Clean(said.Message), "It is tried again by itself; if it stays so, tell the vault's administrator"), after}
	case ours:
		return &Refused{usererr.New(usererr.Code(said.Code), "The vault at "+d.origin()+" refuses: "+Clean(said.Message), Clean(said.Hint)), after}
	case status == http.StatusProxyAuthRequired:
		return network.Explain(errors.New("proxy authentication required"), d.origin())
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return &Refused{usererr.New(usererr.Unavailable, "Something before the vault at "+d.origin()+" answers that the vault is away ("+strconv.Itoa(status)+")",
			"It is tried again by itself; if it stays so, tell the vault's administrator"), after}
	case status == http.StatusBadRequest && speaks != 0 && speaks != wire.Version:
		return d.unfit(speaks)
	case status >= 300 && status < 400:
		return d.strange("it sends visitors elsewhere, as sign-in pages of networks do")
	}
	return d.strange("it answered with status " + strconv.Itoa(response.StatusCode))
}

// unfit is for a vault that speaks another version of the wire and leaves it at
// that.
func (d *Dialer) unfit(theirs int) error {
	bye := wire.Bye{Reason: wire.ByeVersion, Message: fmt.Sprintf(
		"it speaks version %d of the connection between the two, this program only version %d", theirs, wire.Version)}
	if theirs < wire.Version {
		bye.Hint = "Ask the vault's administrator to update the vault; until then an older Coatcheck on this computer works"
	}
	return Goodbye(bye, d.origin())
}

func (d *Dialer) strange(what string) error {
	return usererr.New(usererr.Version, "What answers at "+d.origin()+" is not a vault that this program understands: "+what,
		"Check the vault's address in the settings, the proxy, and that this program is up to date")
}

// retryAfter reads a number of seconds.
func retryAfter(text string) time.Duration {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxWait)
}

// Clean makes a text from the vault fit for people: one line, bounded, no
// control characters, no period at the end.
func Clean(text string) string {
	out := make([]rune, 0, min(len(text), maxText))
	for _, c := range text {
		if len(out) == maxText {
			break
		}
		if unicode.IsSpace(c) {
			c = ' '
		}
		if unicode.IsPrint(c) {
			out = append(out, c)
		}
	}
	return strings.TrimRight(strings.TrimSpace(string(out)), ".")
}
