package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

const (
	maxAnswer   = 64 << 10
	maxMessage  = 400 // of a text that the vault sends for people
	nonceTries  = 2   // further tries after the vault asked for its nonce
	contentJSON = "application/json"
)

// Client sends this device's POSTs to its vault, each with a proof of the
// device's key. It may be used from several goroutines.
type Client struct {
	HTTP   *http.Client
	Vault  *url.URL // the pinned origin
	Prover device.Prover

	mu    sync.Mutex
	nonce string // guarded by mu; the vault's latest
}

// refused is what the vault answered instead of doing it.
type refused struct {
	why  *usererr.Error
	page string // where a waiting browser should go; not yet checked
}

func (r *refused) Error() string { return r.why.Error() }
func (r *refused) Unwrap() error { return r.why }

// Post sends in to path and reads the answer into out, which may be nil. Its
// errors are user errors.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	key, err := c.Prover.Device(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		res, err := c.send(ctx, key, path, body)
		if err != nil {
			return network.Explain(err, Origin(c.Vault))
		}
		again := c.learn(res) && try < nonceTries
		if again {
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer))
			_ = res.Body.Close()
			continue
		}
		return c.read(res, out)
	}
}

func (c *Client) send(ctx context.Context, key *device.DeviceKey, path string, body []byte) (*http.Response, error) {
	address := Origin(c.Vault) + path
	c.mu.Lock()
	nonce := c.nonce
	c.mu.Unlock()
	proof, err := dpop.Prove(key.Key, dpop.Claims{Method: http.MethodPost, URL: address, Nonce: nonce})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentJSON)
	req.Header.Set(dpop.Header, proof)
	return c.HTTP.Do(req)
}

// learn keeps the vault's nonce and reports whether the request failed for the
// lack of it.
func (c *Client) learn(res *http.Response) bool {
	nonce := res.Header.Get(dpop.NonceHeader)
	if nonce == "" || len(nonce) > 1<<10 {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nonce = nonce
	return wantsNonce(res)
}

func wantsNonce(res *http.Response) bool {
	return res.StatusCode == http.StatusUnauthorized && strings.Contains(res.Header.Get("WWW-Authenticate"), "use_dpop_nonce")
}

func (c *Client) read(res *http.Response, out any) error {
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return network.Explain(err, Origin(c.Vault))
	}
	if res.StatusCode/100 != 2 {
		return refusal(c.Vault, res, text)
	}
	if out == nil || res.StatusCode == http.StatusNoContent {
		return nil
	}
	if len(text) > maxAnswer || json.Unmarshal(text, out) != nil {
		return strange(c.Vault, res)
	}
	return nil
}

// refusal turns an error answer into a user error. Its text comes from the
// pinned vault, through TLS; it is cut and cleaned all the same.
func refusal(vault *url.URL, res *http.Response, text []byte) error {
	var problem wire.Problem
	if len(text) > maxAnswer || json.Unmarshal(text, &problem) != nil || problem.Message == "" {
		return strange(vault, res)
	}
	return &refused{
		why:  usererr.New(usererr.Code(clean(problem.Code)), clean(problem.Message), clean(problem.Hint)),
		page: problem.Page,
	}
}

// strange is what to say about an answer that no vault gives.
func strange(vault *url.URL, res *http.Response) error {
	switch {
	case res.StatusCode == http.StatusProxyAuthRequired:
		return usererr.New(usererr.Unavailable, "The proxy on the way to the vault wants a user and a password",
			`Set proxy to "http://user:password@host:port"`)
	case res.StatusCode/100 == 3, strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"):
		return usererr.New(usererr.Unavailable, "Something that is not a vault answers at "+Origin(vault)+" ("+res.Status+")",
			"Check the vault's address in the settings; a network that wants a sign-in of its own answers so too")
	case res.StatusCode/100 == 5:
		return usererr.New(usererr.Unavailable, "The vault at "+Origin(vault)+" is not well ("+res.Status+")", "Try again later")
	}
	return usererr.New(usererr.Version, "The vault at "+Origin(vault)+" gave an answer that this program does not understand ("+res.Status+")",
		"Check the vault's address, and whether coatcheck needs an update")
}

// clean cuts a text for people and drops what no sentence has.
func clean(text string) string {
	return strings.TrimRight(plaintext.Line(text, maxMessage), ".")
}
