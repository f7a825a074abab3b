package confluence

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Kind says what an error means, whatever shape its answer had.
type Kind int

// The kinds of errors.
const (
	KindNetwork        Kind = iota + 1 // no answer
	KindUpstream                       // 5xx
	KindProtocol                       // an answer that cannot be understood
	KindToken                          // 401: the token is expired or invalid
	KindScope                          // 401: the token lacks a scope; refreshing does not help
	KindForbidden                      // 403: no Confluence licence, or no access to the site
	KindNotFound                       // 404: not there or not visible
	KindGone                           // 410: a removed endpoint
	KindConflict                       // 409: not the next version
	KindDuplicateTitle                 // 400: the space has a page of this title
	KindQuery                          // 400: CQL that Confluence cannot parse
	KindBadRequest                     // other 4xx
	KindTooLarge                       // 413, or an answer over our limit
	KindRateLimited                    // 429
)

var kindNames = [...]string{
	KindNetwork: "network", KindUpstream: "upstream", KindProtocol: "protocol", KindToken: "token", KindScope: "scope",
	KindForbidden: "forbidden", KindNotFound: "not found", KindGone: "gone", KindConflict: "conflict",
	KindDuplicateTitle: "duplicate title", KindQuery: "query", KindBadRequest: "bad request", KindTooLarge: "too large",
	KindRateLimited: "rate limited",
}

// String names the kind for logs.
func (k Kind) String() string {
	if k <= 0 || int(k) >= len(kindNames) {
		return "unknown"
	}
	return kindNames[k]
}

// Error is a call that did not succeed. It never holds text of the answer.
type Error struct {
	Kind    Kind
	Status  int    // HTTP status; 0 without an answer
	Code    string // Confluence's own code, such as CONFLICT
	TraceID string // atl-traceid, for Atlassian's support
	// CurrentVersion is the page's version that a 409 names; 0 if it does not.
	CurrentVersion int
	// RetryAfter is how long Confluence asks us to wait; 0 if it does not.
	RetryAfter time.Duration
	// Quota says that the hourly quota of the whole app is used up.
	Quota bool
	// Unsure says that a write may have happened nevertheless.
	Unsure bool
	// Err is the cause when there was no answer. Never contains an address.
	Err error
}

// Error describes the error for the log.
func (e *Error) Error() string {
	text := "confluence: " + e.Kind.String()
	if e.Status != 0 {
		text += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether err is an [Error] of kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// Unsure reports whether err leaves open if a write has happened.
func Unsure(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unsure
}

// again reports whether another try is harmless: reads always, writes only
// when Confluence has refused to look at them.
func (e *Error) again(write bool) bool {
	switch e.Kind {
	case KindRateLimited:
		return true
	case KindNetwork, KindUpstream:
		return !write
	default:
		return false
	}
}

// transportError describes a request without an answer. The error of
// net/http names the address with its query, which is dropped.
func transportError(err error, write bool) *Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var op *net.OpError
	sent := !errors.As(err, &op) || op.Op != "dial"
	if errors.Is(err, context.DeadlineExceeded) {
		err = context.DeadlineExceeded
	}
	return &Error{Kind: KindNetwork, Unsure: write && sent, Err: err}
}

// answerError classifies an answer that is not a success.
func answerError(resp *http.Response, data []byte, write bool) *Error {
	code, text := words(data)
	e := &Error{Status: resp.StatusCode, Code: code, TraceID: trace(resp.Header), RetryAfter: retryAfter(resp.Header)}
	failure := resp.Header.Get("X-Failure-Category")
	switch status := resp.StatusCode; {
	case status == http.StatusUnauthorized && (strings.Contains(failure, "SCOPE") || strings.Contains(text, "scope does not match")):
		e.Kind = KindScope
	case status == http.StatusUnauthorized:
		e.Kind = KindToken
	case status == http.StatusForbidden:
		e.Kind = KindForbidden
	case status == http.StatusNotFound:
		e.Kind = KindNotFound
	case status == http.StatusGone:
		e.Kind = KindGone
	case status == http.StatusConflict:
		e.Kind, e.CurrentVersion = KindConflict, currentVersion(text)
	case status == http.StatusRequestEntityTooLarge:
		e.Kind = KindTooLarge
	case status == http.StatusTooManyRequests:
		e.Kind, e.Quota = KindRateLimited, quotaReason(resp.Header)
	case status >= 500:
		e.Kind, e.Unsure = KindUpstream, write
	case strings.Contains(text, "title already exists"), strings.Contains(text, "with the same title"):
		e.Kind = KindDuplicateTitle
	case strings.Contains(text, "cql"):
		e.Kind = KindQuery
	case status >= 400:
		e.Kind = KindBadRequest
	default: // 1xx, 3xx: never followed
		e.Kind, e.Unsure = KindProtocol, write
	}
	return e
}

// words finds a code and the lower-case text in any of the shapes in which
// Confluence, its gateway and the servers before them report errors. HTML
// gives nothing.
func words(data []byte) (code, text string) {
	if len(data) > 64<<10 {
		data = data[:64<<10]
	}
	var shape struct {
		Message string `json:"message"`
		Errors  []struct {
			Code  string `json:"code"`
			Title string `json:"title"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(data, &shape); err == nil || shape.Message != "" {
		text = shape.Message
		for _, e := range shape.Errors {
			code, text = e.Code, text+" "+e.Title
		}
		return code, strings.ToLower(text)
	}
	var status struct {
		XMLName xml.Name `xml:"status"`
		Message string   `xml:"message"`
	}
	if err := xml.Unmarshal(data, &status); err == nil {
		return "", strings.ToLower(status.Message)
	}
	return "", ""
}

var versionInText = regexp.MustCompile(`current version: \[?(\d{1,9})\]?`)

func currentVersion(text string) int {
	found := versionInText.FindStringSubmatch(text)
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1]) // the pattern admits digits only
	return n
}

func trace(h http.Header) string {
	if id := h.Get("atl-traceid"); len(id) <= 128 {
		return id
	}
	return ""
}
