// Package proof has what browsers and shims show on the way through a login:
// unguessable texts, of which only hashes are kept, PKCE verifiers, and
// addresses on the loopback.
package proof

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
)

var (
	// challengeForm is base64url of a SHA-256 (RFC 7636 §4.2).
	challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	// verifierForm is what RFC 7636 §4.1 allows.
	verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)
)

// New returns 256 random bits as 43 characters that need no escape.
func New() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// Hash is what is kept of a text.
func Hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Matches compares what somebody brought with a stored hash. Nothing matches
// nothing.
func Matches(text string, stored []byte) bool {
	return text != "" && len(stored) > 0 && subtle.ConstantTimeCompare(Hash(text), stored) == 1
}

// Challenge reports whether text can be an S256 challenge.
func Challenge(text string) bool { return challengeForm.MatchString(text) }

// Verifies checks a verifier against an S256 challenge (RFC 7636 §4.6).
func Verifies(verifier secret.String, challenge string) bool {
	if !verifierForm.MatchString(verifier.Reveal()) {
		return false
	}
	got := base64.RawURLEncoding.EncodeToString(Hash(verifier.Reveal()))
	return subtle.ConstantTimeCompare([]byte(got), []byte(challenge)) == 1
}
