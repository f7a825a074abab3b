package guard

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// Who describes a sign-in.
type Who struct {
	Name  string    // of the person; may be empty
	Until time.Time // end of the session if it is used; zero if not known
	// Devices are those that the person is signed in on, the latest first.
	Devices []Device
}

// Device is where a person is signed in, as its shim describes itself.
type Device struct {
	Here                    bool // the one that asks
	Host, Platform, Version string
	KeyClass                string // keychain or file
	Created, Used           time.Time
}

// Status is what a person may know about his or her own sign-in.
type Status struct {
	SignedIn bool
	Person   identity.PersonID
	Tenant   identity.TenantID
	Who      Who
	Grant    grant.Grant // zero without one
}

// Status describes the caller's sign-in. It does not touch Confluence, and a
// guest gets an answer too. Its error says why the grant cannot be described;
// the rest of the status holds nevertheless.
func (d *Door) Status(ctx context.Context) (Status, error) {
	caller, ok := identity.From(ctx)
	if !ok || caller.Guest() {
		return Status{}, nil
	}
	status := Status{SignedIn: true, Person: caller.Person, Tenant: caller.Tenant}
	if d.cfg.Who != nil {
		status.Who, _ = d.cfg.Who(ctx, caller) // only for display
	}
	rec := newRecord(ctx, caller, "coatcheck_status", d.cfg.Policy())
	out, err := d.cfg.Grants.Describe(ctx, caller.Person, caller.Tenant)
	answered, err := d.answer(ctx, rec, out, err)
	if err != nil {
		return status, err
	}
	status.Grant, _ = answered.(grant.Grant)
	return status, nil
}

// cursorLife is how long a cursor can be used.
const cursorLife = 24 * time.Hour

type cursor struct {
	Made  int64           `json:"t"`
	Value json.RawMessage `json:"v"`
}

// Cursor seals where to go on. Only the same person can use it, with the same
// tool.
func (d *Door) Cursor(ctx context.Context, tool string, value any) (string, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(cursor{Made: time.Now().UnixMilli(), Value: data})
	if err != nil {
		return "", err
	}
	sealed, err := d.cfg.CursorBox.Seal(plain, cursorAAD(ctx, tool))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenCursor reads what Cursor has sealed. Anything else is refused alike.
func (d *Door) OpenCursor(ctx context.Context, tool, text string, into any) error {
	if _, err := signedIn(ctx); err != nil {
		return err
	}
	bad := usererr.New(usererr.BadInput, "The cursor cannot be used: it is damaged, too old, or from another person or tool", "Make the call again without cursor")
	if len(text) > 16<<10 {
		return bad
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return bad
	}
	plain, err := d.cfg.CursorBox.Open(sealed, cursorAAD(ctx, tool))
	if err != nil {
		return bad
	}
	var kept cursor
	if json.Unmarshal(plain, &kept) != nil || time.Since(time.UnixMilli(kept.Made)) > cursorLife || json.Unmarshal(kept.Value, into) != nil {
		return bad
	}
	return nil
}

func cursorAAD(ctx context.Context, tool string) seal.AAD {
	caller, _ := identity.From(ctx) // a guest's cursor opens nothing
	return seal.AAD{Purpose: "cursor", Tenant: string(caller.Tenant), Person: string(caller.Person), Field: tool}
}
