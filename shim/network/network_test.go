package network_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
)

const vault = "https://vault.acme.example"

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func get(t *testing.T, n *network.Network, address string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := n.HTTP.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return string(text), err
}

// explained wants err to be said in words.
func explained(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error, want %q", words)
		return
	}
	said := network.Explain(err, vault)
	if text := usererr.Text(said, ""); !strings.Contains(text, words) || said.Hint == "" {
		t.Errorf("Explain(%v) = %q, want %q", err, text, words)
	}
	if !errors.Is(said, err) {
		t.Error("the log does not learn the cause")
	}
}

func TestThroughAProxyThatWantsAPassword(t *testing.T) {
	ca := newAuthority(t)
	server := ca.serve("vault.acme.example", time.Now().Add(time.Hour), hello)
	p := newProxy(t, server.Listener.Addr().String(), "ada", "p@ss/word")
	n := open(t, network.Config{Proxy: secret.New("http://ada:p%40ss%2Fword@" + p.Listener.Addr().String()), CAFile: ca.file()})
	text, err := get(t, n, vault)
	if err != nil || text != "hello" {
		t.Errorf("GET = %q, %v", text, err)
	}
	if got := p.connects(); len(got) != 1 || got[0] != "vault.acme.example:443" {
		t.Errorf("the proxy was asked for %v", got)
	}
	for name, proxy := range map[string]string{"no password": "", "a wrong one": "ada:canary@"} {
		n := open(t, network.Config{Proxy: secret.New("http://" + proxy + p.Listener.Addr().String()), CAFile: ca.file()})
		_, err := get(t, n, vault)
		explained(t, err, "wants a user and a password")
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the password is in %v", name, err)
		}
	}
}

func TestAWebsocketGoesTheSameWay(t *testing.T) {
	ca := newAuthority(t)
	server := ca.serve("vault.acme.example", time.Now().Add(time.Hour), func(w http.ResponseWriter, r *http.Request) {
		if conn, err := wsconn.Upgrade(w, r, wsconn.Options{}); err == nil {
			_ = conn.WriteText([]byte("hello"))
		}
	})
	p := newProxy(t, server.Listener.Addr().String(), "ada", "secret")
	dial := func(user string) (*wsconn.Conn, error) {
		n := open(t, network.Config{Proxy: secret.New("http://" + user + p.Listener.Addr().String()), CAFile: ca.file()})
		conn, _, err := wsconn.Dial(t.Context(), "wss://vault.acme.example/v1/connect", wsconn.DialOptions{TLS: n.TLS, Proxy: n.Proxy})
		return conn, err
	}
	conn, err := dial("ada:secret@")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(wsconn.CodeNormal, "") }()
	if _, text, err := conn.Read(); err != nil || string(text) != "hello" {
		t.Errorf("Read = %q, %v", text, err)
	}
	_, err = dial("")
	explained(t, err, "wants a user and a password")
}

func TestWhatGoesDirectly(t *testing.T) {
	n := open(t, network.Config{Proxy: secret.New("proxy.acme.example:3128"), NoProxy: "intern.example,.corp.example"})
	tests := map[string]string{
		"https://vault.acme.example/": "http://proxy.acme.example:3128",
		"wss://vault.acme.example/":   "http://proxy.acme.example:3128",
		"wss://intern.example/":       "",
		"wss://vault.corp.example/":   "",
		"ws://127.0.0.1:8080/":        "",
		"http://localhost:8080/":      "",
	}
	for address, want := range tests {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		proxy, err := n.Proxy(&http.Request{URL: u})
		got := ""
		if proxy != nil {
			got = proxy.String()
		}
		if err != nil || got != want {
			t.Errorf("Proxy(%s) = %q, %v, want %q", address, got, err, want)
		}
		if u.String() != address {
			t.Errorf("Proxy changed the request's address to %s", u)
		}
	}
}

func TestAnAuthorityIsTrustedBesidesTheSystems(t *testing.T) {
	ca := newAuthority(t)
	server := ca.serve("127.0.0.1", time.Now().Add(time.Hour), hello)
	if text, err := get(t, open(t, network.Config{CAFile: ca.file()}), server.URL); err != nil || text != "hello" {
		t.Errorf("GET = %q, %v", text, err)
	}
	_, err := get(t, open(t, network.Config{}), server.URL)
	explained(t, err, "has a certificate that this computer does not trust")
	_, err = get(t, open(t, network.Config{CAFile: newAuthority(t).file()}), server.URL)
	explained(t, err, "set ca_file to the file with its authority")
}

