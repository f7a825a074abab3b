// Package remote asks servers of others for JSON: with an end to every answer,
// in bytes and in time, without following redirects, since requests carry
// secrets, and with errors in which nothing stands that was received. It also
// makes texts of others fit to be shown.
package remote

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
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/plaintext"
)

// ErrTooLong says that an answer was longer than its client reads.
var ErrTooLong = errors.New("the answer is too long")

// Client is a client like from whose answers end: after most bytes, and within
// a time.
func Client(from *http.Client, most int64, within time.Duration) *http.Client {
	transport := from.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport:     limited{transport, most},
		Timeout:       within,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type limited struct {
	next http.RoundTripper
	most int64
}

// RoundTrip implements [http.RoundTripper].
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if res.ContentLength > l.most {
		_ = res.Body.Close()
		return nil, ErrTooLong
	}
	res.Body = Limit(res.Body, l.most)
	return res, nil
}

// Limit is a body that ends with [ErrTooLong] after most bytes.
func Limit(body io.ReadCloser, most int64) io.ReadCloser { return &limitedBody{body, most} }

// limitedBody fails where io.LimitReader would pretend that all was read.
type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read implements [io.Reader].
func (b *limitedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// JSON sends req and reads a JSON answer into out, which a failing status leaves
// as it is if its body is not JSON. What [http.Client.Do] and the reading of the
// body return goes through reached first.
func JSON(client *http.Client, req *http.Request, out any, reached func(error) error) (status int, err error) {
	req.Header.Set("Accept", "application/json")
	res, err := client.Do(req)
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

// Unreached says what kept an answer from arriving or being read, without any of
// its bytes; nil if err is about something else.
func Unreached(err error) error {
	for _, known := range []error{ErrTooLong, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return known
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
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("the connection broke")
	}
	return nil
}

const maxShown = 100 // runes of a text from elsewhere that people see

// Clean makes a text that somebody else wrote fit to be shown on one line.
func Clean(text string) string { return plaintext.Line(text, maxShown) }
