package oauth

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// FaultKind says what goes wrong with an answer of the token endpoint.
type FaultKind int

// The faults of the token endpoint.
const (
	NoFault        FaultKind = iota
	Status                   // Fault.Status with Fault.Body, before anything happens
	Drop                     // everything happens, then the connection breaks
	NoRefreshToken           // the answer lacks the refresh token
	FewerScopes              // the answer grants one Confluence scope only
	HTML                     // 200 with a page, as of a captive portal
	Huge                     // 50 MB of access token
	Redirect                 // 307 to another host
)

// Fault is what goes wrong with one answer of the token endpoint.
type Fault struct {
	Kind       FaultKind
	Status     int
	Body       string
	RetryAfter time.Duration // with Status; 0 sends no header
	Location   string        // with Redirect
}

// NextToken gives the next n token requests a fault.
func (s *Server) NextToken(n int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.faults = append(s.faults, f)
	}
}

func (s *Server) nextFault() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return Fault{}
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	return f
}

// before answers in place of the endpoint, for faults that keep the request
// from it. It reports whether it did.
func (f Fault) before(w http.ResponseWriter, r *http.Request) bool {
	switch f.Kind {
	case Status:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter/time.Second)))
		}
		kind := "text/html;charset=UTF-8"
		if json.Valid([]byte(f.Body)) {
			kind = "application/json;charset=UTF-8"
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, f.Body)
	case Redirect:
		http.Redirect(w, r, f.Location, http.StatusTemporaryRedirect)
	case HTML:
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		_, _ = io.WriteString(w, "<!doctype html><title>Guest network</title><h1>Please accept the terms to go online</h1>")
	default:
		return false
	}
	return true
}

// after spoils an answer that was prepared. It reports whether it did.
func (f Fault) after(w http.ResponseWriter, a answer) bool {
	switch f.Kind {
	case Drop:
		panic(http.ErrAbortHandler) // the server closes the connection without an answer
	case Huge:
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		chunk := strings.Repeat("A", 64<<10)
		_, err := io.WriteString(w, `{"token_type":"Bearer","expires_in":3600,"access_token":"`+a.AccessToken)
		for i := 0; i < 800 && err == nil; i++ {
			_, err = io.WriteString(w, chunk)
		}
		_, _ = io.WriteString(w, `"}`)
		return true
	}
	return false
}
