// Package identity has the words for who acts: person, tenant, device,
// session, stream and call. Types only; it decides and stores nothing.
package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// PersonID names a human: derived from issuer and subject of the sign-in,
// never from an e-mail address. See [NewPersonID].
type PersonID string

// TenantID is the key of a tenant in the settings.
type TenantID string

// DeviceID is the RFC 7638 thumbprint of a device's public key.
type DeviceID string

// SessionID names one sign-in of a person on a device.
type SessionID string

// GrantID names one token family of a person at one tenant's OAuth app.
type GrantID string

// LoginID names one run of the browser dance.
type LoginID string

// StreamID names one MCP conversation; the shim makes it up (128 random bits)
// and it is only meaningful together with its device.
type StreamID string

// Person is a human as the identity provider describes him or her. Name and
// Email are for display only and decide nothing.
type Person struct {
	ID      PersonID
	Issuer  string
	Subject string
	Name    string
	Email   string
}

// NewPersonID derives the id of the person that issuer knows as subject.
func NewPersonID(issuer, subject string) PersonID {
	sum := sha256.Sum256([]byte(issuer + "\x00" + subject))
	return PersonID("p_" + base64.RawURLEncoding.EncodeToString(sum[:16]))
}

// NewID returns a fresh unguessable id (160 random bits) with a prefix that
// tells people what it names, such as "s_" for a session.
func NewID(prefix string) string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// Caller is who makes a call and over what. A Caller without a Session is a
// guest: it may initialize, list and sign in, nothing else.
type Caller struct {
	Person  PersonID // "" for a guest
	Tenant  TenantID // the tenant of the session; "" for a guest
	Device  DeviceID
	Session SessionID // "" for a guest
	Stream  StreamID
	Address string // network address of the shim, without port
	// Call is the JSON text of the JSON-RPC id, such as `7` or `"a"`; unique
	// within the stream.
	Call string
	// Replayed says that the shim sends this call again because it never saw
	// an answer: a write must be looked up in the journal first.
	Replayed bool
}

// Guest reports whether the caller has no session.
func (c Caller) Guest() bool { return c.Session == "" }

type callerKey struct{}

// With returns a context in which caller acts.
func With(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// From returns who acts in ctx; ok is false where nobody was set, which must
// be treated as a guest without a device.
func From(ctx context.Context) (caller Caller, ok bool) {
	caller, ok = ctx.Value(callerKey{}).(Caller)
	return caller, ok
}
