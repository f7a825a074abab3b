package stage_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

func newStage(t *testing.T, opt stage.Options) *stage.Stage {
	t.Helper()
	opt.Dir, opt.Bin = t.TempDir(), filepath.Join(t.TempDir(), "no programs")
	s, err := stage.New(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() { // ends with the listener
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }() // ends with its peer
		}
	}()
	return listener.Addr().String()
}

func say(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, "hello"); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && line != "hello\n" {
		err = fmt.Errorf("heard %q", line)
	}
	return err
}

func TestALinkIsCutAndHealed(t *testing.T) {
	link, err := stage.NewLink(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", link.Address())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	first := dial()
	if err := say(first); err != nil {
		t.Fatal(err)
	}
	link.Cut()
	if err := say(first); err == nil {
		t.Error("a cut link carries")
	}
	if err := say(dial()); err == nil {
		t.Error("a cut link lets new connections through")
	}
	link.Heal()
	if err := say(dial()); err != nil {
		t.Errorf("a healed link: %v", err)
	}
	if err := link.Close(); err != nil {
		t.Error(err)
	}
}

func TestWhatALaptopGets(t *testing.T) {
	s := newStage(t, stage.Options{})
	l, err := s.Laptop("ada")
	if err != nil {
		t.Fatal(err)
	}
	l.Env = []string{"EXTRA=1"}
	var names []string
	for _, pair := range l.Environment() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	if want := []string{"HOME", "USER", "PATH", "DISPLAY", "EXTRA"}; !slices.Equal(names, want) {
		t.Errorf("the environment has %v, want %v", names, want)
	}
	if files, err := l.Files(); err != nil || len(files) != 0 {
		t.Errorf("the home has %v, %v", files, err)
	}
	cmd := l.Shim(t.Context(), "status")
	if got := cmd.Args[1:]; !slices.Equal(got, []string{"status", "--vault", s.VaultURL}) {
		t.Errorf("the shim's arguments are %q", got)
	}
}

// TestTheBrowserWritesDown runs the stage's browser as a shim would.
func TestTheBrowserWritesDown(t *testing.T) {
	s := newStage(t, stage.Options{})
	l, err := s.Laptop("ada")
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := s.Opened(); err != nil || len(opened) != 0 {
		t.Errorf("Opened = %v, %v", opened, err)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.WaitOpened(short, 1); err == nil {
		t.Error("WaitOpened found a page that nobody opened")
	}
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", "xdg-open 'http://a.example/?x=1&y=$HOME'")
	cmd.Env = l.Environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if address, err := s.WaitOpened(t.Context(), 1); err != nil || address != "http://a.example/?x=1&y=$HOME" {
		t.Errorf("WaitOpened = %q, %v", address, err)
	}
	if pid, err := s.OpenerPID(1); err != nil || pid == 0 {
		t.Errorf("OpenerPID = %d, %v", pid, err)
	}
	if _, err := s.OpenerPID(2); err == nil {
		t.Error("OpenerPID found a second opener")
	}
}

func TestAVaultThatCannotStart(t *testing.T) {
	s := newStage(t, stage.Options{})
	if err := s.StartVault(t.Context()); err == nil || s.VaultPID() != 0 {
		t.Errorf("StartVault = %v, pid %d", err, s.VaultPID())
	}
	if err := s.StopVault(); err != nil {
		t.Errorf("StopVault = %v", err)
	}
	if s.VaultStatus() != -1 {
		t.Errorf("VaultStatus = %d", s.VaultStatus())
	}
}

// TestTheCompanysCertificates serves with the vault's certificate, under a
// name that does not exist.
func TestTheCompanysCertificates(t *testing.T) {
	s := newStage(t, stage.Options{Name: "vault.acme.example"})
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "vault", "cert.pem"), filepath.Join(s.Dir, "vault", "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.VaultURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if _, err := http.DefaultTransport.RoundTrip(req); err == nil {
		t.Error("the name exists, or the authority is trusted by everybody")
	}
	if info, err := os.Stat(filepath.Join(s.Dir, "vault", "key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}
