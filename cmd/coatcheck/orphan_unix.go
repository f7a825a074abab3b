//go:build !windows

package main

import (
	"context"
	"os"
	"time"
)

// orphaned returns when parent, which started this process, has ended, or ctx.
// It reports which. Asking the kernel for a signal instead (PR_SET_PDEATHSIG)
// would follow the thread that started us, which ends earlier in some clients.
func orphaned(ctx context.Context, parent int) bool {
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
