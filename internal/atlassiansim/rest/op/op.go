// Package op is what the operations of the simulated REST API are made of: a
// call that passed the gateway, lists in pages, and errors in Confluence's
// words. Sub-packages of rest by subject add their operations with an [Add].
package op

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/directory"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// The prefixes of the two versions of the API.
const (
	V1 = "/wiki/rest/api"
	V2 = "/wiki/api/v2"
)

// Call is one request that passed the gateway.
type Call struct {
	*http.Request
	Wiki   *wiki.Wiki
	People *directory.Directory
	Who    directory.Person
	Site   directory.Site
}

// Func answers a call. Its error is a [wiki.Error]; nil, nil is 204.
type Func func(*Call) (any, error)

// Add adds an operation, such as "GET "+V2+"/tasks". The token needs one of the
// scopes, which are separated by spaces.
type Add func(pattern, scopes string, f Func)

// Answer is an answer with another status than 200.
type Answer struct {
	Status int
	Body   any // nil for none
}

// Redirect is an answer that sends the caller on to an address.
type Redirect string

// Created is an answer with status 201.
func Created(body any) any { return Answer{http.StatusCreated, body} }

// Cloud is the id of the site.
func (c *Call) Cloud() string { return c.Site.CloudID }

// Number reads a number from the path. One that is none is a bad request.
func (c *Call) Number(name string) (int64, error) {
	return Number(name, c.PathValue(name))
}

// maxRequest is above wiki.MaxBody, since a body grows when it is escaped.
const maxRequest = 3 * wiki.MaxBody

// Read decodes the request's body.
func (c *Call) Read(into any) error {
	data, err := io.ReadAll(io.LimitReader(c.Body, maxRequest+1))
	if err != nil || len(data) > maxRequest {
		return &wiki.Error{Status: http.StatusRequestEntityTooLarge, Code: "REQUEST_ENTITY_TOO_LARGE", Title: "request is too large in size (over 5 MB)"}
	}
	if json.Unmarshal(data, into) != nil {
		return wiki.Bad("JSON parse error")
	}
	return nil
}

// Page is the page named in the path by id.
func (c *Call) Page() (wiki.Page, error) {
	n, err := c.Number("id")
	if err != nil {
		return wiki.Page{}, err
	}
	return c.Wiki.Page(c.Site.CloudID, c.Who, n)
}

// When is a time as Confluence writes it.
func When(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z") }

// ID is an id as Confluence writes it.
func ID(n int64) string { return strconv.FormatInt(n, 10) }

// Body is a text in one of Confluence's representations.
type Body struct {
	Representation string `json:"representation"`
	Value          string `json:"value"`
}

// Flexible is an id that callers write as a string or as a number.
type Flexible string

// UnmarshalJSON reads a string or a number.
func (f *Flexible) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err == nil {
		*f = Flexible(text)
		return nil
	}
	var n json.Number
	err := json.Unmarshal(data, &n)
	*f = Flexible(n)
	return err
}
