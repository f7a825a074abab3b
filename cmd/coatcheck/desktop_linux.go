package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// findDesktop reports whether there is a screen to open a browser on. Many
// clients pass almost no environment on, but the way to the screen is in there:
// what is missing is looked for where desktops keep it.
func (p *program) findDesktop() bool {
	run := filepath.Join("/run/user", strconv.Itoa(os.Getuid()))
	if exists(run) {
		p.setMissing("XDG_RUNTIME_DIR", run)
	}
	if bus := filepath.Join(run, "bus"); exists(bus) {
		p.setMissing("DBUS_SESSION_BUS_ADDRESS", "unix:path="+bus)
	}
	if p.has("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_INTEROP") {
		return true
	}
	if p.has("SSH_CONNECTION", "SSH_TTY") {
		return false // a screen here would not be where the person is
	}
	found := false
	for _, screen := range glob(run, "wayland-[0-9]") {
		p.setMissing("WAYLAND_DISPLAY", filepath.Base(screen))
		found = true
	}
	for _, screen := range glob("/tmp/.X11-unix", "X[0-9]") {
		if !mine(screen) {
			continue // somebody else's
		}
		p.setMissing("DISPLAY", ":"+strings.TrimPrefix(filepath.Base(screen), "X"))
		for _, right := range append(glob(run, ".mutter-Xwaylandauth.*", "gdm/Xauthority", "xauth_*"), filepath.Join(p.home(), ".Xauthority")) {
			if exists(right) {
				p.setMissing("XAUTHORITY", right)
			}
		}
		found = true
	}
	return found || exists("/run/WSL")
}

func (p *program) has(names ...string) bool {
	for _, name := range names {
		if value, ok := p.lookup(name); ok && value != "" {
			return true
		}
	}
	return false
}

// setMissing sets a variable for what this process starts, unless it is there.
func (p *program) setMissing(name, value string) {
	if !p.has(name) {
		_ = os.Setenv(name, value) // cannot fail for such names
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func glob(dir string, patterns ...string) []string {
	var all []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(filepath.Join(dir, pattern)) // the patterns are right
		all = append(all, found...)
	}
	return all
}

// mine reports whether path belongs to this user, or to the system.
func mine(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && (int(stat.Uid) == os.Getuid() || stat.Uid == 0)
}
