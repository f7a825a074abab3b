package api

import (
	"net/http"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/view"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/jsonapi"
)

// order is the body of POST /revocations.
type order struct {
	Person     string `json:"person"`
	Tenant     string `json:"tenant"`
	Device     string `json:"device"`
	Site       string `json:"site"`
	Session    string `json:"session"`
	Grant      string `json:"grant"`
	Everything bool   `json:"everything"`
	// Confirm must be "everything" for everything.
	Confirm string `json:"confirm"`
}

func (h *Handler) revoke(r *http.Request, who admin.Actor) (any, error) {
	q := ask(r, "dry_run")
	dry := q.yes("dry_run")
	if q.err != nil {
		return nil, q.err
	}
	var o order
	if err := read(r, &o); err != nil {
		return nil, err
	}
	scope := admin.Scope{
		Person: identity.PersonID(o.Person), Tenant: identity.TenantID(o.Tenant), Device: identity.DeviceID(o.Device), Site: o.Site,
		Session: identity.SessionID(o.Session), Grant: identity.GrantID(o.Grant), Everything: o.Everything,
	}
	if dry {
		would, err := h.cfg.Desk.Preview(r.Context(), who, scope)
		if err != nil {
			return nil, err
		}
		return view.RevocationOf(would, scope, true), nil
	}
	if o.Everything && o.Confirm != "everything" {
		return nil, usererr.New(usererr.BadInput, "Everybody loses access by this, and it is not confirmed", `See what it ends with ?dry_run=true, then send "confirm": "everything"`)
	}
	done, err := h.cfg.Desk.Revoke(r.Context(), who, scope)
	if err != nil {
		return nil, err
	}
	return view.RevocationOf(done, scope, false), nil
}

// read takes a JSON body without unknown members.
func read(r *http.Request, into any) error {
	return jsonapi.Reader{
		Strict: true, NotJSON: "Send it with Content-Type: application/json", TooLarge: "Send less", Other: "Look at " + Root + "/openapi.json",
	}.Read(r, into)
}
