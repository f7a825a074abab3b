// Package durable makes names last: what a crash of the machine leaves of a new
// file or folder is decided by the folder that its name is in, which the file's
// own Sync says nothing of (fsync(2), "Description"). It knows nothing of what
// the files are for.
package durable

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

// Folder makes the names in a folder last. Windows cannot and need not; file
// systems that have no such call, as some on a network, are left to their own
// promises. It may be called from many goroutines.
func Folder(name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
