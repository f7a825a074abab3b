// Package confluencetest has a Confluence for tests of the packages that speak
// about one subject: it answers what a test says and remembers what was asked.
package confluencetest

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
)

const base = "https://api.example/ex/confluence/cloud-1/wiki"

// Site answers requests by their method and path below /wiki, such as
// "GET /api/v2/spaces". An answer of three digits is a status; what has no
// answer is not found.
type Site struct {
	Answers map[string]string

	mu    sync.Mutex
	asked []string // guarded by mu
}

// Client returns a client of the site.
func (s *Site) Client(t testing.TB) *confluence.Client {
	t.Helper()
	return confluence.New(confluence.Config{HTTP: &http.Client{Transport: s}, Base: base, Token: secret.New("t"), Log: slog.New(slog.DiscardHandler)})
}

// RoundTrip implements http.RoundTripper.
func (s *Site) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	path := strings.TrimPrefix(r.URL.Path, "/ex/confluence/cloud-1/wiki")
	line := r.Method + " " + path
	if r.URL.RawQuery != "" {
		line += "?" + r.URL.RawQuery
	}
	if len(body) > 0 {
		line += " " + string(body)
	}
	s.mu.Lock()
	s.asked = append(s.asked, line)
	s.mu.Unlock()
	status := http.StatusOK
	text, ok := s.Answers[r.Method+" "+path]
	if !ok {
		text = "404"
	}
	if n, err := strconv.Atoi(text); err == nil {
		status, text = n, "{}"
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

// Asked is what was asked so far: method, path and query, and the body.
func (s *Site) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}
