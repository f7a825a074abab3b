//go:build !unix

package wsconn

import "errors"

// Elsewhere a socket that is waited for is not read by its descriptor.
const canReadEarly = false

func readSocket(uintptr, []byte) (n int, again bool, err error) {
	return 0, false, errors.ErrUnsupported
}
