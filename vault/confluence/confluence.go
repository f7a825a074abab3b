// Package confluence speaks to one Confluence Cloud site for one bearer of a
// token: REST v2, and v1 for the two things v2 lacks (CQL search and the
// current user). It knows HTTP, not people: who may see what, and what a
// person is told about an error, is decided by its caller.
//
// Calls go only to the configured base, redirects are never followed (but that
// of a download once, without the token), answers are limited in size and every
// wait is bounded. Unknown members of answers
// are ignored. Texts of error answers are used to classify an error and then
// dropped: neither [Error] nor the log ever carries a body, a query or a token.
//
// A [Client] may be used from several goroutines.
package confluence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

// Limits of this client.
const (
	MaxAnswer      = 8 << 20          // bytes of one answer, decompressed
	MaxBody        = 5 << 20          // bytes of a page's body; Confluence answers 413 above
	AttemptTimeout = 15 * time.Second // one try of one request
	RetryBudget    = 30 * time.Second // all tries of one request with their waits
	MaxRetries     = 4
)

// Config says which site is spoken to and as whom.
type Config struct {
	// HTTP gives transport and jar; its redirect policy is not used. Required.
	HTTP *http.Client
	// Bulk is HTTP for what is large, which may be answered late. Default: HTTP.
	Bulk *http.Client
	// Base is {api}/ex/confluence/{cloudId}/wiki without trailing slash. Required.
	Base string
	// Token is the access token. Required.
	Token secret.String
	// Quota is shared by all clients of one OAuth app. Optional.
	Quota *Quota
	// Agent is sent as User-Agent. Optional.
	Agent string
	// Log gets one line for each answer that is not a success. Required.
	Log *slog.Logger
	// Attrs are added to each line. Optional.
	Attrs []slog.Attr
}

// Transport returns a transport fit for one busy upstream: connections are
// kept in number, and nobody waits for ever. Proxy and TLS settings may be
// added before its first use.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          256,
		MaxIdleConnsPerHost:   128, // all calls go to one host; the default of 2 opens a connection for nearly each
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: AttemptTimeout,
		// A header is a few hundred bytes; the default would take 10 MB.
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// Large makes of a transport one for what is large: it may be answered late, and
// is moved in larger pieces.
func Large(transport *http.Transport) *http.Transport {
	large := transport.Clone()
	large.ResponseHeaderTimeout = 5 * time.Minute
	large.WriteBufferSize = 128 << 10 // a body of unknown kind is copied through it
	large.ReadBufferSize = 16 << 10   // a body is read past it, but for what is shorter
	return large
}

// Client calls one site.
type Client struct {
	cfg        Config
	http, bulk http.Client
}

// New returns a client. It does no I/O.
func New(cfg Config) *Client {
	if cfg.Bulk == nil {
		cfg.Bulk = cfg.HTTP
	}
	own := Client{cfg: cfg, http: *cfg.HTTP, bulk: *cfg.Bulk}
	// A redirect would take the token elsewhere.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.http.CheckRedirect, own.bulk.CheckRedirect = stay, stay
	if cfg.Agent == "" {
		own.cfg.Agent = "coatcheck-vault"
	}
	return &own
}

// Request is one call of the API. Path begins with /api/v2 or /rest/api; Body is
// encoded as JSON, nil is none.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Body   any
}

// write reports whether r changes something. A few calls only ask, although
// they are a POST.
func (r Request) write() bool {
	return r.Method != http.MethodGet && !(r.Method == http.MethodPost && question.MatchString(r.Path))
}

var question = regexp.MustCompile(`^/api/v2/(users-bulk|content/convert-ids-to-types)$|^/rest/api/content/\d+/permission/check$`)

