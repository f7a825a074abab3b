//go:build !unix || darwin

package pdf

// limitMemory does nothing where the system has no such limit: there is the one
// of time, and the collector's.
func limitMemory() { _, _ = memory, maxWork }
