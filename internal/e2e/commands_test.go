package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
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

var codeOnPage = regexp.MustCompile(`Your code is ([A-Z]{4}-[A-Z]{4})<`)

// TestSignInWithoutABrowser signs in on a computer that has none: the person
// opens the address elsewhere and types the code that the last page shows.
func TestSignInWithoutABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{})
	l := w.laptop("ada")
	login := func() (stdin io.WriteCloser, lines *bufio.Reader, wait func() error) {
		t.Helper()
		cmd := l.Shim(context.WithoutCancel(t.Context()), "login", "--no-browser")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return in, bufio.NewReader(out), cmd.Wait
	}
	// A company that has not allowed it: the browser must be here.
	_, lines, _ := login()
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "in a browser on this computer") {
		t.Errorf("coatcheck login says %q, %v", line, err)
	}
	if err := w.StopVault(); err != nil {
		t.Fatal(err)
	}
	if err := w.Vaults[0].Start(t.Context(), "COATCHECK_TENANTS_ACME_SIGN_IN_BY_CODE=true"); err != nil {
		t.Fatal(err)
	}
	l = w.laptop("server")
	in, lines, wait := login()
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, "shows a code to type here") {
		t.Fatalf("coatcheck login says %q, %v", line, err)
	}
	_, _ = lines.ReadString('\n')
	address, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	b := browser.New()
	done := make(chan string, 1)
	go func() {
		page, err := b.Consent(t.Context(), strings.TrimSpace(address), browser.Choose{Person: "ada", Allow: true})
		done <- fmt.Sprint(page, err)
	}()
	code := ""
	for end := time.Now().Add(30 * time.Second); code == "" && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, page := range b.Pages() {
			if found := codeOnPage.FindStringSubmatch(page.Body); found != nil {
				code = found[1]
			}
		}
	}
	if _, err := fmt.Fprintf(in, "BBBB-BBBB\n%s\n", code); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if err := errors.Join(err, wait()); err != nil || !strings.Contains(string(rest), "That is not the code") || !strings.Contains(string(rest), "You are signed in.") {
		t.Errorf("coatcheck login: %v:\n%s", err, rest)
	}
	if page := within(t, done, time.Minute); !strings.Contains(page, "You are signed in") {
		t.Errorf("the browser ends at %s", page)
	}
	s := w.connect(l, nil)
	if _, err := call(t.Context(), s, "confluence_list_spaces", nil); err != nil {
		t.Errorf("a call afterwards: %v", err)
	}
}
