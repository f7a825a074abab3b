//go:build !windows

package main

import (
	"context"
	"os"
	"time"
)

// orphaned returns when the process that started this one has ended, or ctx.
// It reports which. Asking the kernel for a signal instead (PR_SET_PDEATHSIG)
// would follow the thread that started us, which ends earlier in some clients.
func orphaned(ctx context.Context) bool {
	parent := os.Getppid()
	ticker := time.NewTicker(parentCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
			if os.Getppid() != parent {
				return true
			}
		}
	}
}
