package signin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/signin/rights"
)

// declined is what waiting calls hear of a refusal.
const declined = "The sign-in was declined in the browser"

// askAgain is what people can do after a sign-in that failed.
const askAgain = "Ask your assistant again to start a new sign-in"

// page does what all pages have in common.
func (h *Handler) page(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.common(w)
		switch {
		case !h.addresses.AllowAddress(h.cfg.Address(r), time.Now()):
			h.pages.note(w, tooMuch())
		case h.crossSite.Check(r) != nil:
			h.cfg.Log.WarnContext(r.Context(), "a form from elsewhere was refused", "address", h.address(r))
			h.pages.note(w, strangeForm())
		default:
			serve(w, r)
		}
	})
}

// ended records that a login ended without a session and tells those who wait.
// The login is over in any case, so a record that cannot be stored is only
// logged.
func (h *Handler) ended(ctx context.Context, l consent.Login, detail string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime) // the browser may have gone
	defer cancel()
	record := entry(l, "login.failed", "error")
	switch l.Phase {
	case consent.Refused:
		record.Event, record.Outcome, record.Code = "login.refused", "denied", string(usererr.Refused)
	case consent.Failed:
		record.Code = string(l.Details.Reason.Code)
	default:
		record.Code = string(usererr.Timeout)
	}
	record.Detail = detail
	// What no person ever looked at, anybody may have begun: the chain, which
	// never shrinks, is not for that.
	if l.Phase != consent.Expired || l.Clicked() {
		if err := h.cfg.Audit.Record(ctx, record); err != nil {
			h.cfg.Log.ErrorContext(ctx, "recording the end of a login", "login", l.ID, "event", record.Event, "err", err)
		}
	}
	h.cfg.Log.InfoContext(ctx, "a login ended", "login", l.ID, "device", l.Device, "event", record.Event, "code", record.Code)
	done, _ := Told(l)
	h.cfg.Streams.LoginDone(l.Device, done)
}

// Told is what those who wait for a login hear of its end without a session;
// false if it has none.
func Told(l consent.Login) (wire.LoginDone, bool) {
	switch l.Phase {
	case consent.Refused:
		return wire.LoginDone{Message: declined}, true
	case consent.Failed:
		return wire.LoginDone{Message: l.Details.Reason.Message, Hint: l.Details.Reason.Hint}, true
	case consent.Expired:
		return wire.LoginDone{Message: "The sign-in was not completed in time"}, true
	}
	return wire.LoginDone{}, false
}

// cookieName is of one login, so that two in one browser (a laptop and a
// virtual machine on it) do not meet.
func (h *Handler) cookieName(l consent.Login) string {
	if h.https {
		return "__Host-coatcheck-" + l.Ref()
	}
	return "coatcheck-" + l.Ref()
}

