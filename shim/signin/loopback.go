package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Limits of the loopback: it faces whatever runs on this computer, web pages
// included.
const (
	maxTries       = 20 // requests with a wrong path, host or ticket
	maxTicket      = 512
	maxConnections = 32
	headerTimeout  = 5 * time.Second
	holdTimeout    = 60 * time.Second // while the vault finishes the login
	byeTimeout     = 2 * time.Second
)

// arrival is a browser that came back, waiting to be sent on.
type arrival struct {
	ticket secret.String
	start  string
	// answer takes the page where the browser goes, or "" and a text.
	answer chan<- destination
}

type destination struct {
	page    string // checked
	title   string // shown if there is no page, with message below
	message string
}

const (
	failed    = "Sign-in did not complete"
	completed = "You are signed in"
)

// loopback waits for the browser on 127.0.0.1 for the length of one login.
type loopback struct {
	listener net.Listener
	server   *http.Server
	path     string
	host     string
	arrivals chan arrival  // capacity 1: there is only one
	spent    chan struct{} // closed after too many tries
	served   chan struct{} // closed when the server has ended
	conns    waiting

	mu    sync.Mutex
	tries int  // guarded by mu
	taken bool // guarded by mu
}

// listen opens the loopback on a port and path that nobody can guess.
func listen(ctx context.Context) (*loopback, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &loopback{
		listener: listener,
		path:     "/" + random(),
		host:     listener.Addr().String(),
		arrivals: make(chan arrival, 1),
		spent:    make(chan struct{}),
		served:   make(chan struct{}),
	}
	l.server = &http.Server{
		Handler:           l,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       headerTimeout,
		WriteTimeout:      holdTimeout + byeTimeout,
		MaxHeaderBytes:    8 << 10,
		ConnState:         l.conns.changed,
		ErrorLog:          log.New(io.Discard, "", 0), // what strangers send is not worth a line
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	l.server.SetKeepAlivesEnabled(false)
	// Ends when close closes the listener, and is waited for there.
	go func() { defer close(l.served); _ = l.server.Serve(listener) }()
	return l, nil
}

// random returns 256 random bits as 43 characters that need no escape.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func (l *loopback) address() string { return "http://" + l.host + l.path }

// close lets the browser read its last answer, then ends everything.
func (l *loopback) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), byeTimeout)
	defer cancel()
	_ = l.listener.Close()
	l.conns.drop() // those that have asked for nothing
	_ = l.server.Shutdown(ctx)
	_ = l.server.Close()
	<-l.served
}

// ServeHTTP takes the one visit of the browser. Whoever comes without the
// secret path, from another page or by another name learns nothing.
func (l *loopback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	if !l.genuine(r) {
		l.count()
		http.Error(w, "not here", http.StatusForbidden)
		return
	}
	ticket, start := r.URL.Query().Get(wire.ParamTicket), r.URL.Query().Get(wire.ParamStart)
	if ticket == "" || len(ticket) > maxTicket || len(start) > maxTicket {
		l.count()
		http.Error(w, "not like this", http.StatusBadRequest)
		return
	}
	answer := make(chan destination, 1)
	if !l.take(arrival{ticket: secret.New(ticket), start: start, answer: answer}) {
		l.count()
		http.Error(w, "This sign-in has come back already. You may close this tab.", http.StatusConflict)
		return
	}
	select {
	case to := <-answer:
		send(w, r, to)
	case <-time.After(holdTimeout):
		send(w, r, destination{title: failed, message: "The vault has not answered in time. Ask your assistant again to sign in."})
	case <-r.Context().Done():
	}
}

// genuine wants the browser's own visit: a top-level navigation (where the
// browser says so, RFC-less Fetch Metadata) to this very address. A DNS name
// that was bound again to 127.0.0.1 shows in the Host header.
func (l *loopback) genuine(r *http.Request) bool {
	path := subtle.ConstantTimeCompare([]byte(r.URL.Path), []byte(l.path)) == 1
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" && mode != "navigate" {
		return false
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" && dest != "document" {
		return false
	}
	return path && r.Method == http.MethodGet && r.Host == l.host && r.URL.Host == ""
}

func (l *loopback) take(a arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.taken || l.tries > maxTries {
		return false
	}
	l.taken = true
	l.arrivals <- a // never blocks: capacity 1, sent once
	return true
}

func (l *loopback) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tries++; l.tries == maxTries+1 {
		close(l.spent)
	}
}

func send(w http.ResponseWriter, r *http.Request, to destination) {
	if to.page != "" {
		http.Redirect(w, r, to.page, http.StatusSeeOther)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<!doctype html><html lang=\"en\"><title>Coatcheck</title><h1>" +
		html.EscapeString(to.title) + "</h1><p>" + html.EscapeString(to.message) + "</p><p>You may close this tab.</p></html>\n"))
}

// waiting keeps the connections that have not sent a request yet and closes
// the oldest when there are many, so that slow clients, however many, never
// keep the browser out.
type waiting struct {
	mu    sync.Mutex
	conns []net.Conn // guarded by mu; oldest first
}

func (q *waiting) changed(c net.Conn, state http.ConnState) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, known := range q.conns {
		if known == c {
			q.conns = append(q.conns[:i], q.conns[i+1:]...)
			break
		}
	}
	if state != http.StateNew {
		return
	}
	if q.conns = append(q.conns, c); len(q.conns) > maxConnections {
		_ = q.conns[0].Close()
		q.conns = q.conns[1:]
	}
}

func (q *waiting) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.conns {
		_ = c.Close()
	}
}
