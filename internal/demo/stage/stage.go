// Package stage sets up a whole Coatcheck on loopback: the simulated Atlassian
// in this process, the real vault and the real shim as programs of their own,
// each in a folder that belongs to the stage. The demo, the bench and the
// end-to-end tests play on it. It touches nothing of the user's: home folders,
// ports and the browser are the stage's own.
package stage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The company on the stage.
const (
	Tenant       = "acme"
	ClientID     = "coatcheck-demo"
	clientSecret = "stage-client-secret"
	dirMode      = 0o700
	fileMode     = 0o600
)

// Options say how a stage is set up.
type Options struct {
	// Bin is the folder with the two programs, as an absolute path.
	Bin string
	// Dir is an empty folder that the stage may fill.
	Dir string
	// Sim changes the simulated Atlassian; address, client and callback are
	// set by the stage.
	Sim atlassiansim.Options
	// Settings is appended to vault.yaml.
	Settings string
	// Link puts a link that can be cut between laptops and vault.
	Link bool
	// Name lets the vault speak TLS under a name that need not exist, or an IP
	// address, with a certificate of the company's own authority.
	Name string
}

// Stage is a company with a wiki, a vault and laptops. Its methods may be
// called from several goroutines.
type Stage struct {
	Dir      string
	Sim      *atlassiansim.Sim
	SimURL   string
	VaultURL string // what laptops and browsers call the vault
	Address  string // host:port where the vault, or the link to it, listens
	Link     *Link  // nil unless asked for

	bin    string
	named  string // host:port of VaultURL
	server *http.Server

	mu    sync.Mutex
	vault *exec.Cmd     // guarded by mu; nil while no vault runs
	ended chan struct{} // guarded by mu; closed when vault has ended
	last  *exec.Cmd     // guarded by mu; the vault that ended last
}

// New starts the simulated Atlassian and writes the vault's settings. Close
// ends what the stage started.
func New(ctx context.Context, opt Options) (*Stage, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the simulated Atlassian: %w", err)
	}
	address, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &Stage{
		Dir:     opt.Dir,
		SimURL:  "http://" + listener.Addr().String(),
		Address: address,
		bin:     opt.Bin,
	}
	if opt.Link {
		if s.Link, err = newLink(ctx, address); err != nil {
			return nil, fmt.Errorf("laying the link: %w", err)
		}
		s.Address = s.Link.listener.Addr().String()
	}
	s.call(opt.Name)
	s.Sim = newSim(opt.Sim, s.SimURL, s.VaultURL)
	s.server = &http.Server{Handler: s.Sim, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with Close
	if err := s.write(address, opt); err != nil {
		_ = s.server.Close()
		return nil, err
	}
	return s, nil
}

// call gives the vault its URL.
func (s *Stage) call(name string) {
	s.named, s.VaultURL = s.Address, "http://"+s.Address
	if name != "" {
		_, port, _ := net.SplitHostPort(s.Address) // a listener's address has a port
		s.named = net.JoinHostPort(name, port)
		s.VaultURL = "https://" + s.named
	}
}

// FreeAddress finds a loopback address that nobody listens on, so that a vault
// can be started there, and again where the former one was. Systems hand out
// ports from 32768 on by themselves (IANA and Windows from 49152 on); those
// below stay free between the look and the start, unless somebody draws the
// same of twelve thousand.
func FreeAddress(ctx context.Context) (string, error) {
	const lowest, count = 20_000, 12_000
	for try := 1; ; try++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(count)))
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if try == 100 || ctx.Err() != nil {
			return "", fmt.Errorf("looking for a free port: %w", err)
		}
	}
}

