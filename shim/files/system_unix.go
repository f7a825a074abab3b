//go:build unix

package files

import (
	"errors"
	"os"
	"syscall"
)

// noWait opens a pipe that took the place of a file without waiting for who
// writes it.
const noWait = syscall.O_NONBLOCK

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// mark is for Windows.
func mark(string) {}

// syncFolder makes a new name durable, where the file system can.
func syncFolder(root *os.Root) {
	if dir, err := root.Open("."); err == nil {
		_ = dir.Sync()
		_ = dir.Close()
	}
}
