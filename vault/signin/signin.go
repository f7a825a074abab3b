// Package signin is the HTTP of a sign-in: the requests of shims that begin
// and finish a login or log out, the pages that a person's browser shows on
// the way, and the callback of the authorization server. What a login is and
// who may take which step is decided in the package consent; here it becomes a
// session, an audit record, and an answer.
//
// Pages need no script, load nothing, and set one cookie: after the person
// clicked, naming the browser that goes on. Nothing secret is shown or logged;
// what a machine says of itself is shown as such. All methods may be called
// from many goroutines.
package signin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/ratelimit"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc"
)

const (
	maxBody       = 16 << 10 // of any request
	maxQuery      = 16 << 10 // of a callback
	readTime      = 10 * time.Second
	requestTime   = 20 * time.Second
	finishTime    = 50 * time.Second
	storeTime     = 10 * time.Second // for what must be stored, also when the caller has gone
	sweepEvery    = 30 * time.Second
	callbackPath  = "/callback/"
	markPath      = wire.LoginPagePrefix + "mark.svg"
	defaultName   = "Coatcheck"
	loginContinue = "continue"
	loginCancel   = "cancel"
)

// Sessions makes and ends sessions. A *session.Keeper is one.
type Sessions interface {
	Start(ctx context.Context, who session.Who) (session.Session, error)
	Current(ctx context.Context, device identity.DeviceID) (session.Session, error)
	End(ctx context.Context, device identity.DeviceID) error
}

// Auditor stores audit records, durably when Record returns nil. An *audit.Log
// is one.
type Auditor interface {
	Record(ctx context.Context, entry audit.Entry) error
}

// Streams reaches the shims that are connected. A *gateway.Gateway is one.
type Streams interface {
	// LoginDone tells every stream of device how its sign-in ended.
	LoginDone(device identity.DeviceID, done wire.LoginDone)
}

// Company keeps sign-ins with the company. A *company.Keeper is one.
type Company interface {
	// Keep stores what the company said of the person of caller, who is about to
	// get the session that caller names; company.ErrSignedOut if the company has
	// ended that meanwhile.
	Keep(ctx context.Context, caller identity.Caller, who identity.SignIn) error
	// Stands is asked once the session has begun: it has the same error if the
	// company ended it in that moment.
	Stands(ctx context.Context, who identity.SignIn) error
	// Logout ends the sessions that a logout token names. Its error has the
	// code Unavailable where the token may be good.
	Logout(ctx context.Context, token secret.String) (ended int, err error)
}

// Config is what a handler needs. Everything is required unless stated.
type Config struct {
	Desk     *consent.Desk
	Sessions Sessions
	Audit    Auditor
	Streams  Streams
	Verifier *dpop.Verifier
	Nonces   *dpop.Nonces
	// PublicURL is the origin under which shims and browsers know the vault.
	PublicURL string
	Log       *slog.Logger
	// Name is what pages call the product; optional.
	Name string
	// Company is the company's own sign-in. Optional: the Desk has it, too.
	Company Company
	// CompanyName, if not empty, is on the pages.
	CompanyName string
	// Everywhere ends all that the person of a session has at the vault, on
	// record. Optional: without it a logout ends the session of its device.
	Everywhere func(ctx context.Context, s session.Session, address string) (wire.LoggedOut, error)
	// Address finds the network address of a client; the peer's by default.
	Address func(*http.Request) netip.Addr
	// Refused, if not nil, hears of proofs and tickets that were no good and
	// that a device brought. It must not block.
	Refused func(device identity.DeviceID, address string)
}

// Handler serves the sign-in.
type Handler struct {
	cfg       Config
	https     bool
	pages     *pages
	addresses *ratelimit.Limit
	devices   *ratelimit.Limit
	begins    *ratelimit.Limit // logins of strangers
	local     *ratelimit.Limit // those of this machine
	rejects   *ratelimit.Limit // records of refused callbacks
	crossSite *http.CrossOriginProtection
}

