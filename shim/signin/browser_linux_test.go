package signin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

// desktop puts a script in place of the system's opener.
func desktop(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

func TestBrowserKeepsTheOpenersNoiseAway(t *testing.T) {
	desktop(t, `echo "Opening in existing browser session."; echo oops >&2; printf '%s' "$1" > `+filepath.Join(t.TempDir(), "x")+"\n")
	var said buffer
	if err := signin.Browser(&said)(t.Context(), "https://vault.example.com/login/abc"); err != nil {
		t.Fatal(err)
	}
	if got := said.String(); !strings.Contains(got, "existing browser session") || !strings.Contains(got, "oops") {
		t.Errorf("the opener's words went elsewhere: %q", got)
	}
}

func TestBrowserGivesTheAddressToNoShell(t *testing.T) {
	file := filepath.Join(t.TempDir(), "args")
	desktop(t, `printf '%s|' "$#" "$1" > `+file+"\n")
	address := "https://vault.example.com/login/abc?x=y&z=$(id)"
	if err := signin.Browser(&buffer{})(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "1|"+address+"|" {
		t.Errorf("the opener got %q, %v", got, err)
	}
}

func TestBrowserThatFails(t *testing.T) {
	desktop(t, "exit 3\n")
	if err := signin.Browser(&buffer{})(t.Context(), "https://vault.example.com/"); err == nil || strings.Contains(err.Error(), "vault.example.com") {
		t.Errorf("Browser = %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if err := signin.Browser(&buffer{})(t.Context(), "https://vault.example.com/"); err == nil {
		t.Error("Browser without an opener = nil")
	}
}

func TestBrowserThatStays(t *testing.T) {
	desktop(t, "exec sleep 3\n")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := signin.Browser(&buffer{})(ctx, "https://vault.example.com/"); err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("Browser = %v after %v", err, time.Since(began))
	}
}
