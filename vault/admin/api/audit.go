package api

import (
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

func (h *Handler) records(r *http.Request, who admin.Actor) (any, error) {
	q := ask(r, "tenant", "person", "device", "session", "grant", "by", "event", "outcome", "since", "until", "limit", "cursor")
	v := q.values
	wanted := admin.RecordQuery{
		Tenant: v.Get("tenant"), Person: identity.PersonID(v.Get("person")), Device: identity.DeviceID(v.Get("device")),
		Session: identity.SessionID(v.Get("session")), Grant: identity.GrantID(v.Get("grant")), By: v.Get("by"), Event: v.Get("event"),
		Outcome: v.Get("outcome"), Since: q.time("since"), Until: q.time("until"), Paging: q.paging(),
	}
	if q.err != nil {
		return nil, q.err
	}
	list, err := h.cfg.Desk.Records(r.Context(), who, wanted)
	return page(list, err, view.RecordOf)
}

// chains is the ends of the audit chains.
type chains struct {
	Key    string     `json:"checkpoint_key,omitempty"`
	Chains []view.End `json:"chains"`
}

func (h *Handler) chains(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	ends, key, err := h.cfg.Desk.Ends(r.Context(), who)
	if err != nil {
		return nil, err
	}
	answer := chains{Key: key, Chains: make([]view.End, len(ends))}
	for i, end := range ends {
		answer.Chains[i] = view.EndOf(end)
	}
	return answer, nil
}

func (h *Handler) startVerification(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	v, err := h.cfg.Desk.StartVerification(r.Context(), who)
	if err != nil {
		return nil, err
	}
	return started{Root + "/audit/verifications/" + v.ID, view.VerificationOf(v)}, nil
}

func (h *Handler) verification(r *http.Request, who admin.Actor) (any, error) {
	if q := ask(r); q.err != nil {
		return nil, q.err
	}
	v, err := h.cfg.Desk.Verification(r.Context(), who, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return view.VerificationOf(v), nil
}
