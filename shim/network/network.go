// Package network is how a shim reaches its vault on corporate networks: the
// HTTP client, the TLS settings and the proxy, all from the settings, because
// MCP clients pass almost no environment on. The same three serve the POSTs of
// a sign-in and the websocket. It also explains network errors to people.
//
// It follows no redirect: a vault has one address.
package network

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const (
	dialTimeout    = 10 * time.Second
	requestTimeout = 45 * time.Second // the vault may be asking Atlassian meanwhile
	maxBody        = 1 << 20
	maxHeader      = 64 << 10
	maxCAFile      = 4 << 20
)

// Config says how the vault is reached. The zero value is a direct connection
// and the system's certificates.
type Config struct {
	// Proxy is the proxy's URL, with user and password where it wants them.
	Proxy secret.String
	// NoProxy lists hosts that are reached directly, as NO_PROXY does.
	NoProxy string
	// CAFile has further certificate authorities, in PEM form. They are trusted
	// besides those of the system, never instead of them.
	CAFile string
}

// Network is a way to the vault. It may be used from several goroutines.
type Network struct {
	// HTTP follows no redirects, and cuts answers that are too long.
	HTTP *http.Client
	// TLS is for other dialers: clone it.
	TLS *tls.Config
	// Proxy is for other dialers, and nil-safe to call for any request.
	Proxy func(*http.Request) (*url.URL, error)
}

// New returns the way that cfg describes; its errors are user errors.
func New(cfg Config) (*Network, error) {
	roots, err := authorities(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	if _, err := ParseProxy(cfg.Proxy); err != nil {
		return nil, err
	}
	choose := (&httpproxy.Config{
		HTTPProxy:  cfg.Proxy.Reveal(),
		HTTPSProxy: cfg.Proxy.Reveal(),
		NoProxy:    cfg.NoProxy,
	}).ProxyFunc()
	n := &Network{
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		Proxy: func(r *http.Request) (*url.URL, error) {
			at := *r.URL
			switch at.Scheme { // a websocket goes the way of its handshake
			case "wss":
				at.Scheme = "https"
			case "ws":
				at.Scheme = "http"
			}
			return choose(&at)
		},
	}
	n.HTTP = &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: capped{&http.Transport{
			Proxy:                  n.Proxy,
			DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:        n.TLS.Clone(),
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  requestTimeout,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConns:           2,
			IdleConnTimeout:        30 * time.Second,
		}},
	}
	return n, nil
}

// Close drops idle connections.
func (n *Network) Close() { n.HTTP.CloseIdleConnections() }

// authorities returns nil, the system's, where there is no file. The system's
// are not even read then before they are needed.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := readCapped(file)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The certificate file "+file+" (ca_file) cannot be read",
			"Check the path and who may read it")
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(text) {
		return nil, usererr.New(usererr.Settings, "The certificate file "+file+" (ca_file) has no certificate in PEM form",
			`It should have "-----BEGIN CERTIFICATE-----" lines; ask your administrator for the right file`)
	}
	return roots, nil
}

func readCapped(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxCAFile+1))
	if err == nil && len(text) > maxCAFile {
		err = errors.New("too large")
	}
	return text, err
}

// ParseProxy reads a proxy's URL, where "host:port" means http. It returns nil
// for an empty one. Its errors are user errors and never show the password.
func ParseProxy(proxy secret.String) (*url.URL, error) {
	text := proxy.Reveal()
	if text == "" {
		return nil, nil
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text) // whose error would show the text
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "socks5" {
		return nil, usererr.New(usererr.Settings, "The proxy's address is not usable",
			`Write it as "http://host:port" or "http://user:password@host:port" (socks5:// works too), with special characters of the password as %xx`)
	}
	return u, nil
}

// capped cuts the bodies of answers.
type capped struct{ next *http.Transport }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	// A protocol switch gives a body to write to; it is not for this client.
	res.Body = &body{ReadCloser: res.Body, left: maxBody}
	return res, nil
}

// CloseIdleConnections makes the method of the same name of [http.Client] work.
func (c capped) CloseIdleConnections() { c.next.CloseIdleConnections() }

var errTooLong = errors.New("the answer is longer than 1 MiB") // maxBody

type body struct {
	io.ReadCloser
	left int
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		// One more byte tells an answer that ends here from one that goes on.
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLong
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	return n, err
}
