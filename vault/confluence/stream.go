package confluence

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
)

// Upload is a request whose body is sent as it is read, so that it is tried
// once. Length is all of it.
type Upload struct {
	Method, Path string
	Query        url.Values
	Type         string // media type
	Length       int64
	Body         io.Reader
}

// Stream sends u and decodes the answer into into. Only ctx bounds it: the
// caller ends what does not get on. The body is not read any more when it
// returns. What is wrong with the body itself is not in the error.
func (c *Client) Stream(ctx context.Context, u Upload, into any) error {
	if wait := c.cfg.Quota.wait(); wait > 0 {
		return &Error{Kind: KindRateLimited, Status: http.StatusTooManyRequests, RetryAfter: wait}
	}
	failure := c.stream(ctx, u, into)
	if failure == nil {
		return nil
	}
	c.cfg.Quota.note(failure)
	c.log(ctx, Request{Method: u.Method, Path: u.Path}, failure, 0)
	return failure
}

func (c *Client) stream(ctx context.Context, u Upload, into any) *Error {
	address := c.cfg.Base + u.Path
	if len(u.Query) > 0 {
		address += "?" + u.Query.Encode()
	}
	body := &lent{from: u.Body}
	defer body.back()
	req, err := http.NewRequestWithContext(ctx, u.Method, address, io.NopCloser(body))
	if err != nil {
		return &Error{Kind: KindProtocol, Err: errors.New("building a request")}
	}
	req.ContentLength = u.Length
	c.headers(req, false)
	req.Header.Set("Content-Type", u.Type)
	req.Header.Set("X-Atlassian-Token", "nocheck") // as the description of uploads spells it
	resp, err := c.bulk.Do(req)
	if err != nil {
		return transportError(err, true)
	}
	defer resp.Body.Close()
	data, err := readAll(resp)
	ok := resp.StatusCode >= 200 && resp.StatusCode < 300
	switch {
	case err != nil && ok:
		return transportError(err, true)
	case !ok:
		return answerError(resp, data, true)
	case len(data) > MaxAnswer, json.Unmarshal(data, into) != nil:
		return &Error{Kind: KindProtocol, Status: resp.StatusCode, TraceID: trace(resp.Header), Unsure: true}
	}
	return nil
}

// lent is a body while it is sent. The transport reads it in a goroutine of its
// own, which goes on for a while after an answer that came early.
type lent struct {
	mu   sync.Mutex
	from io.Reader // guarded by mu; nil when it was given back
}

// errBody stands for what is wrong with a body: the text of that may name a file
// of somebody's computer, and the error of a request is logged.
var errBody = errors.New("the body could not be read")

// Read implements io.Reader.
func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		return 0, errBody
	}
	n, err := l.from.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as readers return it
		err = errBody
	}
	return n, err
}

// back waits for the reading that is under way, and lets no other begin.
func (l *lent) back() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from = nil
}

// Download asks for content that another host has: Confluence answers with the
// signed address of it, which is followed once and without the token. The body
// is the caller's to close, length is -1 where it is not told. Only ctx bounds
// the reading.
func (c *Client) Download(ctx context.Context, path string, query url.Values) (body io.ReadCloser, length int64, err error) {
	address, failure := c.locate(ctx, path, query)
	if failure == nil {
		body, length, failure = c.fetch(ctx, address)
	}
	if failure != nil {
		c.log(ctx, Request{Method: http.MethodGet, Path: path}, failure, 0)
		return nil, 0, failure
	}
	return body, length, nil
}

// locate asks where content is.
func (c *Client) locate(ctx context.Context, path string, query url.Values) (string, *Error) {
	ctx, cancel := context.WithTimeout(ctx, AttemptTimeout)
	defer cancel()
	address := c.cfg.Base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", &Error{Kind: KindProtocol, Err: errors.New("building a request")}
	}
	c.headers(req, false)
	resp, err := c.http.Do(req)
	if err != nil {
		return "", transportError(err, false)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusFound && resp.StatusCode != http.StatusSeeOther && resp.StatusCode != http.StatusTemporaryRedirect {
		data, err := readAll(resp)
		if err != nil {
			return "", transportError(err, false)
		}
		return "", answerError(resp, data, false)
	}
	target := resp.Header.Get("Location")
	if !MediaAddress(c.cfg.Base, target) {
		return "", &Error{Kind: KindProtocol, Status: resp.StatusCode, TraceID: trace(resp.Header), Err: errors.New("a redirect to where no content is")}
	}
	return target, nil
}

// fetch reads content from its signed address, which is a secret of its own and
// appears nowhere.
func (c *Client) fetch(ctx context.Context, address string) (io.ReadCloser, int64, *Error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, 0, &Error{Kind: KindProtocol, Err: errors.New("building a request")}
	}
	req.Header.Set("User-Agent", c.cfg.Agent)
	req.Header.Set("Accept-Encoding", "identity") // what it says of its length must be true of what is read
	resp, err := c.bulk.Do(req)
	if err != nil {
		return nil, 0, transportError(err, false)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Encoding") != "" {
		defer resp.Body.Close()
		failure := answerError(resp, nil, false)
		if failure.Kind == KindToken || failure.Kind == KindScope || resp.StatusCode == http.StatusOK {
			failure.Kind = KindProtocol // the token was not asked for
		}
		return nil, 0, failure
	}
	return resp.Body, resp.ContentLength, nil
}

// MediaAddress reports whether content may be fetched from target when the API
// is at base: over https from a host of the same domain, such as
// api.media.atlassian.com beside api.atlassian.com. An API on this computer, as
// in tests, may send to another name of it.
func MediaAddress(base, target string) bool {
	api, err := url.Parse(base)
	if err != nil || strings.ContainsAny(target, "\\\t\r\n ") {
		return false
	}
	u, err := url.Parse(target)
	if err != nil || u.User != nil || u.Host == "" || u.Opaque != "" {
		return false
	}
	from, to := strings.ToLower(api.Hostname()), strings.ToLower(u.Hostname())
	if u.Scheme != api.Scheme || u.Port() != api.Port() || strings.HasSuffix(to, ".") {
		return false
	}
	if loopback(from) {
		return loopback(to)
	}
	_, domain, ok := strings.Cut(from, ".")
	if _, err := netip.ParseAddr(to); err == nil || u.Scheme != "https" || !ok || !strings.Contains(domain, ".") {
		return false
	}
	return strings.HasSuffix(to, "."+domain)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
