// Package session knows who is on the other end of a socket: which person
// signed in on which device, and until when. A session lives in the vault
// under a fresh id at each sign-in and ends idle, absolutely or by revocation.
package session

import (
	"context"
	"errors"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// Errors of stores.
var (
	// ErrNone says that there is no live session.
	ErrNone = errors.New("no live session")
	// ErrSuspended says that the person may have no session for some time.
	ErrSuspended = errors.New("the person is suspended")
)

// Session is a device that a person signed in on.
type Session struct {
	ID        identity.SessionID
	Device    identity.DeviceID
	Person    identity.PersonID
	Tenant    identity.TenantID
	Created   time.Time
	Used      time.Time // last, to a few minutes
	IdleUntil time.Time
	Until     time.Time
	Revoked   time.Time // zero while it is not
	Shown     Shown
}

// Shown is what people see of a session; it decides nothing.
type Shown struct {
	Name     string `json:"name,omitempty"` // of the person
	Email    string `json:"email,omitempty"`
	Host     string `json:"host,omitempty"`
	User     string `json:"user,omitempty"` // of the operating system
	OS       string `json:"os,omitempty"`
	Version  string `json:"version,omitempty"` // of the shim
	KeyClass string `json:"key_class,omitempty"`
	Address  string `json:"address,omitempty"`
}

// Many is for a [Store] that can answer for many devices at once.
type Many interface {
	// SessionsCurrent is SessionCurrent for each of devices; those without a
	// session are not in the answer. There are at most some hundreds.
	SessionsCurrent(ctx context.Context, devices []identity.DeviceID) (map[identity.DeviceID]Session, error)
}

// Store keeps sessions. All methods are atomic and durable when they return.
type Store interface {
	// SessionStart stores s and ends every other session of its device, unless
	// the person is suspended: [ErrSuspended].
	SessionStart(ctx context.Context, s Session) error
	// SessionCurrent returns the device's session that is neither revoked nor
	// replaced, whatever its times say, or [ErrNone].
	SessionCurrent(ctx context.Context, device identity.DeviceID) (Session, error)
	SessionTouch(ctx context.Context, id identity.SessionID, used, idleUntil time.Time) error
	SessionList(ctx context.Context) ([]Session, error)
	// SessionRevoke ends a session for good and moves the epoch. [ErrNone] if
	// there is no such session; revoking twice is no error.
	SessionRevoke(ctx context.Context, id identity.SessionID, at time.Time) error
	// Epoch grows with each revocation of anything.
	Epoch(ctx context.Context) (int64, error)
}
