package demo_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/demo"
)

func TestDisplay(t *testing.T) {
	desktop := runtime.GOOS == "darwin" || runtime.GOOS == "windows"
	for env, want := range map[string]bool{
		"":                               desktop,
		"DISPLAY=:0":                     true,
		"WAYLAND_DISPLAY=wayland-0":      true,
		"SSH_CONNECTION=192.0.2.1 5 6 7": false,
		"CI=true":                        false,
	} {
		got := demo.Display(func(name string) (string, bool) {
			key, value, ok := strings.Cut(env, "=")
			return value, ok && key == name
		})
		if got != want {
			t.Errorf("Display with %q = %v, want %v", env, got, want)
		}
	}
}

func TestRunWithoutPrograms(t *testing.T) {
	err := demo.Run(t.Context(), demo.Options{Bin: t.TempDir(), Out: &strings.Builder{}})
	if err == nil || !strings.Contains(err.Error(), "coatcheck-vault") {
		t.Errorf("Run = %v", err)
	}
}
