package signin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/jsonapi"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
	corporate "github.com/coatcheck-mcp/coatcheck/vault/signin/company"
)

// reply is what an API function answers with: a body, or an error and the page
// where a waiting browser should go.
type reply struct {
	body any
	page string
	err  error
}

// apiFunc serves one request of a device that has proved itself.
type apiFunc func(r *http.Request, device identity.DeviceID) reply

// api proves who calls and turns what serve returns into JSON.
func (h *Handler) api(serve apiFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.common(w)
		if !h.addresses.AllowAddress(h.cfg.Address(r), time.Now()) {
			h.answer(w, r, reply{err: errTooMuch()})
			return
		}
		thumbprint, err := dpop.FromRequest(h.cfg.Verifier, r, h.cfg.PublicURL)
		if err != nil {
			if !errors.Is(err, dpop.ErrNonce) {
				h.cfg.Log.InfoContext(r.Context(), "a proof was refused", "path", r.URL.Path, "address", h.address(r), "err", err)
			}
			h.refused(identity.DeviceID(thumbprint), r)
			dpop.Refuse(w, h.cfg.Nonces, err)
			return
		}
		w.Header().Set(dpop.NonceHeader, h.cfg.Nonces.Issue())
		if !h.devices.Allow(thumbprint, time.Now()) {
			h.answer(w, r, reply{err: errTooMuch()})
			return
		}
		h.answer(w, r, serve(r, identity.DeviceID(thumbprint)))
	})
}

// refused tells that a device brought a proof or ticket that was no good; ""
// is nobody's.
func (h *Handler) refused(device identity.DeviceID, r *http.Request) {
	if h.cfg.Refused != nil && device != "" {
		h.cfg.Refused(device, h.address(r))
	}
}

// errTooMuch is for a device or an address over its rate.
func errTooMuch() error {
	return usererr.New(usererr.RateLimited, "Too many requests at once", "Wait a moment, then try again")
}

// statusOf is the HTTP status of a code.
func statusOf(code usererr.Code) int {
	switch code {
	case usererr.Version:
		return http.StatusConflict
	case usererr.Timeout: // of the login
		return http.StatusGone
	}
	return jsonapi.Status(code)
}

// answer writes a reply. What is not meant for people goes to the log, under a
// reference that they get.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, a reply) {
	status, body := http.StatusOK, a.body
	if a.err != nil {
		status = statusOf(usererr.CodeOf(a.err))
		body = h.problem(r, a)
	}
	if body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller has gone: nothing to do
}

// problem is what a shim hears of an error. Only user errors have words for it.
func (h *Handler) problem(r *http.Request, a reply) wire.Problem {
	why, ok := usererr.From(a.err)
	if !ok {
		reference := identity.NewID("e_")
		h.cfg.Log.ErrorContext(r.Context(), "a sign-in request failed", "path", r.URL.Path, "reference", reference, "err", a.err)
		return wire.Problem{
			Code:    string(usererr.Internal),
			Message: "Internal error (reference " + reference + ")",
			Hint:    "Ask the administrator of the vault to look for this reference in its log",
			Page:    a.page,
		}
	}
	h.cfg.Log.InfoContext(r.Context(), "a sign-in request was refused", "path", r.URL.Path, "code", why.Code, "address", h.address(r), "err", a.err)
	return wire.Problem{Code: string(why.Code), Message: why.Message, Hint: why.Hint, Page: a.page}
}

// read takes a JSON body, which only shims send.
func read(r *http.Request, into any) error {
	const update = "Update coatcheck"
	return jsonapi.Reader{NotJSON: update, TooLarge: update, Other: update}.Read(r, into)
}

