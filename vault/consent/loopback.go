package consent

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
)

// loopbackForm is the only way to write a loopback address. Everything that
// one reader could understand in another way than the next (names, short or
// numeric forms, credentials, escapes, dots, queries) does not match.
var loopbackForm = regexp.MustCompile(`^http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{3,4})/[A-Za-z0-9_-]{22,128}$`)

// challengeForm is base64url of a SHA-256 (RFC 7636 §4.2).
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// verifierForm is what RFC 7636 §4.1 allows.
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

var errLoopback = errors.New("not a loopback address of a shim")

// CheckLoopback wants the address of a listener on the browser's own machine:
// a literal loopback address (RFC 8252 §7.3), an unprivileged port and an
// unguessable path.
func CheckLoopback(address string) error {
	parts := loopbackForm.FindStringSubmatch(address)
	if parts == nil {
		return errLoopback
	}
	if port, err := strconv.Atoi(parts[1]); err != nil || port < 1024 || port > 65535 {
		return errLoopback
	}
	return nil
}

// withTicket is a loopback, as CheckLoopback accepted it, with what the browser
// brings there. The names are those of the wire.
func withTicket(s Start, ticket string) string {
	return s.Loopback + "?" + url.Values{"ticket": {ticket}, "start": {string(s.ID)}}.Encode()
}
