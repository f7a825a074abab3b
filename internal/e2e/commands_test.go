package e2e_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestSignInFromTheTerminal goes through the commands that people type:
// status, login, status, logout, and a login that is declined.
func TestSignInFromTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	l := w.laptop("ada")
	run := func(args ...string) (string, int) {
		t.Helper()
		out, err := l.Shim(context.WithoutCancel(t.Context()), args...).CombinedOutput()
		ended, failed := errors.AsType[*exec.ExitError](err)
		if err != nil && !failed {
			t.Fatal(err)
		}
		if failed {
			return string(out), ended.ExitCode()
		}
		return string(out), 0
	}
	expect := func(status int, words string, args ...string) {
		t.Helper()
		if out, got := run(args...); got != status || !strings.Contains(out, words) {
			t.Errorf("coatcheck %v exits with %d, want %d with %q:\n%s", args, got, status, words, out)
		}
	}
	login := func(n int, allow bool) (out string, status int) {
		done := make(chan struct{})
		go func() { defer close(done); out, status = run("login") }()
		w.consent(n, "ada", allow)
		<-done
		return out, status
	}

	expect(4, "none yet", "status")
	expect(0, "was never signed in", "logout")
	if out, status := login(1, true); status != 0 || !strings.Contains(out, "You are signed in.") || !strings.Contains(out, "Your browser opens") {
		t.Errorf("coatcheck login exits with %d:\n%s", status, out)
	}
	expect(0, "signed in  yes", "status")
	if s := w.connect(l, nil); s != nil { // a client that starts now asks nobody
		if _, err := call(t.Context(), s, "confluence_list_spaces", nil); err != nil {
			t.Errorf("a call after coatcheck login: %v", err)
		}
	}
	expect(0, "Signed out", "logout")
	expect(4, "signed in  no", "status")
	if out, status := login(2, false); status != 1 || !strings.Contains(out, "declined") {
		t.Errorf("a declined coatcheck login exits with %d:\n%s", status, out)
	}
	expect(4, "signed in  no", "status")
}