// Do sends r, again where that is harmless, and decodes the answer into into,
// or drops it if into is nil. The packages below this one describe what to send.
// It returns the Link header's next as a second source for pagination.
func (c *Client) Do(ctx context.Context, r Request, into any) (http.Header, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = json.Marshal(r.Body); err != nil {
			return nil, &Error{Kind: KindProtocol, Err: errors.New("encoding a request")}
		}
	}
	deadline := time.Now().Add(RetryBudget)
	if at, ok := ctx.Deadline(); ok && at.Before(deadline) {
		deadline = at
	}
	for try := 0; ; try++ {
		if wait := c.cfg.Quota.wait(); wait > 0 {
			if err := pause(ctx, wait, deadline); err != nil {
				return nil, &Error{Kind: KindRateLimited, Status: http.StatusTooManyRequests, RetryAfter: wait}
			}
		}
		header, failure := c.once(ctx, r, body, into)
		if failure == nil {
			return header, nil
		}
		c.log(ctx, r, failure, try)
		if !failure.again(r.write()) || try == MaxRetries || ctx.Err() != nil {
			return nil, failure
		}
		c.cfg.Quota.note(failure)
		if err := pause(ctx, backoff(try, failure.RetryAfter), deadline); err != nil {
			return nil, failure
		}
	}
}

// once makes one try.
func (c *Client) once(ctx context.Context, r Request, body []byte, into any) (http.Header, *Error) {
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	address := c.cfg.Base + r.Path
	if len(r.Query) > 0 {
		address += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, address, bytes.NewReader(body))
	if err != nil {
		return nil, &Error{Kind: KindProtocol, Err: errors.New("building a request")}
	}
	c.headers(req, body != nil)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, transportError(err, r.write())
	}
	defer resp.Body.Close()
	data, err := readAll(resp)
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	switch {
	case err != nil && ok:
		return nil, transportError(err, r.write())
	case !ok:
		return nil, answerError(resp, data, r.write())
	case len(data) > MaxAnswer:
		return nil, &Error{Kind: KindTooLarge, Status: resp.StatusCode, TraceID: trace(resp.Header), Unsure: r.write()}
	}
	if into == nil {
		return resp.Header, nil
	}
	if err := json.Unmarshal(data, into); err != nil {
		// HTML with status 200 comes from proxies on the way.
		return nil, &Error{Kind: KindProtocol, Status: resp.StatusCode, TraceID: trace(resp.Header), Unsure: r.write()}
	}
	return resp.Header, nil
}

// readAll reads an answer up to one byte over the limit, which counts what was
// decompressed.
func readAll(resp *http.Response) ([]byte, error) {
	var data bytes.Buffer
	if resp.ContentLength > 0 && resp.ContentLength <= MaxAnswer {
		data.Grow(int(resp.ContentLength) + bytes.MinRead)
	}
	_, err := data.ReadFrom(io.LimitReader(resp.Body, MaxAnswer+1))
	return data.Bytes(), err
}

func (c *Client) headers(req *http.Request, hasBody bool) {
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token.Reveal())
	req.Header.Set("User-Agent", c.cfg.Agent)
	if hasBody {
		req.Header.Set("Content-Type", "application/json")
	}
	if req.Method != http.MethodGet && strings.Contains(req.URL.Path, "/rest/api/") {
		req.Header.Set("X-Atlassian-Token", "no-check") // v1 writes answer 403 without
	}
}

// log writes what happened without path parameters that may be content.
func (c *Client) log(ctx context.Context, r Request, failure *Error, try int) {
	level := slog.LevelInfo
	if failure.Kind == KindUpstream || failure.Kind == KindProtocol || failure.Kind == KindNetwork {
		level = slog.LevelWarn
	}
	c.cfg.Log.LogAttrs(ctx, level, "confluence answered with an error", append(c.cfg.Attrs[:len(c.cfg.Attrs):len(c.cfg.Attrs)],
		slog.String("method", r.Method), slog.String("path", r.Path), slog.String("kind", failure.Kind.String()), slog.Int("status", failure.Status),
		slog.String("atl_traceid", failure.TraceID), slog.Int("try", try), slog.Any("err", failure))...)
}
