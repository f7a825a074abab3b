package atlassiansim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/oauth"
)

// Fault is what goes wrong with one API request.
type Fault struct {
	// Method limits the fault to requests of a method; "" is all.
	Method string
	// Path limits the fault to requests whose path contains it; "" is all.
	Path string
	// Status and Body are answered. Status 0 leaves the answer as it is.
	Status int
	Body   string
	// Header is added to the answer, such as Retry-After or RateLimit-Reason.
	Header http.Header
	// Delay is waited before the answer.
	Delay time.Duration
	// After does what was asked before the answer goes wrong.
	After bool
	// Drop breaks the connection instead of answering.
	Drop bool
}

// TokenFault is what goes wrong with one answer of the token endpoint.
type TokenFault = oauth.Fault

// The kinds of a [TokenFault].
const (
	TokenStatus         = oauth.Status         // Status with Body, before anything happens
	TokenDrop           = oauth.Drop           // everything happens, then the connection breaks
	TokenNoRefreshToken = oauth.NoRefreshToken // the answer lacks the refresh token
	TokenFewerScopes    = oauth.FewerScopes    // the answer grants one Confluence scope only
	TokenHTML           = oauth.HTML           // 200 with a page, as of a captive portal
	TokenHuge           = oauth.Huge           // 50 MB of access token
	TokenRedirect       = oauth.Redirect       // 307 to Location
)

// RateLimited is a 429. Without wait it has no Retry-After, as was seen live.
func RateLimited(wait time.Duration, reason string) Fault {
	h := http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Nearlimit": {"true"}}
	if reason != "" {
		h.Set("RateLimit-Reason", reason)
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(wait/time.Second)))
		h.Set("X-RateLimit-Reset", time.Now().Add(wait).UTC().Format("2006-01-02T15:04Z"))
	}
	return Fault{Status: http.StatusTooManyRequests, Body: `{"message":"Rate limit exceeded"}`, Header: h}
}

// faults are those that wait for requests.
type faults struct {
	mu   sync.Mutex
	list []Fault // guarded by mu
}

func (f *faults) add(n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.list = append(f.list, fault)
	}
}

// next takes the first fault that fits a request.
func (f *faults) next(r *http.Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := slices.IndexFunc(f.list, func(x Fault) bool {
		return (x.Method == "" || x.Method == r.Method) && strings.Contains(r.URL.Path, x.Path)
	})
	if i < 0 {
		return Fault{}, false
	}
	found := f.list[i]
	f.list = slices.Delete(f.list, i, i+1)
	return found, true
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = nil
}

// around serves a request with the fault that waits for it, if any.
func (f *faults) around(w http.ResponseWriter, r *http.Request, api http.Handler) {
	fault, ok := f.next(r)
	if !ok {
		api.ServeHTTP(w, r)
		return
	}
	if fault.After {
		api.ServeHTTP(unseen{http.Header{}}, r)
	}
	if !pause(r.Context(), fault.Delay) {
		return
	}
	for name, values := range fault.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler) // the server closes the connection without an answer
	case fault.Status == 0:
		api.ServeHTTP(w, r)
		return
	}
	kind := "text/html;charset=UTF-8"
	if json.Valid([]byte(fault.Body)) {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(fault.Status)
	_, _ = io.WriteString(w, fault.Body) // the caller has gone: nothing to do
}

// FailNext answers the next n API requests with status and body.
func (s *Sim) FailNext(n, status int, body string) { s.Fail(n, Fault{Status: status, Body: body}) }

// Fail gives the next n API requests that fit a fault.
func (s *Sim) Fail(n int, f Fault) { s.faults.add(n, f) }

// Heal forgets all faults of the API that still wait.
func (s *Sim) Heal() { s.faults.clear() }

// FailToken gives the next n token requests a fault.
func (s *Sim) FailToken(n int, f TokenFault) { s.oauth.NextToken(n, f) }

// unseen takes an answer that nobody gets.
type unseen struct{ header http.Header }

// Header implements http.ResponseWriter.
func (u unseen) Header() http.Header { return u.header }

// Write implements http.ResponseWriter.
func (u unseen) Write(data []byte) (int, error) { return len(data), nil }

// WriteHeader implements http.ResponseWriter.
func (u unseen) WriteHeader(int) {}