// start is POST /v1/login/start.
func (h *Handler) start(r *http.Request, device identity.DeviceID) reply {
	var body wire.LoginStart
	if err := read(r, &body); err != nil {
		return reply{err: err}
	}
	ctx := r.Context()
	begun, err := h.cfg.Desk.Begin(ctx, consent.Ask{
		Device:     device,
		Tenant:     identity.TenantID(body.Tenant),
		Stream:     identity.StreamID(body.Stream),
		Loopback:   body.Loopback,
		ByCode:     body.ByCode,
		Challenge:  body.Challenge,
		Asker:      consent.Asker{Host: body.Host, User: body.User, Address: h.address(r)},
		Force:      body.Force,
		Start:      consent.StartID(body.Start),
		OpenFailed: body.OpenFailed,
		Admit:      func(ctx context.Context) error { return h.admit(ctx, device, h.cfg.Address(r)) },
	})
	if why, ok := usererr.From(err); ok && why.Code == usererr.Refused {
		// Calls that wait would wait in vain.
		h.cfg.Streams.LoginDone(device, wire.LoginDone{Message: why.Message, Hint: why.Hint})
	}
	if err != nil {
		return reply{err: err}
	}
	l := begun.Login
	if begun.Fresh { // it gets a record when a person clicks: this was anybody
		h.cfg.Log.InfoContext(ctx, "a login began", "login", l.ID, "device", device, "address", l.Details.Asker.Address)
	}
	if begun.Already {
		h.cfg.Streams.LoginDone(device, wire.LoginDone{OK: true})
	}
	return reply{body: wire.LoginStarted{
		Login:            string(l.ID),
		Start:            string(begun.Start),
		URL:              h.pageURL(begun.Link.Reveal()),
		Open:             begun.Open,
		ExpiresInSeconds: max(int64(time.Until(l.Expires)/time.Second), 1),
	}}
}

// admit lets a device begin a login, whose owner nobody knows yet.
func (h *Handler) admit(ctx context.Context, device identity.DeviceID, from netip.Addr) error {
	if _, err := h.cfg.Sessions.Current(ctx, device); err == nil {
		return nil
	}
	of := h.begins
	if from.IsLoopback() {
		of = h.local
	}
	if !of.AllowNetwork(from, time.Now()) {
		return usererr.New(usererr.RateLimited, "Too many sign-ins begin from this network", "Wait a minute, then try again")
	}
	return nil
}

// entry is the audit record of something that happened to a login.
func entry(l consent.Login, event, outcome string) audit.Entry {
	result := l.Details.Result
	return audit.Entry{
		Event:   event,
		Outcome: outcome,
		Tenant:  l.Tenant,
		Person:  result.Person,
		Device:  l.Device,
		Session: result.Session,
		Grant:   result.Grant,
		Address: l.Details.Asker.Address,
		Objects: []string{string(l.ID)},
		Time:    time.Now(),
	}
}

// finish is POST /v1/login/finish.
func (h *Handler) finish(r *http.Request, device identity.DeviceID) reply {
	var body wire.LoginFinish
	if err := read(r, &body); err != nil {
		return reply{err: err}
	}
	ctx := r.Context()
	done, err := h.cfg.Desk.Finish(ctx, consent.Claim{
		Device:   device,
		Start:    consent.StartID(body.Start),
		Ticket:   secret.New(body.Ticket),
		Verifier: secret.New(body.Verifier),
	})
	page := h.pageURL(done.Link.Reveal())
	if usererr.CodeOf(err) == usererr.Unauthorized {
		h.refused(device, r)
	}
	if done.Ended {
		h.ended(ctx, done.Login, "")
	}
	if err == nil && done.Fresh {
		err = h.signedIn(ctx, done.Login, done.SignIn, body)
	}
	if err != nil {
		return reply{err: err, page: page}
	}
	return reply{body: wire.LoginFinished{OK: true, Page: page}}
}

// signedIn makes the session of a granted login, whether or not the shim still
// waits for it. Its record is stored before anybody hears of it.
func (h *Handler) signedIn(ctx context.Context, l consent.Login, company *identity.SignIn, by wire.LoginFinish) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	s, err := h.begin(ctx, l, company, by)
	if err == nil {
		record := entry(l, "login.done", "ok")
		if l.Details.StepUp != "" {
			record.Event = "session.stepped_up"
		}
		record.Session = s.ID
		if err = h.cfg.Audit.Record(ctx, record); err != nil {
			err = errors.Join(err, h.cfg.Sessions.End(ctx, l.Device)) // nobody is signed in unrecorded
		}
	}
	switch {
	case errors.Is(err, session.ErrSuspended):
		why := usererr.Wrap(err, usererr.Denied, "Your access is suspended, since something unusual was done in your name", "Ask the administrator of the vault")
		return h.fail(ctx, l, why, "the person is suspended")
	case errors.Is(err, corporate.ErrSignedOut):
		why := usererr.Wrap(err, usererr.Denied, "Your company's sign-in was ended while you signed in", "Ask your assistant again to start a new sign-in")
		return h.fail(ctx, l, why, "the company's sign-in was ended meanwhile")
	case err != nil:
		return errors.Join(usererr.Wrap(err, usererr.Unavailable, "The vault could not store the sign-in", "Try again in a moment"),
			h.cfg.Desk.Release(ctx, l.ID))
	}
	if _, err := h.cfg.Desk.Complete(ctx, l.ID, s.ID); err != nil {
		return h.undo(ctx, l, s, err)
	}
	h.cfg.Log.InfoContext(ctx, "a person signed in", "login", l.ID, "person", s.Person, "device", l.Device, "session", s.ID)
	h.cfg.Streams.LoginDone(l.Device, wire.LoginDone{OK: true})
	return nil
}