// New returns a handler. It reports all problems of cfg at once.
func New(cfg Config) (*Handler, error) {
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	public, err := url.Parse(cfg.PublicURL)
	var problems []error
	if err != nil || public.Host == "" || public.Path != "" || public.Scheme != "https" && public.Scheme != "http" {
		problems = append(problems, errors.New("the public URL is no origin"))
	}
	if cfg.Desk == nil || cfg.Sessions == nil || cfg.Audit == nil || cfg.Streams == nil || cfg.Verifier == nil || cfg.Nonces == nil || cfg.Log == nil {
		problems = append(problems, errors.New("a part is missing"))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	if cfg.Name == "" {
		cfg.Name = defaultName
	}
	if cfg.Address == nil {
		cfg.Address = peer
	}
	h := &Handler{
		cfg:       cfg,
		https:     public.Scheme == "https",
		addresses: ratelimit.New(addressRate, addressBurst),
		devices:   ratelimit.New(deviceRate, deviceBurst),
		begins:    ratelimit.New(beginRate, beginBurst),
		local:     ratelimit.New(beginLocalRate, beginLocalBurst),
		rejects:   ratelimit.New(rejectRate, rejectBurst),
		crossSite: http.NewCrossOriginProtection(),
	}
	if err := h.crossSite.AddTrustedOrigin(cfg.PublicURL); err != nil {
		return nil, err
	}
	h.pages, err = newPages(cfg.Name, cfg.CompanyName)
	return h, err
}

// peer is the address at the other end of the connection.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// Register adds the paths of the sign-in to mux.
func (h *Handler) Register(mux *http.ServeMux) {
	api := func(path string, serve apiFunc) {
		mux.Handle("POST "+path, h.bounded(h.api(serve)))
	}
	api(wire.LoginStartPath, h.start)
	api(wire.LoginFinishPath, h.finish)
	api(wire.LogoutPath, h.logout)
	page := func(pattern string, serve http.HandlerFunc) {
		mux.Handle(pattern, h.bounded(h.page(serve)))
	}
	page("GET "+markPath, h.mark)
	page("GET "+wire.LoginPagePrefix+"{link}", h.show)
	page("POST "+wire.LoginPagePrefix+"{link}/"+loginContinue, h.proceed)
	page("POST "+wire.LoginPagePrefix+"{link}/"+loginCancel, h.cancel)
	page("GET "+callbackPath+"{tenant}", h.callback)
	if h.cfg.Company != nil {
		page("GET "+oidc.CallbackPath, h.companyCallback)
		mux.Handle("POST "+oidc.LogoutPath, h.bounded(http.HandlerFunc(h.companyLogout)))
	}
}

// Run ends logins that nobody finished, until ctx ends.
func (h *Handler) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		h.sweep(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// sweep ends what is over and tells who waits.
func (h *Handler) sweep(ctx context.Context) {
	ended, err := h.cfg.Desk.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		h.cfg.Log.ErrorContext(ctx, "ending old logins", "err", err)
	}
	for _, l := range ended {
		detail := "nobody came back from the browser"
		if len(l.Details.Ticket) > 0 {
			detail = "a browser came back and nobody finished" // perhaps a phished link
		}
		h.ended(ctx, l, detail)
	}
}

// bounded limits a request in size and time, and how many come from one
// address.
func (h *Handler) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := requestTime
		if r.URL.Path == wire.LoginFinishPath {
			limit = finishTime
		}
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		// Not every server can; then its own limits hold.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTime))
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// common sets what every answer carries.
func (h *Handler) common(w http.ResponseWriter) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Content-Type-Options", "nosniff")
	if h.https {
		head.Set("Strict-Transport-Security", "max-age=63072000")
	}
}

// address is the network address of a client, as text for people.
func (h *Handler) address(r *http.Request) string {
	if at := h.cfg.Address(r); at.IsValid() {
		return at.String()
	}
	return ""
}

// pageURL is the address of a login's page.
func (h *Handler) pageURL(link string) string {
	if link == "" {
		return ""
	}
	return h.cfg.PublicURL + wire.LoginPagePrefix + link
}
