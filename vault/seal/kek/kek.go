// Package kek opens key-encryption keys of every kind by their addresses. It
// is apart from [seal] so that only the assembled vault links the libraries of
// the vendors.
package kek

import (
	"context"
	"errors"
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/aws"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/azure"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/gcp"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

// Options are what opening a key needs.
type Options struct {
	// Dir is what names of files are relative to.
	Dir string
	// Create makes a missing key file.
	Create bool
	// Transport is the way to the services of the vendors. Required for them.
	Transport *http.Transport
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
	open := map[keyurl.Kind]func(context.Context, keyurl.Key, *http.Transport) (seal.Service, error){
		keyurl.Azure: azure.Open, keyurl.AWS: aws.Open, keyurl.GCP: gcp.Open,
	}[key.Kind]
	if open == nil {
		return seal.OpenKEK(ctx, url, o.Dir, o.Create)
	}
	if o.Transport == nil {
		return nil, errors.New("opening a key of a key service without a way to it")
	}
	service, err := open(ctx, key, o.Transport)
	if err != nil {
		return nil, err
	}
	return seal.NewServiceKEK(service), nil
}