// cookie is what this browser brings for a login, "" if it brings none.
func (h *Handler) cookie(r *http.Request, l consent.Login) string {
	// Two cookies of one name are somebody's trick.
	if all := r.CookiesNamed(h.cookieName(l)); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

// ahead reports whether a browser fetches a page that nobody asked for yet.
func ahead(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || strings.Contains(r.Header.Get("Purpose"), "prefetch")
}

// show is GET /login/{link}: whatever there is to say about the login now.
func (h *Handler) show(w http.ResponseWriter, r *http.Request) {
	look := r.Method == http.MethodGet && !ahead(r)
	v, err := h.cfg.Desk.Visit(r.Context(), r.PathValue("link"), look)
	if err != nil {
		h.trouble(w, r, err)
		return
	}
	l := v.Login
	mine := l.Mine(h.cookie(r, l))
	switch {
	case l.Phase == consent.Open, mine && (l.Phase == consent.Asking || l.Phase == consent.AtCompany):
		h.pages.consent(w, h.question(r, v))
	case l.Phase == consent.Choosing && mine:
		h.pages.choose(w, h.question(r, v))
	case mine && !v.Code.Empty():
		h.pages.note(w, typeThis(l, v.Code.Reveal()))
	case l.Phase == consent.Expired:
		h.pages.note(w, expired())
	case l.Phase == consent.Refused && len(l.Details.Cookie) == 0:
		h.pages.note(w, refused(l)) // on our own page, before any cookie
	case !mine && l.Phase.Over():
		h.pages.note(w, used())
	case !mine:
		h.pages.note(w, elsewhere())
	case l.Phase == consent.Done:
		h.pages.note(w, success(l))
	case l.Phase == consent.Refused:
		h.pages.note(w, refused(l))
	case l.Phase == consent.Failed:
		h.pages.note(w, failedFor(l))
	default:
		h.pages.note(w, finishing())
	}
}

// question fills the consent page.
func (h *Handler) question(r *http.Request, v consent.Visit) question {
	asker := v.Login.Details.Asker
	q := question{
		Action:  wire.LoginPagePrefix + r.PathValue("link") + "/",
		Form:    v.Form.Reveal(),
		Host:    asker.Host,
		User:    asker.User,
		Address: asker.Address,
		Minutes: int(time.Until(v.Login.Expires).Minutes()) + 1,
		Company: v.Company,
		StepUp:  v.Login.Details.StepUp != "",
		ByCode:  v.ByCode,
	}
	if !q.StepUp {
		q.Rights = rights.Of(v.Scopes)
	}
	for _, tenant := range v.Tenants {
		c := choice{Name: string(tenant.ID), Sites: strings.Join(tenant.Sites, ", ")}
		if v.Login.Tenant == "" && v.Company && len(v.Tenants) > 1 {
			continue // the person's groups decide
		}
		if v.Login.Tenant == "" && !v.Company {
			q.Choices = append(q.Choices, c)
		} else {
			q.Sites = c.Sites
		}
	}
	here, asked := h.cfg.Address(r), parse(asker.Address)
	// One machine may use one address of each family.
	if here.IsValid() && asked.IsValid() && here != asked && here.Is4() == asked.Is4() {
		q.Here = here.String()
	}
	return q
}

// parse reads a stored address; the zero Addr is none.
func parse(address string) netip.Addr {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	return at
}

// trouble shows a page for an error.
func (h *Handler) trouble(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, consent.ErrNone):
		h.pages.note(w, unknown())
	case errors.Is(err, consent.ErrForm):
		h.pages.note(w, strangeForm())
	case errors.Is(err, consent.ErrElsewhere):
		h.pages.note(w, elsewhere())
	case errors.Is(err, consent.ErrUsed):
		h.pages.note(w, used())
	case errors.Is(err, consent.ErrState):
		h.pages.note(w, stray())
	default:
		if why, ok := usererr.From(err); ok {
			h.cfg.Log.WarnContext(r.Context(), "a sign-in page failed", "code", why.Code, "err", err)
			h.pages.note(w, failed(consent.Reason{Code: why.Code, Message: why.Message, Hint: why.Hint}))
			return
		}
		reference := identity.NewID("e_")
		h.cfg.Log.ErrorContext(r.Context(), "a sign-in page failed", "reference", reference, "err", err)
		h.pages.note(w, broken(reference))
	}
}

// login finds the login of the path.
func (h *Handler) login(r *http.Request) (consent.Login, error) {
	v, err := h.cfg.Desk.Visit(r.Context(), r.PathValue("link"), false)
	return v.Login, err
}

// proceed is POST /login/{link}/continue: the person's click.
func (h *Handler) proceed(w http.ResponseWriter, r *http.Request) {
	l, err := h.login(r)
	if err != nil {
		h.trouble(w, r, err)
		return
	}
	link := r.PathValue("link")
	onward, err := h.cfg.Desk.Continue(r.Context(), link, consent.Click{
		Form: r.PostFormValue("form"), Cookie: h.cookie(r, l), Tenant: identity.TenantID(r.PostFormValue("tenant")), Anew: r.PostFormValue("anew") != "",
	})
	if errors.Is(err, consent.ErrUsed) {
		h.back(w, r, link)
		return
	}
	if onward.First {
		if unrecorded := h.started(r, onward.Login); unrecorded != nil {
			h.trouble(w, r, unrecorded)
			return
		}
	}
	if !onward.Cookie.Empty() { // also where the company's sign-in is away: the next click may do better
		h.setCookie(w, onward)
	}
	if err != nil {
		h.trouble(w, r, err)
		return
	}
	if onward.Login.Phase.Over() {
		h.ended(r.Context(), onward.Login, "")
		h.back(w, r, link)
		return
	}
	h.onward(w, onward.Returned, onward.Company)
}

// onward sends a browser where a login goes on. It is a page and not a
// redirect: the click, or the form of the company's sign-in, may be bound to
// its own origin.
func (h *Handler) onward(w http.ResponseWriter, to consent.Returned, company bool) {
	switch {
	case to.Code:
		h.pages.onward(w, toCode(wire.LoginPagePrefix+url.PathEscape(to.Link.Reveal())))
	case to.Loopback != "":
		h.pages.onward(w, homeward(to.Loopback))
	case company:
		h.pages.onward(w, toCompany(to.URL))
	default:
		h.pages.onward(w, toAtlassian(to.URL))
	}
}

func (h *Handler) setCookie(w http.ResponseWriter, onward consent.Onward) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure wherever there is TLS: plain http is for loopback only
		Name:     h.cookieName(onward.Login),
		Value:    onward.Cookie.Reveal(),
		Path:     "/",
		MaxAge:   int(consent.Life / time.Second), // so that the last page knows the browser, too
		HttpOnly: true,
		Secure:   h.https,
		SameSite: http.SameSiteLaxMode, // the callback is a visit from another site
	})
}

