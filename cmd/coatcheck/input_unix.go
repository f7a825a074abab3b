//go:build !windows

package main

import (
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"syscall"
)

// polled returns in as a file that is waited for together with the network,
// which answers sooner than a thread that is blocked in it, and whose reading
// can be broken off. It does so for pipes and sockets only, as others may share
// a terminal or a file, and not for a socket that is written to as well, as
// others is: what is changed would hold for that too. Linux can open a pipe once
// more, which changes nothing for whoever has it too, however the shim ends.
// Elsewhere, and for sockets, restore is for the end; it is not reached by a
// shim that is killed, and then a program that goes on reading from the very
// same end, such as the shell around it, has to bear that reads do not wait.
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
	if info.Mode()&fs.ModeNamedPipe != 0 && runtime.GOOS == "linux" {
		if again, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(fd), os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			return again, func() {}
		}
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		return in, func() {}
	}
	return os.NewFile(uintptr(fd), in.Name()), func() { _ = syscall.SetNonblock(fd, false) } //nolint:gosec // came from one
}
