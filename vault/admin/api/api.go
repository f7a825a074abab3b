// Package api is the administrative HTTP API, /v1/admin. It asks who is there,
// lets nobody else in, and leaves everything else to the desk of package admin:
// what is shown and done here is on record there.
//
// It is for programs: a request with an Origin header comes from a page in a
// browser and is refused, and there are no cookies. The description in
// openapi.json is what it does; a test compares them.
package api

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/jsonapi"
	"github.com/coatcheck-mcp/coatcheck/vault/ratelimit"
)

// Root is where the API is.
const Root = "/v1/admin"

const (
	maxBody = 16 << 10
	// answerTime bounds a request, but for what a revocation has begun.
	answerTime = 45 * time.Second
	// How often somebody from one network may be refused and get a record.
	refusedRate  = 1.0 / 6
	refusedBurst = 10
)

//go:embed openapi.json
var description []byte

// Authenticator says who sends a request, or a user error with the code
// Unauthorized. It must not remember requests.
type Authenticator interface {
	Authenticate(r *http.Request) (admin.Actor, error)
}

// Config is what a handler needs. Everything is required unless stated.
type Config struct {
	Desk   *admin.Desk
	Who    Authenticator
	Health func(context.Context) view.Health
	// Address finds the network address of a client.
	Address func(*http.Request) netip.Addr
	Log     *slog.Logger
	// Nonce makes what the next proof of a device must have. Optional: without
	// it no device is let in.
	Nonce func() string
}

// Handler serves everything under [Root].
type Handler struct {
	cfg     Config
	mux     *http.ServeMux
	refused *ratelimit.Limit
}

// action answers a request of somebody who was let in. Its value is sent as
// JSON.
type action func(r *http.Request, who admin.Actor) (any, error)

// started is an answer for something that goes on.
type started struct {
	at   string // where to look for it
	body any
}

// New returns a handler.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg, mux: http.NewServeMux(), refused: ratelimit.New(refusedRate, refusedBurst)}
	methods := map[string][]string{}
	for _, route := range h.routes() {
		h.mux.HandleFunc(route.method+" "+Root+route.path, h.serve(route.do))
		methods[route.path] = append(methods[route.path], route.method)
	}
	for path, allowed := range methods {
		h.mux.HandleFunc(Root+path, h.serve(func(*http.Request, admin.Actor) (any, error) {
			return nil, &methodError{strings.Join(allowed, ", ")}
		}))
	}
	h.mux.HandleFunc("/", h.serve(func(*http.Request, admin.Actor) (any, error) {
		return nil, usererr.New(usererr.NotFound, "There is nothing at this address", "Look at "+Root+"/openapi.json")
	}))
	return h
}

type route struct {
	method, path string
	do           action
}

func (h *Handler) routes() []route {
	return []route{
		{"GET", "/openapi.json", func(*http.Request, admin.Actor) (any, error) { return json.RawMessage(description), nil }},
		{"GET", "/health", h.health},
		{"GET", "/people", h.people},
		{"GET", "/people/{id}", h.person},
		{"GET", "/devices", h.devices},
		{"GET", "/devices/{id}", h.device},
		{"GET", "/sessions", h.sessions},
		{"GET", "/sessions/{id}", h.session},
		{"GET", "/grants", h.grants},
		{"GET", "/grants/{id}", h.grant},
		{"POST", "/revocations", h.revoke},
		{"GET", "/audit/records", h.records},
		{"GET", "/audit/chains", h.chains},
		{"POST", "/audit/verifications", h.startVerification},
		{"GET", "/audit/verifications/{id}", h.verification},
	}
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// serve lets in who may, and answers.
func (h *Handler) serve(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), answerTime)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		w.Header().Set("Cache-Control", "no-store")
		if h.cfg.Nonce != nil && proven(r) {
			w.Header().Set(nonceHeader, h.cfg.Nonce())
		}
		who, err := h.admit(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		body, err := do(r, who)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if s, ok := body.(started); ok {
			w.Header().Set("Location", s.at)
			w.WriteHeader(http.StatusAccepted)
			body = s.body
		}
		_ = json.NewEncoder(w).Encode(body) // the asker may have gone
	}
}

// admit finds out who it is. Who is refused is on record, unless there are too
// many from one network: a valid key is let in however many were wrong.
func (h *Handler) admit(r *http.Request) (admin.Actor, error) {
	who, err := h.cfg.Who.Authenticate(r)
	if r.Header.Get("Origin") != "" {
		err = usererr.New(usererr.Denied, "The request comes from a page in a browser", "Use a program of your own; the console is another address")
	}
	address := h.cfg.Address(r)
	if address.IsValid() {
		who.Address = address.String()
	}
	if err == nil || errors.Is(err, ErrNonce) {
		return who, err
	}
	if !h.refused.AllowNetwork(address, time.Now()) {
		return who, usererr.Wrap(err, usererr.RateLimited, "Too many requests from this network were refused", "Wait a minute, then try again")
	}
	why := "internal error"
	if known, ok := usererr.From(err); ok {
		why = known.Message
	}
	if failed := h.cfg.Desk.Attempt(r.Context(), who, why, r.Method+" "+r.URL.Path); failed != nil {
		return who, usererr.Wrap(failed, usererr.Unavailable, "The audit record cannot be stored", "Look at the store and try again")
	}
	return who, err
}

// methodError says which methods an address has.
type methodError struct{ allowed string }

// Error implements error.
func (e *methodError) Error() string { return "only " + e.allowed }

// fail answers with a problem (RFC 9457).
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, p := h.problem(r, err)
	if wrong, ok := errors.AsType[*methodError](err); ok {
		w.Header().Set("Allow", wrong.allowed)
	}
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge(w, err))
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "60")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the asker may have gone
}

// challenge says how to get in (RFC 6750 §3, RFC 9449 §7.1).
func challenge(w http.ResponseWriter, err error) string {
	switch {
	case w.Header().Get(nonceHeader) == "":
		return `Bearer realm="coatcheck"`
	case errors.Is(err, ErrNonce):
		return `DPoP error="use_dpop_nonce", algs="ES256"`
	}
	return `DPoP error="invalid_dpop_proof", algs="ES256"`
}

// problem is what a program hears of an error. Only user errors have words for
// it; of others the log has the rest, under a reference.
func (h *Handler) problem(r *http.Request, err error) (int, view.Problem) {
	if _, ok := errors.AsType[*methodError](err); ok {
		return http.StatusMethodNotAllowed, problemOf(http.StatusMethodNotAllowed, usererr.New(usererr.BadInput, "This address has no such method", "Look at "+Root+"/openapi.json"))
	}
	known, ok := usererr.From(err)
	if !ok {
		reference := identity.NewID("e_")
		h.cfg.Log.ErrorContext(r.Context(), "an administrative request failed", "path", r.URL.Path, "reference", reference, "err", err)
		p := problemOf(http.StatusInternalServerError, usererr.New(usererr.Internal, "Internal error", "Look for the reference in the vault's log"))
		p.Reference = reference
		return p.Status, p
	}
	if known.Err != nil {
		h.cfg.Log.WarnContext(r.Context(), "an administrative request was refused", "path", r.URL.Path, "code", known.Code, "err", err)
	}
	status := jsonapi.Status(known.Code)
	return status, problemOf(status, known)
}

func problemOf(status int, e *usererr.Error) view.Problem {
	return view.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message, Hint: e.Hint, Code: string(e.Code)}
}