// started records a login that a person has agreed to begin. Without a record
// it goes no further.
func (h *Handler) started(r *http.Request, l consent.Login) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTime)
	defer cancel()
	record := entry(l, "login.started", "ok")
	err := h.cfg.Audit.Record(ctx, record)
	if err == nil {
		return nil
	}
	why := usererr.Wrap(err, usererr.Unavailable, "The vault could not record the sign-in, so it was stopped", askAgain)
	failed, ended, err := h.cfg.Desk.Fail(ctx, l.ID, why)
	if ended {
		h.ended(ctx, failed, "")
	}
	return errors.Join(why, err)
}

// cancel is POST /login/{link}/cancel: the person's no on our own page.
func (h *Handler) cancel(w http.ResponseWriter, r *http.Request) {
	l, err := h.login(r)
	if err != nil {
		h.trouble(w, r, err)
		return
	}
	link := r.PathValue("link")
	l, err = h.cfg.Desk.Decline(r.Context(), link, r.PostFormValue("form"), h.cookie(r, l))
	switch {
	case err == nil:
		h.ended(r.Context(), l, "cancelled on the vault's page")
		h.back(w, r, link)
	case errors.Is(err, consent.ErrUsed):
		h.back(w, r, link)
	default:
		h.trouble(w, r, err)
	}
}

// back sends the browser to the login's page, which shows what there is.
func (h *Handler) back(w http.ResponseWriter, r *http.Request, link string) {
	http.Redirect(w, r, wire.LoginPagePrefix+url.PathEscape(link), http.StatusSeeOther)
}

// callback is GET /callback/{tenant}, where the authorization server sends the
// browser.
func (h *Handler) callback(w http.ResponseWriter, r *http.Request) {
	back, ok := h.came(w, r)
	if !ok {
		return
	}
	to, err := h.cfg.Desk.Return(r.Context(), back)
	switch {
	case err == nil && to.Loopback != "":
		h.cfg.Log.InfoContext(r.Context(), "a browser came back", "login", to.Login.ID, "start", to.Login.Details.Chosen)
		http.Redirect(w, r, to.Loopback, http.StatusSeeOther)
	case err == nil && to.Code:
		h.cfg.Log.InfoContext(r.Context(), "a browser shows a code", "login", to.Login.ID, "start", to.Login.Details.Chosen)
		h.back(w, r, to.Link.Reveal())
	case err == nil:
		h.ended(r.Context(), to.Login, "")
		h.back(w, r, to.Link.Reveal())
	default:
		h.turnedAway(w, r, to.Login, err)
	}
}

// came reads a callback, or answers one that is not a person's own visit or
// brings what no authorization server sends.
func (h *Handler) came(w http.ResponseWriter, r *http.Request) (back consent.Callback, ok bool) {
	if r.Method != http.MethodGet || ahead(r) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return back, false
	}
	if back, ok = h.brought(r); !ok {
		h.pages.note(w, stray())
	}
	return back, ok
}

// brought reads what a browser brings to a callback; false if no authorization
// server can have sent it.
func (h *Handler) brought(r *http.Request) (consent.Callback, bool) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	twice := slices.ContainsFunc(slices.Collect(maps.Values(q)), func(values []string) bool { return len(values) != 1 })
	if err != nil || twice || len(r.URL.RawQuery) > maxQuery {
		return consent.Callback{}, false
	}
	return consent.Callback{
		Tenant:    identity.TenantID(r.PathValue("tenant")),
		State:     q.Get("state"),
		Code:      q.Get("code"),
		Error:     q.Get("error"),
		Issuer:    q.Get("iss"),
		HasIssuer: q.Has("iss"),
		Cookie:    func(l consent.Login) string { return h.cookie(r, l) },
	}, true
}

// turnedAway shows a page for a callback that was not let through.
func (h *Handler) turnedAway(w http.ResponseWriter, r *http.Request, l consent.Login, err error) {
	h.rejected(r, l, err)
	if errors.Is(err, consent.ErrUsed) && l.Phase == consent.Expired {
		h.pages.note(w, expired())
		return
	}
	h.trouble(w, r, err)
}

// rejected notes a callback that was not let through. Only one that names a
// login of ours is worth a record: the others are anybody's noise.
func (h *Handler) rejected(r *http.Request, l consent.Login, err error) {
	h.cfg.Log.WarnContext(r.Context(), "a callback was refused", "login", l.ID, "address", h.address(r), "err", err)
	if !errors.Is(err, consent.ErrElsewhere) || !h.rejects.Allow(string(l.ID), time.Now()) {
		return
	}
	record := entry(l, "login.rejected", "denied")
	record.Address, record.Code, record.Detail = h.address(r), string(usererr.Denied), "the callback came from another browser"
	if err := h.cfg.Audit.Record(r.Context(), record); err != nil {
		h.cfg.Log.ErrorContext(r.Context(), "recording a refused callback", "login", l.ID, "err", err)
	}
}

// mark is the picture in the browser's tab.
func (h *Handler) mark(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = w.Write(h.pages.icon) // the browser has gone: nothing to do
}
