package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// takeStdout returns the real standard output and puts stderr in its place,
// for this process and all that it starts.
func takeStdout() (*os.File, error) {
	out := os.Stdout
	stderr, err := windows.GetStdHandle(windows.STD_ERROR_HANDLE)
	if err != nil {
		return nil, err
	}
	if err := windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, stderr); err != nil {
		return nil, err
	}
	os.Stdout = os.Stderr
	return out, nil
}

func isTerminal(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}

// orphaned returns when the process with the id, which started this one, has
// ended, or ctx. It reports which.
func orphaned(ctx context.Context, id int) bool {
	parent, err := windows.OpenProcess(windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(id))
	if err != nil || !older(parent, windows.CurrentProcess()) { // the number may be another's by now
		<-ctx.Done()
		return false
	}
	defer func() { _ = windows.CloseHandle(parent) }()
	for ctx.Err() == nil {
		if event, err := windows.WaitForSingleObject(parent, uint32(parentCheck/time.Millisecond)); err == nil && event == windows.WAIT_OBJECT_0 {
			return true
		}
	}
	return false
}

// older reports whether process a was started before b.
func older(a, b windows.Handle) bool {
	started := func(h windows.Handle) int64 {
		var created, exited, kernel, user windows.Filetime
		if err := windows.GetProcessTimes(h, &created, &exited, &kernel, &user); err != nil {
			return 0
		}
		return created.Nanoseconds()
	}
	return started(a) < started(b)
}