func (s *Stage) write(address string, opt Options) error {
	secure := ""
	if opt.Name != "" {
		secure = ", tls: {cert_file: cert.pem, key_file: key.pem}"
	}
	text := fmt.Sprintf(`network: {listen: %q, public_url: %q%s}
store:   {url: "sqlite:vault.db"}
keys:    {kek: "file:kek"}
tenants:
  %s:
    sites:
      wiki: {kind: cloud, base_url: %q}
    oauth:
      client_id: %q
      client_secret: "env:ACME_CLIENT_SECRET"
      scopes: [%s]
      endpoints: {authorize: %q, token: %q, api: %q}
access: {denied_spaces: [LEGAL]}
`, address, s.VaultURL, secure, Tenant, s.Sim.SiteURL("acme"), ClientID, strings.Join(scopes(), ", "),
		s.SimURL+"/authorize", s.SimURL+"/oauth/token", s.SimURL) + opt.Settings
	for _, dir := range []string{s.vaultDir(), s.openerDir()} {
		if err := os.MkdirAll(dir, dirMode); err != nil {
			return err
		}
	}
	if opt.Name != "" {
		if err := s.certify(opt.Name); err != nil {
			return err
		}
	}
	// The browser of the stage's laptops writes down who asked for what.
	opener := fmt.Sprintf("#!/bin/sh\nprintf '%%s %%s\\n' \"$PPID\" \"$1\" >> '%s'\n", s.openedFile())
	for _, name := range []string{"xdg-open", "x-www-browser", "www-browser"} {
		if err := os.WriteFile(filepath.Join(s.openerDir(), name), []byte(opener), dirMode); err != nil {
			return err
		}
	}
	return os.WriteFile(s.config(), []byte(text), fileMode)
}

func scopes() []string {
	return []string{"read:page:confluence", "write:page:confluence", "read:space:confluence", "read:user:confluence",
		"read:content-details:confluence", "search:confluence", "read:hierarchical-content:confluence", "read:content.metadata:confluence"}
}

func (s *Stage) vaultDir() string   { return filepath.Join(s.Dir, "vault") }
func (s *Stage) openerDir() string  { return filepath.Join(s.Dir, "programs") }
func (s *Stage) openedFile() string { return filepath.Join(s.Dir, "opened") }
func (s *Stage) config() string     { return filepath.Join(s.vaultDir(), "vault.yaml") }

// VaultLog is the file with everything that the vault said.
func (s *Stage) VaultLog() string { return filepath.Join(s.vaultDir(), "vault.log") }

// VaultCommand prepares a run of the vault's program on this stage's settings.
func (s *Stage) VaultCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "coatcheck-vault"), append([]string{"--config", s.config()}, args...)...)
	cmd.Dir = s.vaultDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.vaultDir(), "ACME_CLIENT_SECRET=" + clientSecret}
	return cmd
}

// StartVault starts the vault and waits until it is ready.
func (s *Stage) StartVault(ctx context.Context) error {
	log, err := os.OpenFile(s.VaultLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := s.VaultCommand(context.WithoutCancel(ctx), "serve")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the vault: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // ends with the vault, which StopVault or KillVault end
	s.mu.Lock()
	s.vault, s.ended = cmd, ended
	s.mu.Unlock()
	return s.ready(ctx, ended)
}

func (s *Stage) ready(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: s.Transport()}
	defer client.CloseIdleConnections()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.VaultURL+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && running(ended) {
				return nil
			}
		}
		select {
		case <-ended:
			said, _ := os.ReadFile(s.VaultLog())
			return fmt.Errorf("the vault ended at once: %s", said)
		case <-ctx.Done():
			return errors.New("the vault did not get ready within 20 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// running says whether what answers can be the vault that was started.
func running(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

// StopVault asks the vault to drain and waits for its end.
func (s *Stage) StopVault() error { return s.end(os.Interrupt) }

// KillVault ends the vault as a crash would.
func (s *Stage) KillVault() error { return s.end(os.Kill) }

func (s *Stage) end(signal os.Signal) error {
	s.mu.Lock()
	cmd, ended := s.vault, s.ended
	s.vault = nil
	if cmd != nil {
		s.last = cmd
	}
	s.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(40 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
		return errors.New("the vault did not end within 40 s")
	}
}

// VaultStatus is the exit status of the vault that StopVault or KillVault
// ended last: -1 after a kill, or if there was none.
func (s *Stage) VaultStatus() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		return -1
	}
	return s.last.ProcessState.ExitCode()
}

// VaultPID is the process id of the running vault, 0 if there is none.
func (s *Stage) VaultPID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.vault == nil {
		return 0
	}
	return s.vault.Process.Pid
}

// Close ends the vault and the simulated Atlassian.
func (s *Stage) Close() error {
	err := errors.Join(s.KillVault(), s.server.Close())
	if s.Link != nil {
		err = errors.Join(err, s.Link.Close())
	}
	return err
}
