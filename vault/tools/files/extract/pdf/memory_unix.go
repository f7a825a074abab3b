//go:build unix && !darwin

package pdf

import "syscall"

// limitMemory makes the system end this process when it takes too much. The
// runtime reserves more than it uses.
func limitMemory() {
	limit := syscall.Rlimit{Cur: 4 * memory, Max: 4 * memory}
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &limit) // without it there is the limit of time
}
