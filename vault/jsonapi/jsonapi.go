// Package jsonapi has what the vault's HTTP APIs share: reading a JSON body, and
// the status that says what went wrong.
package jsonapi

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// Reader reads the bodies of one API. Its hints say what to do about a body that
// cannot be read.
type Reader struct {
	Strict   bool   // refuses members that are not known
	NotJSON  string // it does not say that it is JSON
	TooLarge string // more than http.MaxBytesReader lets through
	Other    string // it is not what was expected
}

// Read reads a body into a value. Its errors are user errors with the codes
// BadInput and TooLarge, and repeat nothing of the body.
func (o Reader) Read(r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return usererr.New(usererr.BadInput, "The request is not JSON", o.NotJSON)
	}
	dec := json.NewDecoder(r.Body)
	if o.Strict {
		dec.DisallowUnknownFields()
	}
	err := dec.Decode(into)
	if err == nil {
		_, err = dec.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return usererr.New(usererr.TooLarge, "The request is too large", o.TooLarge)
	}
	return usererr.New(usererr.BadInput, "The request is not the JSON that was expected", o.Other)
}

// Status is the HTTP status of a code, where an API has no other for it.
func Status(code usererr.Code) int {
	switch code {
	case usererr.BadInput:
		return http.StatusBadRequest
	case usererr.Unauthorized:
		return http.StatusUnauthorized
	case usererr.Denied, usererr.Refused, usererr.Scope, usererr.Revoked:
		return http.StatusForbidden
	case usererr.NotFound:
		return http.StatusNotFound
	case usererr.Conflict:
		return http.StatusConflict
	case usererr.TooLarge:
		return http.StatusRequestEntityTooLarge
	case usererr.RateLimited:
		return http.StatusTooManyRequests
	case usererr.Unavailable, usererr.Timeout:
		return http.StatusServiceUnavailable
	case usererr.Internal, usererr.Settings, usererr.SignIn, usererr.SignInOpen, usererr.Unknown, usererr.Version:
	}
	return http.StatusInternalServerError
}
