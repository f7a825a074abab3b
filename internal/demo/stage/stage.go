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
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The company on the stage.
const (
	Tenant       = "acme"
	ClientID     = "coatcheck-demo"
	clientSecret = "stage-client-secret"
	// CompanySecret is that of the vault at the company's identity provider, where
	// a test has one; settings name it env:ACME_COMPANY_SECRET.
	CompanySecret = "company-secret-CANARY"
	dirMode       = 0o700
	fileMode      = 0o600
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
	// Settings is appended to vault.yaml, and Tenant to the tenant in it.
	Settings, Tenant string
	// Link puts a link that can be cut between laptops and vault.
	Link bool
	// Vaults is how many vaults there are on one store, 1 by default. With more
	// there is a link, which takes them in turn. Only the first is started by
	// [Stage.StartVault].
	Vaults int
	// Store is the store's URL; a SQLite file by default.
	Store string
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
	Vaults   []*Vault

	bin    string
	named  string // host:port of VaultURL
	server *http.Server
}

// New starts the simulated Atlassian and writes the vault's settings. Close
// ends what the stage started.
func New(ctx context.Context, opt Options) (*Stage, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the simulated Atlassian: %w", err)
	}
	s := &Stage{
		Dir:    opt.Dir,
		SimURL: "http://" + listener.Addr().String(),
		bin:    opt.Bin,
	}
	var addresses []string
	for number := range max(opt.Vaults, 1) {
		address, err := FreeAddress(ctx)
		if err != nil {
			return nil, err
		}
		s.Vaults, addresses = append(s.Vaults, &Vault{stage: s, number: number, address: address}), append(addresses, address)
	}
	s.Address = addresses[0]
	if opt.Link || opt.Vaults > 1 {
		if s.Link, err = newLink(ctx, addresses...); err != nil {
			return nil, fmt.Errorf("laying the link: %w", err)
		}
		s.Address = s.Link.listener.Addr().String()
	}
	s.call(opt.Name)
	s.Sim = newSim(opt.Sim, s.SimURL, s.VaultURL)
	s.server = &http.Server{Handler: s.Sim, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // ends with Close
	if err := s.write(addresses[0], opt); err != nil {
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
	if opt.Store == "" {
		opt.Store = "sqlite:vault.db"
	}
	text := fmt.Sprintf(`network: {listen: %q, public_url: %q%s}
store:   {url: %q}
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
%saccess: {denied_spaces: [LEGAL]}
`, address, s.VaultURL, secure, opt.Store, Tenant, s.Sim.SiteURL("acme"), ClientID, strings.Join(scopes(), ", "),
		s.SimURL+"/authorize", s.SimURL+"/oauth/token", s.SimURL, opt.Tenant) + opt.Settings
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
		"read:content-details:confluence", "search:confluence", "delete:page:confluence", "read:template:confluence", "read:hierarchical-content:confluence", "read:content.metadata:confluence",
		"read:attachment:confluence", "write:attachment:confluence", "delete:attachment:confluence",
		"read:comment:confluence", "write:comment:confluence", "delete:comment:confluence", "read:label:confluence", "write:label:confluence",
		"read:group:confluence", "write:space:confluence",
		"read:task:confluence", "write:task:confluence", "write:content.restriction:confluence", "read:content.permission:confluence",
		"read:analytics.content:confluence", "read:watcher:confluence", "write:watcher:confluence", "write:content:confluence", "write:relation:confluence",
		"read:folder:confluence", "write:folder:confluence", "delete:folder:confluence", "read:whiteboard:confluence", "write:whiteboard:confluence",
		"read:embed:confluence", "write:embed:confluence", "read:database:confluence", "write:database:confluence"}
}

func (s *Stage) vaultDir() string   { return filepath.Join(s.Dir, "vault") }
func (s *Stage) openerDir() string  { return filepath.Join(s.Dir, "programs") }
func (s *Stage) openedFile() string { return filepath.Join(s.Dir, "opened") }
func (s *Stage) config() string     { return filepath.Join(s.vaultDir(), "vault.yaml") }

// VaultLog is the file with everything that the first vault said.
func (s *Stage) VaultLog() string { return s.Vaults[0].Log() }

// VaultCommand prepares a run of the vault's program on this stage's settings.
func (s *Stage) VaultCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "coatcheck-vault"), append([]string{"--config", s.config()}, args...)...)
	cmd.Dir = s.vaultDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.vaultDir(), "ACME_CLIENT_SECRET=" + clientSecret, "ACME_COMPANY_SECRET=" + CompanySecret}
	return cmd
}

// StartVault starts the vault and waits until it is ready.
func (s *Stage) StartVault(ctx context.Context) error { return s.Vaults[0].Start(ctx) }

// StopVault asks the vault to drain and waits for its end.
func (s *Stage) StopVault() error { return s.Vaults[0].Stop() }

// KillVault ends the vault as a crash would.
func (s *Stage) KillVault() error { return s.Vaults[0].Kill() }

// VaultStatus is the exit status of the vault that ended last; see
// [Vault.Status].
func (s *Stage) VaultStatus() int { return s.Vaults[0].Status() }

// VaultPID is the process id of the running vault, 0 if there is none.
func (s *Stage) VaultPID() int { return s.Vaults[0].PID() }

// Close ends the vault and the simulated Atlassian.
func (s *Stage) Close() error {
	err := s.server.Close()
	for _, v := range s.Vaults {
		err = errors.Join(err, v.Kill())
	}
	if s.Link != nil {
		err = errors.Join(err, s.Link.Close())
	}
	return err
}
