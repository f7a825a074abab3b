// Package keysim simulates the key services of Azure, Amazon and Google and a
// transit engine, for tests: real HTTP and TLS on this machine, the paths,
// bodies and refusals that the services document, and sign-ins as their own
// clients make them. It knows nothing of who asks.
package keysim

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Net is a small internet: one server that is all hosts, each under its own
// certificate from one authority.
type Net struct {
	authority *x509.Certificate
	key       *ecdsa.PrivateKey
	server    *httptest.Server

	mu           sync.Mutex
	hosts        map[string]http.Handler     // guarded by mu
	certificates map[string]*tls.Certificate // guarded by mu
	down         bool                        // guarded by mu
}

// NewNet starts a net that ends with the test.
func NewNet(t testing.TB) *Net {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "keysim"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	n := &Net{key: key, hosts: map[string]http.Handler{}, certificates: map[string]*tls.Certificate{}}
	if n.authority, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	n.server = httptest.NewUnstartedServer(n)
	n.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	n.server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: n.certificate}
	n.server.StartTLS()
	t.Cleanup(n.server.Close)
	return n
}

// Authority returns the certificate of the authority, in PEM.
func (n *Net) Authority() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.authority.Raw})
}

// Transport returns a way on which this is the internet.
func (n *Net) Transport() *http.Transport {
	pool := x509.NewCertPool()
	pool.AddCert(n.authority)
	return &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool},
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx) },
	}
}

// Unplug makes all hosts unreachable, or reachable again.
func (n *Net) Unplug(down bool) {
	n.mu.Lock()
	n.down = down
	n.mu.Unlock()
	if down {
		n.server.CloseClientConnections()
	}
}

func (n *Net) dial(ctx context.Context) (net.Conn, error) {
	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	}
	return new(net.Dialer).DialContext(ctx, "tcp", n.server.Listener.Addr().String())
}

// handle gives a host what it answers.
func (n *Net) handle(host string, h http.Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[host] = h
}

// Between lets f answer in the place of a host, where it returns true.
func (n *Net) Between(host string, f func(http.ResponseWriter, *http.Request) bool) {
	n.mu.Lock()
	h := n.hosts[host]
	n.mu.Unlock()
	n.handle(host, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !f(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
}

// ServeHTTP implements [http.Handler]: it is the host that was asked.
func (n *Net) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	n.mu.Lock()
	h := n.hosts[host]
	n.mu.Unlock()
	if h == nil || r.TLS == nil || r.TLS.ServerName != host {
		http.Error(w, "no such host", http.StatusMisdirectedRequest)
		return
	}
	h.ServeHTTP(w, r)
}

func (n *Net) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.certificates[hello.ServerName]; c != nil {
		return c, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(2 + len(n.certificates))), DNSNames: []string{hello.ServerName},
		NotBefore: n.authority.NotBefore, NotAfter: n.authority.NotAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, n.authority, &key.PublicKey, n.key)
	if err != nil {
		return nil, err
	}
	n.certificates[hello.ServerName] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return n.certificates[hello.ServerName], nil
}

// Proxy starts an HTTP proxy that leads everybody into the net, and returns
// its address. It ends with the test.
func (n *Net) Proxy(t testing.TB) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		there, err := n.dial(r.Context())
		if err != nil {
			http.Error(w, "no such host", http.StatusBadGateway)
			return
		}
		defer func() { _ = there.Close() }()
		here, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = here.Close() }()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		join(there, here, buffered.Reader)
	}))
	t.Cleanup(proxy.Close)
	return proxy.URL
}

// join copies both ways until one end is closed, and then closes both.
func join(there, here net.Conn, early *bufio.Reader) {
	var group sync.WaitGroup
	group.Go(func() { // until there has no more, which closing it brings about
		_, _ = io.Copy(here, there)
		_ = here.Close()
	})
	_, _ = io.Copy(there, early)
	_ = there.Close()
	group.Wait()
}
