//go:build linux || darwin

package sqlite

import "golang.org/x/sys/unix"

// freeBytes is what an ordinary user may still write below dir.
func freeBytes(dir string) (free uint64, known bool) {
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil || at.Bsize <= 0 {
		return 0, false
	}
	return at.Bavail * uint64(at.Bsize), true
}
