// Package dpop makes and checks proofs of possession of a device's key, as
// RFC 9449 describes them: a small signed statement "the holder of this key
// sends this method to this address now". It is strict where the RFC leaves a
// choice: ES256 over P-256 only, no header member that is not needed, a server
// nonce always, every proof good for one use. It knows nothing of who holds a
// key or what that allows.
//
// Everything here may be used from several goroutines. No proof, nonce or jti
// is ever part of an error.
package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// Header is the HTTP header that carries a proof.
	Header = "DPoP"
	// NonceHeader is the HTTP header in which the server names its nonce.
	NonceHeader = "DPoP-Nonce"

	// MaxProof is the length of the longest proof that is looked at.
	MaxProof = 4 << 10

	proofType = "dpop+jwt"
	maxJTI    = 128
	// The nonce carries the time, so the clock of the device may be wrong; a
	// day is more than any clock that still lets TLS work.
	maxClockError = 24 * time.Hour
)

// What can be wrong with a proof. Callers branch on these.
var (
	// ErrInvalid says that the proof proves nothing.
	ErrInvalid = errors.New("invalid DPoP proof")
	// ErrNonce says that the proof is good but for its nonce, which is missing,
	// too old or not ours: the caller gets a fresh one and may try again.
	ErrNonce = errors.New("the DPoP proof needs a fresh nonce")
	// ErrReplayed says that this very proof was used before.
	ErrReplayed = errors.New("replayed DPoP proof")
)

// claims is the payload of a proof.
type claims struct {
	ID     string `json:"jti"`
	Method string `json:"htm"`
	URL    string `json:"htu"`
	Issued *int64 `json:"iat"`
	Nonce  string `json:"nonce,omitempty"`
}

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of a P-256 key, base64url
// without padding: the name of the device that holds it.
func Thumbprint(key *ecdsa.PublicKey) (string, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return "", errors.New("thumbprint: not a P-256 key")
	}
	sum, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", errors.New("thumbprint: not a point on the curve")
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
