//go:build !windows

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// polled returns in as a file that is waited for together with the network,
// which answers sooner than a thread that is blocked in it, and whose reading
// can be broken off. It does so for pipes and sockets only, as others may share
// a terminal or a file, and not for a socket that is written to as well, as
// others is: what is changed would hold for that too. restore is for the end:
// whoever has the pipe too may not expect what was changed about it.
func polled(in *os.File, others ...*os.File) (file *os.File, restore func()) {
	info, err := in.Stat()
	if err != nil || info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) == 0 {
		return in, func() {}
	}
	for _, other := range others {
		if is, err := other.Stat(); err == nil && os.SameFile(info, is) {
			return in, func() {}
		}
	}
	fd := int(in.Fd()) //nolint:gosec // a descriptor is small
	if err := syscall.SetNonblock(fd, true); err != nil {
		return in, func() {}
	}
	return os.NewFile(uintptr(fd), in.Name()), func() { _ = syscall.SetNonblock(fd, false) } //nolint:gosec // came from one
}