// fail ends the login of a person who may have no session now.
func (h *Handler) fail(ctx context.Context, l consent.Login, why *usererr.Error, detail string) error {
	failed, ended, err := h.cfg.Desk.Fail(ctx, l.ID, why)
	if ended {
		h.ended(ctx, failed, detail)
	}
	return errors.Join(why, err)
}

// begin makes the session. What the company said is stored first: there is no
// session without it.
func (h *Handler) begin(ctx context.Context, l consent.Login, company *identity.SignIn, by wire.LoginFinish) (session.Session, error) {
	result := l.Details.Result
	who := session.Who{
		ID: session.NewID(), Device: l.Device, Person: result.Person, Tenant: l.Tenant,
		Shown: session.Shown{
			Name: result.Name, Email: result.Email, Host: l.Details.Asker.Host, User: l.Details.Asker.User, Address: l.Details.Asker.Address,
			OS: by.OS, Version: by.Version, KeyClass: by.KeyClass,
		},
	}
	if company != nil {
		caller := identity.Caller{Session: who.ID, Device: who.Device, Person: who.Person, Tenant: who.Tenant}
		if err := h.cfg.Company.Keep(ctx, caller, *company); err != nil {
			return session.Session{}, err
		}
	}
	s, err := h.cfg.Sessions.Start(ctx, who)
	if err == nil && company != nil {
		if err = h.cfg.Company.Stands(ctx, *company); err != nil {
			err = errors.Join(err, h.cfg.Sessions.End(ctx, l.Device))
		}
	}
	return s, err
}

// undo ends the session of a login that could not be completed.
func (h *Handler) undo(ctx context.Context, l consent.Login, s session.Session, why error) error {
	record := entry(l, "session.ended", "ok")
	record.Session, record.Detail = s.ID, "the sign-in could not be completed"
	err := errors.Join(h.cfg.Sessions.End(ctx, l.Device), h.cfg.Audit.Record(ctx, record), h.cfg.Desk.Release(ctx, l.ID))
	if _, ok := usererr.From(why); !ok {
		why = usererr.Wrap(why, usererr.Unavailable, "The vault could not store the sign-in", "Try again in a moment")
	}
	return errors.Join(why, err)
}

// logout is POST /v1/logout.
func (h *Handler) logout(r *http.Request, device identity.DeviceID) reply {
	var body wire.Logout
	if err := read(r, &body); err != nil {
		return reply{err: err}
	}
	ctx := r.Context()
	s, err := h.cfg.Sessions.Current(ctx, device)
	switch {
	case errors.Is(err, session.ErrNone) && body.Everywhere:
		return reply{err: usererr.New(usererr.NotFound, "Nobody is signed in on this device", "Do it on one where you are, or ask the administrator of the vault")}
	case errors.Is(err, session.ErrNone):
		return reply{}
	case err == nil && body.Everywhere && h.cfg.Everywhere != nil:
		done, err := h.cfg.Everywhere(ctx, s, h.address(r))
		return reply{body: done, err: err}
	}
	if err == nil {
		if err = h.cfg.Sessions.End(ctx, device); errors.Is(err, session.ErrNone) {
			err = nil
		}
	}
	if err == nil {
		err = h.cfg.Audit.Record(ctx, audit.Entry{
			Time: time.Now(), Event: "session.ended", Outcome: "ok", Tenant: s.Tenant, Person: s.Person,
			Device: device, Session: s.ID, Address: h.address(r), Detail: "logged out on the device",
		})
	}
	return reply{err: err}
}
