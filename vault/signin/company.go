package signin

import (
	"errors"
	"net/http"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
)

// companyCallback is where the company's sign-in sends the browser.
func (h *Handler) companyCallback(w http.ResponseWriter, r *http.Request) {
	back, ok := h.came(w, r)
	if !ok {
		return
	}
	to, err := h.cfg.Desk.ReturnCompany(r.Context(), back)
	switch l := to.Login; {
	case errors.Is(err, consent.ErrUsed) && l.Mine(h.cookie(r, l)):
		h.back(w, r, to.Link.Reveal()) // its page says how far it has come
	case err != nil:
		h.turnedAway(w, r, l, err)
	case l.Phase.Over():
		detail := "at the company's sign-in"
		if to.Cause != nil {
			h.cfg.Log.WarnContext(r.Context(), "a company sign-in failed", "login", l.ID, "address", h.address(r), "err", to.Cause)
			detail += ": " + cause(to.Cause)
		}
		h.ended(r.Context(), l, detail)
		h.back(w, r, to.Link.Reveal())
	case l.Phase == consent.Choosing:
		h.back(w, r, to.Link.Reveal())
	default:
		h.cfg.Log.InfoContext(r.Context(), "a person came back from the company's sign-in", "login", l.ID, "person", l.Details.Result.Person)
		h.onward(w, to, false)
	}
}

// cause is why the company's sign-in failed, for auditors: in our own words,
// as all errors of the package oidc are.
func cause(err error) string {
	if why, ok := usererr.From(err); ok && why.Err != nil {
		return why.Err.Error()
	}
	return usererr.Text(err, "")
}

// companyLogout is the back-channel logout (OpenID Connect Back-Channel Logout
// 1.0 §2.5): the company's sign-in itself calls, not a browser.
func (h *Handler) companyLogout(w http.ResponseWriter, r *http.Request) {
	h.common(w)
	if !h.addresses.AllowAddress(h.cfg.Address(r), time.Now()) {
		http.Error(w, `{"error":"too_many_requests"}`, http.StatusTooManyRequests)
		return
	}
	ended, err := h.cfg.Company.Logout(r.Context(), secret.New(r.PostFormValue("logout_token")))
	w.Header().Set("Content-Type", "application/json")
	switch {
	case err == nil:
		h.cfg.Log.InfoContext(r.Context(), "the company's sign-in ended sessions", "sessions", ended)
		w.WriteHeader(http.StatusOK)
		return
	case usererr.CodeOf(err) == usererr.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusBadRequest)
	}
	h.cfg.Log.WarnContext(r.Context(), "a back-channel logout failed", "address", h.address(r), "err", err)
	_, _ = w.Write([]byte(`{"error":"invalid_request"}`)) // the caller has gone: nothing to do
}
