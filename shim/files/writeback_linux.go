//go:build linux && (amd64 || arm64)

package files

import (
	"os"
	"syscall"
)

// writeOnly begins to write and does not wait (SYNC_FILE_RANGE_WRITE in
// sync_file_range(2)).
const writeOnly = 2

// startWriteback has the system write a part of a file now, without waiting for it. Else
// it would keep a large file in memory to its end, and the end would take as
// long as all of the disk's work. What goes wrong is told when the file is synced.
func startWriteback(file *os.File, offset, length int64) {
	if raw, err := file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.SyncFileRange(int(fd), offset, length, writeOnly) })
	}
}
