// Package buildinfo says which build this is. The release build sets Version
// through the linker; other builds say what the Go toolchain recorded.
package buildinfo

import (
	"runtime"
	"runtime/debug"
)

// version is set by -ldflags "-X …/internal/buildinfo.version=v1.2.3".
var version string

// Version is the version of this build, such as "v1.2.3" or "dev".
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Line is the one line that the version commands print.
func Line(program string) string {
	return program + " " + Version() + " (" + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}
