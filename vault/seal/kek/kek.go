// Package kek opens key-encryption keys of every kind by their addresses. It
// is apart from [seal] so that only the assembled vault links the libraries of
// the vendors.
package kek

import (
	"context"
	"errors"
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/azure"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

// maxAnswer bounds what a service may answer; a wrapped key is a thousandth.
const maxAnswer = 1 << 20

// Options are what opening a key needs.
type Options struct {
	// Dir is what names of files are relative to.
	Dir string
	// Create makes a missing key file.
	Create bool
	// HTTP is the way to the services of the vendors. Required for them.
	HTTP *http.Client
}

// Open opens the key at an address of [keyurl]. A key service is not asked
// before the first key is wrapped or unwrapped. Errors that the operator can
// mend are user errors with the code Settings; a missing file is
// [seal.ErrNoKey].
func Open(ctx context.Context, url string, o Options) (seal.KEK, error) {
	key, err := keyurl.Parse(url)
	if err != nil {
		return nil, err
	}
	open := map[keyurl.Kind]func(keyurl.Key, *http.Client) (seal.Service, error){keyurl.Azure: azure.Open}[key.Kind]
	if open == nil {
		return seal.OpenKEK(ctx, url, o.Dir, o.Create)
	}
	if o.HTTP == nil {
		return nil, errors.New("opening a key of a key service without a way to it")
	}
	service, err := open(key, bounded(o.HTTP))
	if err != nil {
		return nil, err
	}
	return seal.NewServiceKEK(service), nil
}

// bounded follows no redirect, which could take a credential elsewhere, and
// reads no endless answer: the libraries read all there is.
func bounded(client *http.Client) *http.Client {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Transport = limit{client.Transport}
	return &own
}

type limit struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (l limit) RoundTrip(r *http.Request) (*http.Response, error) {
	next := l.next
	if next == nil {
		next = http.DefaultTransport
	}
	res, err := next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	return res, nil
}
