package vault_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

const sample = `network: {listen: %q%s}
tenants:
  acme:
    sites: {wiki: {base_url: "https://acme.atlassian.net"}}
    oauth: {client_id: app, client_secret: "env:SECRET", scopes: ["read:page:confluence"]}
`

// config writes settings into a folder of their own and reads them. More is
// added to the network section.
func config(t *testing.T, listen, more string) vault.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vault.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, sample, listen, more), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(settings.Options{Files: []string{file}, Environ: []string{"SECRET=CANARY-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	return vault.Config{Settings: s, Log: slog.New(slog.DiscardHandler), Version: "test"}
}

func free(t *testing.T) string {
	t.Helper()
	address, err := stage.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// run runs a vault until stop is called, which returns what Run returned.
func run(t *testing.T, cfg vault.Config) (url string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- vault.Run(ctx, cfg) }()
	url = cfg.Settings.Network.PublicURL
	for {
		if status, _, _ := get(t, url+"/healthz"); status == http.StatusOK {
			break
		}
		select {
		case err := <-done:
			t.Fatalf("the vault ended at once: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	var ended bool
	var result error
	stop = func() error {
		cancel()
		if !ended {
			result, ended = <-done, true
		}
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return url, stop
}

func get(t *testing.T, address string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestAVaultFromStartToEnd(t *testing.T) {
	cfg := config(t, free(t), "")
	url, stop := run(t, cfg)
	status, header, text := get(t, url+"/readyz")
	var ready struct {
		Ready  bool
		Checks map[string]string
	}
	if err := json.Unmarshal([]byte(text), &ready); err != nil || status != http.StatusOK || !ready.Ready || ready.Checks["store"] != "ok" || ready.Checks["keys"] != "ok" {
		t.Errorf("readyz = %d %s", status, text)
	}
	if header.Get("X-Content-Type-Options") != "nosniff" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("readyz has %v", header)
	}
	for _, path := range []string{"/", "/v1", "/v1/nothing", "/console", "/..%2f", "/healthz/x"} {
		status, header, text := get(t, url+path)
		if status != http.StatusNotFound || header.Get("Content-Type") != "application/json" || !strings.Contains(text, `"not_found"`) {
			t.Errorf("%s = %d %s", path, status, text)
		}
	}
	if status, _, text := get(t, url+"/v1/connect"); status/100 != 4 {
		t.Errorf("connecting without an upgrade = %d %s", status, text)
	}
	res, err := http.Post(url+"/healthz", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusOK {
		t.Error("healthz takes a POST")
	}
	info, err := os.Stat(filepath.Join(cfg.Settings.Dir, "kek"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key-encryption key: %v, %v", info, err)
	}
	if err := stop(); err != nil {
		t.Errorf("Run = %v", err)
	}
	if status, _, _ := get(t, url+"/healthz"); status != 0 {
		t.Error("it still answers")
	}
	url, stop = run(t, cfg) // on the same store
	if status, _, text := get(t, url+"/readyz"); status != http.StatusOK {
		t.Errorf("readyz of the next = %s", text)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestNotReady damages what a running vault needs.
func TestNotReady(t *testing.T) {
	cfg := config(t, free(t), "")
	url, _ := run(t, cfg)
	for _, name := range []string{"vault.db", "vault.db-wal", "vault.db-shm"} {
		file := filepath.Join(cfg.Settings.Dir, name)
		if info, err := os.Stat(file); err == nil {
			if err := os.WriteFile(file, make([]byte, info.Size()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, _, text := get(t, url+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(text, `"ready":false`) {
		t.Errorf("readyz = %d %s", status, text)
	}
	if strings.Contains(text, cfg.Settings.Dir) {
		t.Errorf("readyz tells strangers where files are: %s", text)
	}
	if status, _, _ := get(t, url+"/healthz"); status != http.StatusOK {
		t.Errorf("healthz = %d", status)
	}
}

func TestRefusalsToStart(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	if err := os.WriteFile(nothing, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		listen, more, words string
	}{
		"a port that is taken":        {taken.Addr().String(), "", "taken by another program"},
		"an address of somebody else": {"203.0.113.1:80", `, public_url: "https://vault.example"`, "cannot be listened on"},
		"no certificate":              {free(t), fmt.Sprintf(", tls: {cert_file: %q, key_file: %q}", nothing, nothing), "network.tls"},
		"no authority":                {free(t), fmt.Sprintf(", egress: {ca_file: %q}", nothing), "network.egress.ca_file"},
	} {
		cfg := config(t, test.listen, test.more)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		err := vault.Run(ctx, cfg)
		cancel()
		if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), test.words) {
			t.Errorf("%s: Run = %v", name, err)
		}
	}
}

func TestAdmin(t *testing.T) {
	cfg := config(t, free(t), "")
	a, err := vault.OpenAdmin(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for what, err := range map[string]error{
		"revoking a session": second(a.Revoke(t.Context(), a.Who, admin.Scope{Session: "s_nobody"})),
		"revoking a grant":   second(a.Revoke(t.Context(), a.Who, admin.Scope{Grant: "g_nobody"})),
		"revoking a device":  second(a.Revoke(t.Context(), a.Who, admin.Scope{Device: "d_nobody"})),
		"a session":          second(a.Session(t.Context(), a.Who, "s_nobody")),
		"a grant":            second(a.Grant(t.Context(), a.Who, "g_nobody")),
		"a person":           second(a.Person(t.Context(), a.Who, "p_nobody")),
	} {
		if usererr.CodeOf(err) != usererr.NotFound {
			t.Errorf("%s = %v", what, err)
		}
	}
	// Looking for what is not there is on record.
	if report, err := a.VerifyAudit(t.Context(), evidence.AuditSources{}); report.Records != 6 || err != nil {
		t.Errorf("VerifyAudit = %+v, %v", report, err)
	}
	// No key is made by looking.
	if _, err := os.Stat(filepath.Join(cfg.Settings.Dir, "kek")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the key-encryption key: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }
