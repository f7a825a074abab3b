//go:build unix

package wsconn

import (
	"errors"
	"os"
	"syscall"
)

const canReadEarly = true

// readSocket reads what a socket has. again says that there is nothing yet.
func readSocket(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, err := syscall.Read(int(fd), p)
		switch {
		case err == nil:
			return n, false, ended(n)
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return 0, true, nil
		default:
			return 0, false, os.NewSyscallError("read", err)
		}
	}
}
