package main

import "runtime/debug"

// A shim is idle almost always, and there are as many as there are clients: it
// gives memory back early and collects a little more often for it.
const (
	gcPercent   = 50
	memoryLimit = 24 << 20 // soft: the collector works harder beyond
)

func tune() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
}
