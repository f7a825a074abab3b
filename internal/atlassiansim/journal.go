package atlassiansim

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/wiki"
)

// Request is an entry of the journal.
type Request struct {
	Time   time.Time
	Method string
	Path   string
	Query  string
	Auth   bool   // an Authorization header was there
	Status int    // 0 if the answer was dropped
	Body   string // none of a file
}

// Exchange is one request to the API and its answer.
type Exchange struct {
	Request *http.Request // its body has been read
	Body    []byte
	Status  int
	Answer  []byte
}

// Limits of what is kept and read.
const (
	maxEntries = 200_000
	maxKept    = 64 << 10 // bytes of a body in the journal
	maxBody    = 4 * wiki.MaxBody
)

// journal is what was asked, in the order of the answers.
type journal struct {
	mu   sync.Mutex
	list []Request // guarded by mu
}

// note serves a request and writes it down.
func (j *journal) note(s *Sim, w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	var body []byte
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") { // a file may be large
		var err error
		if body, err = io.ReadAll(io.LimitReader(r.Body, maxBody)); err != nil {
			return // the caller has gone
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	entry := Request{
		Time: time.Now(), Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery,
		Auth: r.Header.Get("Authorization") != "", Body: string(body[:min(len(body), maxKept)]),
	}
	rec := &recorder{ResponseWriter: w, keep: s.opt.Record != nil && isAPI(r)}
	defer func() {
		broken := recover()
		if entry.Status = rec.status; broken != nil {
			entry.Status = 0
		}
		if !s.opt.NoJournal {
			j.add(entry)
		}
		if broken != nil {
			panic(broken) // the server closes the connection
		}
		if rec.keep {
			s.opt.Record(Exchange{Request: r, Body: body, Status: rec.status, Answer: rec.answer.Bytes()})
		}
	}()
	serve(rec, r)
}

func (j *journal) add(entry Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.list) >= maxEntries {
		j.list = slices.Delete(j.list, 0, maxEntries/2)
	}
	j.list = append(j.list, entry)
}

func (j *journal) entries(keep func(Request) bool) []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []Request
	for _, r := range j.list {
		if keep(r) {
			all = append(all, r)
		}
	}
	return all
}

// recorder remembers the status of an answer and, if asked to, its body.
type recorder struct {
	http.ResponseWriter
	keep   bool
	status int
	answer bytes.Buffer
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.keep {
		r.answer.Write(data)
	}
	return r.ResponseWriter.Write(data)
}

// Unwrap serves http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Requests lists all requests.
func (s *Sim) Requests() []Request { return s.journal.entries(func(Request) bool { return true }) }

// TokenRequests lists the requests to the token endpoint.
func (s *Sim) TokenRequests() []Request {
	return s.journal.entries(func(r Request) bool { return r.Path == tokenPath })
}

// Writes lists the requests that changed the wiki, or tried to.
func (s *Sim) Writes() []Request {
	return s.journal.entries(func(r Request) bool {
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		return !read && isAPIPath(r.Path) && !asks(r.Path)
	})
}
