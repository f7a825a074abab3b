package e2e_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestVaultsThatCannotBeReached wants an answer to initialize at once, and a
// first call that says what is wrong and what to do.
func TestVaultsThatCannotBeReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Name: "127.0.0.1"})
	stranger := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(stranger.Close)
	for name, test := range map[string]struct{ url, what, todo string }{
		"nothing answers":          {"http://127.0.0.1:1", "Nothing answers", "Check the address"},
		"no such name":             {"https://vault.acme.invalid", "vault.acme.invalid", "VPN"},
		"TLS is not trusted":       {w.VaultURL, "does not trust", "ca_file"},
		"no TLS there":             {"https" + strings.TrimPrefix(w.SimURL, "http"), "does not speak TLS", "address"},
		"not a vault":              {stranger.URL, "not a", "address"},
		"another website":          {w.SimURL, "not a", "address"},
		"an address without sense": {"ftp://vault.example", "vault", "https"},
		"http over the network":    {"http://vault.example", "https", "https"},
		"no address":               {"", "vault_url", "https://"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := w.laptop(strings.ReplaceAll(name, " ", "-"))
			l.VaultURL = test.url
			c := startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
			began := time.Now()
			c.initialize("2025-06-18")
			if took := time.Since(began); took > 3*time.Second { // mostly the start of a process on a busy machine
				t.Errorf("initialize took %v", took)
			}
			if m, err := c.ask("1", "tools/list", "{}", 10*time.Second); err != nil || !strings.Contains(string(m.Result), "coatcheck_status") {
				t.Errorf("tools/list = %s, %v", m.Result, err)
			}
			text, failed, err := c.tool("2", "coatcheck_status", nil)
			if err != nil || !failed || !strings.Contains(text, test.what) || !strings.Contains(text, test.todo) {
				t.Errorf("the first call says %q, %v; want %q and %q", text, err, test.what, test.todo)
			}
			c.once()
		})
	}
}

// TestThroughTheCompanysProxy signs in and calls where the only way to the
// vault is a proxy that wants a password, and the vault's certificate is from
// the company's own authority.
func TestThroughTheCompanysProxy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Name: "vault.acme.example"})
	proxy, asked := companyProxy(t, w.Address, "ada", "p@ss/word")
	l := w.laptop("ada")
	l.Env = []string{"HTTPS_PROXY=http://ada:p%40ss%2Fword@" + proxy}
	dir := filepath.Join(l.Home, ".config", "coatcheck")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("ca_file: "+w.CAFile()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := w.connect(l, nil)
	w.signIn(s, "ada")
	if text, err := call(t.Context(), s, "confluence_list_spaces", nil); err != nil || !strings.Contains(text, "ENG") {
		t.Errorf("spaces = %q, %v", text, err)
	}
	if hosts := asked(); len(hosts) == 0 || strings.Trim(strings.Join(hosts, ""), strings.TrimPrefix(w.VaultURL, "https://")) != "" {
		t.Errorf("the proxy was asked for %q", hosts)
	}

	l.Env = []string{"HTTPS_PROXY=http://ada:wrong@" + proxy}
	c := startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
	c.initialize("2025-06-18")
	text, failed, err := c.tool("1", "coatcheck_status", nil)
	if err != nil || !failed || !strings.Contains(text, "wants a user and a password") || strings.Contains(text, "wrong@") {
		t.Errorf("with a wrong password a call says %q, %v", text, err)
	}
	l.Env = []string{"HTTPS_PROXY=http://ada:p%40ss%2Fword@" + proxy, "NO_PROXY=.acme.example"}
	c = startRaw(t, l.Shim(context.WithoutCancel(t.Context())))
	c.initialize("2025-06-18")
	if text, failed, err := c.tool("1", "coatcheck_status", nil); err != nil || !failed || !strings.Contains(text, "vault.acme.example") {
		t.Errorf("past the proxy, where the name is unknown, a call says %q, %v", text, err)
	}
}

// companyProxy brings every CONNECT with the right password to target.
func companyProxy(t *testing.T, target, user, password string) (address string, asked func() []string) {
	t.Helper()
	var mu sync.Mutex
	var hosts []string
	var joined sync.WaitGroup
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != want {
			rw.Header().Set("Proxy-Authenticate", `Basic realm="acme"`)
			http.Error(rw, "who are you", http.StatusProxyAuthRequired)
			return
		}
		mu.Lock()
		hosts = append(hosts, r.Host)
		mu.Unlock()
		far, err := new(net.Dialer).DialContext(r.Context(), "tcp", target)
		if err != nil {
			http.Error(rw, "no way", http.StatusBadGateway)
			return
		}
		near, rest, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n")
		joined.Go(func() { defer far.Close(); _, _ = io.Copy(far, rest) })
		joined.Go(func() { defer near.Close(); _, _ = io.Copy(near, far) })
	}))
	t.Cleanup(func() { server.Close() })
	return server.Listener.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), hosts...)
	}
}

// TestTheVaultSpeaksTLS signs in and calls over TLS without a proxy.
func TestTheVaultSpeaksTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, stage.Options{Name: "127.0.0.1"})
	l := w.laptop("ada")
	l.Env = []string{"COATCHECK_CA_FILE=" + w.CAFile()}
	s := w.connect(l, nil)
	w.signIn(s, "ada")
	if _, err := call(t.Context(), s, "confluence_search", map[string]any{"query": "deployment"}); err != nil {
		t.Error(err)
	}
	res, err := (&http.Client{Transport: w.Transport()}).Get(fmt.Sprintf("https://%s/healthz", w.Address))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.TLS == nil || res.StatusCode != http.StatusOK {
		t.Errorf("healthz = %d, TLS %v", res.StatusCode, res.TLS)
	}
}
