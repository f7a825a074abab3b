//go:build unix && !darwin

package pdf

import "syscall"

// limitMemory makes the system end this process when it takes too much memory,
// of which the runtime reserves more than it uses, or time.
func limitMemory() {
	limit := syscall.Rlimit{Cur: 4 * memory, Max: 4 * memory}
	_ = syscall.Setrlimit(syscall.RLIMIT_AS, &limit) // without it there is the limit of time
	// Whoever would end this process may be gone.
	_ = syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: maxWork, Max: maxWork})
}
