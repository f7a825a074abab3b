package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// takeStdout returns the real standard output and puts stderr in its place,
// for this process and all that it starts.
func takeStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil { // it was closed: write to nowhere
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "/dev/stdout"), nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
