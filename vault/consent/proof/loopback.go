package proof

import (
	"errors"
	"regexp"
	"strconv"
)

// loopbackForm is the only way to write a loopback address. Everything that
// one reader could understand in another way than the next (names, short or
// numeric forms, credentials, escapes, dots, queries) does not match.
var loopbackForm = regexp.MustCompile(`^http://(?:127\.0\.0\.1|\[::1\]):([1-9][0-9]{3,4})/[A-Za-z0-9_-]{22,128}$`)

var errLoopback = errors.New("not a loopback address of a shim")

// Loopback wants the address of a listener on the browser's own machine: a
// literal loopback address (RFC 8252 §7.3), an unprivileged port and an
// unguessable path.
func Loopback(address string) error {
	parts := loopbackForm.FindStringSubmatch(address)
	if parts == nil {
		return errLoopback
	}
	if port, err := strconv.Atoi(parts[1]); err != nil || port < 1024 || port > 65535 {
		return errLoopback
	}
	return nil
}