func TestCertificatesThatAreWrong(t *testing.T) {
	ca := newAuthority(t)
	n := open(t, network.Config{CAFile: ca.file()})
	_, err := get(t, n, ca.serve("other.example", time.Now().Add(time.Hour), hello).URL)
	explained(t, err, "has a certificate for another name")
	_, err = get(t, n, ca.serve("127.0.0.1", time.Now().Add(-time.Hour), hello).URL)
	explained(t, err, "has a certificate that is not valid now")
	plain := httptest.NewServer(http.HandlerFunc(hello))
	t.Cleanup(plain.Close)
	_, err = get(t, n, "https"+strings.TrimPrefix(plain.URL, "http"))
	explained(t, err, "does not speak TLS there")
	_, _, err = wsconn.Dial(t.Context(), "wss"+strings.TrimPrefix(plain.URL, "http"), wsconn.DialOptions{TLS: n.TLS})
	explained(t, err, "does not speak TLS there")
}

func TestNobodyThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	_, err = get(t, open(t, network.Config{}), "http://"+l.Addr().String())
	explained(t, err, "Nothing answers at the vault's address")
}

// TestAProxyThatIsAway is not taken for a vault that is away.
func TestAProxyThatIsAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	n := open(t, network.Config{Proxy: secret.New("http://ada:canary@" + address)})
	_, err = get(t, n, vault)
	explained(t, err, "The proxy on the way to the vault does not answer ("+address+")")
}

func TestExplain(t *testing.T) {
	wrapped := func(err error) error { return &url.Error{Op: "Get", URL: "https://x/?canary", Err: err} }
	tests := []struct {
		err   error
		words string
	}{
		{wrapped(&net.DNSError{Name: "vault.acme.example", IsNotFound: true}), "does not exist (vault.acme.example)"},
		{wrapped(&net.DNSError{Name: "vault.acme.example", IsTimeout: true}), "cannot be looked up now"},
		{wrapped(context.DeadlineExceeded), "does not answer in time"},
		{wrapped(os.ErrDeadlineExceeded), "does not answer in time"},
		{wrapped(errors.New("canary")), "cannot be reached"},
	}
	for _, tt := range tests {
		explained(t, tt.err, tt.words)
		if text := usererr.Text(network.Explain(tt.err, vault), ""); strings.Contains(text, "canary") {
			t.Errorf("Explain repeats what it was told: %q", text)
		}
	}
	known := usererr.New(usererr.Denied, "No", "")
	if got := network.Explain(known, vault); got != known {
		t.Errorf("Explain(%v) = %v", known, got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	visited := false
	mux := http.NewServeMux()
	mux.HandleFunc("/a", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/b", http.StatusFound) })
	mux.HandleFunc("/b", func(http.ResponseWriter, *http.Request) { visited = true })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	if _, err := get(t, open(t, network.Config{}), server.URL+"/a"); err != nil || visited {
		t.Errorf("GET: %v; the redirect was followed: %v", err, visited)
	}
}

func TestLongAnswersAreCut(t *testing.T) {
	size := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<10)
		for sent := 0; sent < size; sent += len(chunk) {
			if _, err := w.Write(chunk[:min(len(chunk), size-sent)]); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	n := open(t, network.Config{})
	for _, tt := range []struct {
		size int
		ok   bool
	}{{1 << 20, true}, {1<<20 + 1, false}, {50 << 20, false}} {
		size = tt.size
		text, err := get(t, n, server.URL)
		if (err == nil) != tt.ok || len(text) > 1<<20 {
			t.Errorf("an answer of %d bytes: %d bytes, %v", tt.size, len(text), err)
		}
	}
}

func TestCAFilesThatAreNone(t *testing.T) {
	write := func(text string) string {
		name := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for name, want := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "cannot be read",
		t.TempDir():                        "cannot be read",
		write(strings.Repeat("x", 5<<20)):  "cannot be read",
		write(""):                          "has no certificate in PEM form",
		write("-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n"): "has no certificate in PEM form",
	} {
		_, err := network.New(network.Config{CAFile: name})
		if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), want) {
			t.Errorf("New(ca_file of %q) = %v", want, err)
		}
	}
}

func TestParseProxy(t *testing.T) {
	for text, want := range map[string]string{
		"proxy:3128":             "http://proxy:3128",
		"http://u:p@proxy:3128":  "http://u:p@proxy:3128",
		"socks5://10.0.0.1:1080": "socks5://10.0.0.1:1080",
	} {
		if u, err := network.ParseProxy(secret.New(text)); err != nil || u.String() != want {
			t.Errorf("ParseProxy(%q) = %v, %v", text, u, err)
		}
	}
	if u, err := network.ParseProxy(secret.String{}); u != nil || err != nil {
		t.Errorf("ParseProxy of nothing = %v, %v", u, err)
	}
	for _, text := range []string{"http://", "ftp://canary@x", "https://canary:canary@x", "http://u:canary%zz@x", "://canary", "http://x:canary"} {
		u, err := network.ParseProxy(secret.New(text))
		if usererr.CodeOf(err) != usererr.Settings || strings.Contains(err.Error(), "canary") {
			t.Errorf("ParseProxy(%q) = %v, %v", text, u, err)
		}
	}
}
