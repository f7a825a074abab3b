package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// proofHeader carries the proof of a device (RFC 9449 §4.1), and nonceHeader
// what the next one must have.
const (
	proofHeader = "DPoP"
	nonceHeader = "DPoP-Nonce"
)

// ErrNonce says that a proof lacks the nonce that comes with the answer. Every
// program begins so: it is no attempt to get in.
var ErrNonce = errors.New("the proof needs a nonce")

// DevicesConfig is what [Devices] need. Everything is required.
type DevicesConfig struct {
	// Prove returns the device whose key signed a request: this one, now, and
	// for the first time. Its errors are user errors; one wraps [ErrNonce].
	Prove func(r *http.Request) (identity.DeviceID, error)
	// Current returns the session of a device, or session.ErrNone.
	Current func(ctx context.Context, device identity.DeviceID) (session.Session, error)
	// Fresh refuses somebody who has to show anew who they are.
	Fresh func(ctx context.Context, caller identity.Caller) error
	// Roles are what the company says of the person of a session.
	Roles func(ctx context.Context, id identity.SessionID) ([]identity.Role, error)
}

// Devices is an [Authenticator] for people whose groups at the company give
// them a role, by the key of a device on which they are signed in: there is
// nothing to copy.
type Devices struct{ cfg DevicesConfig }

var _ Authenticator = (*Devices)(nil)

// NewDevices returns an authenticator.
func NewDevices(cfg DevicesConfig) *Devices { return &Devices{cfg} }

// Authenticate implements [Authenticator].
func (d *Devices) Authenticate(r *http.Request) (admin.Actor, error) {
	device, err := d.cfg.Prove(r)
	if err != nil {
		return admin.Actor{}, err
	}
	ctx := r.Context()
	s, err := d.cfg.Current(ctx, device)
	if errors.Is(err, session.ErrNone) {
		return admin.Actor{}, usererr.New(usererr.Unauthorized, "Nobody is signed in on this device", "Run “coatcheck login” on it")
	}
	if err != nil {
		return admin.Actor{}, usererr.Wrap(err, usererr.Unavailable, "The vault cannot look up who is calling", "Try again in a minute")
	}
	who := admin.Actor{By: "person:" + string(s.Person), Way: "over the administrative API, on the device " + string(device)}
	if err := d.cfg.Fresh(ctx, identity.Caller{Person: s.Person, Tenant: s.Tenant, Device: device, Session: s.ID}); usererr.CodeOf(err) == usererr.SignIn {
		return who, usererr.Wrap(err, usererr.Denied, "You have to show anew who you are", "Run “coatcheck login” on this device, then try again")
	} else if err != nil {
		return who, err
	}
	roles, err := d.cfg.Roles(ctx, s.ID)
	if err != nil {
		return who, usererr.Wrap(err, usererr.Unavailable, "The vault cannot look up what you may do", "Try again in a minute")
	}
	for _, role := range []identity.Role{identity.Administrator, identity.Auditor} { // the stronger first
		if slices.Contains(roles, role) {
			who.Role = role
			return who, nil
		}
	}
	return who, usererr.New(usererr.Denied, "None of the groups that you are in at your company has a role here", "Ask the administrator of the vault")
}

// Either is an [Authenticator] that takes a key, or else the proof of a device.
type Either struct {
	Keys    *Keys
	Devices *Devices // nil where people have no roles
}

var _ Authenticator = Either{}

// Authenticate implements [Authenticator].
func (e Either) Authenticate(r *http.Request) (admin.Actor, error) {
	if e.Devices != nil && proven(r) && len(r.Header.Values("Authorization")) == 0 {
		return e.Devices.Authenticate(r)
	}
	return e.Keys.Authenticate(r)
}

// proven reports whether a request has the proof of a device.
func proven(r *http.Request) bool { return len(r.Header.Values(proofHeader)) > 0 }
