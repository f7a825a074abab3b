// Package network is what lies around the vault: the ways out, and the addresses
// of those who come in.
package network

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"net/url"
	"os"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// Egress returns the one way out to Atlassian. It follows no redirect: a token
// goes only where it was meant to.
func Egress(s *settings.Settings) (*http.Client, error) {
	transport, err := way(s)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// Bulk is client for what is large, on connections of its own.
func Bulk(client *http.Client) *http.Client {
	large := *client
	if transport, ok := client.Transport.(*http.Transport); ok {
		large.Transport = confluence.Large(transport)
	}
	return &large
}

// way is how to leave the house, through its proxy if it has one.
func way(s *settings.Settings) (*http.Transport, error) {
	transport := confluence.Transport()
	if proxy := s.Network.Egress.URL; !proxy.Empty() {
		u, err := url.Parse(proxy.Reveal())
		if err != nil {
			return nil, usererr.New(usererr.Settings, "network.egress.proxy does not refer to an address", "Write it like http://proxy.example.com:3128")
		}
		transport.Proxy = http.ProxyURL(u)
	}
	if name := s.Network.Egress.CAFile; name != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool() // the file's own authorities are left
		}
		pem, err := os.ReadFile(s.Path(name))
		if err != nil || !pool.AppendCertsFromPEM(pem) {
			return nil, usererr.Wrap(err, usererr.Settings, "network.egress.ca_file has no certificate that can be read", "It must be a PEM file: "+s.Path(name))
		}
		if transport.TLSClientConfig == nil {
			transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return transport, nil
}

// KeyEgress is the way to key services: the one to Atlassian, except that
// what is on this machine or its own link is asked directly. There the clouds
// hand out credentials, and a proxy would ask for its own.
func KeyEgress(s *settings.Settings) (*http.Transport, error) {
	transport, err := way(s)
	if err != nil {
		return nil, err
	}
	through := transport.Proxy
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		if nearby(r.URL.Hostname()) {
			return nil, nil
		}
		return through(r)
	}
	return transport, nil
}

// nearby reports whether a host is this machine or on its link.
func nearby(host string) bool {
	addr, err := netip.ParseAddr(host)
	// metadata.google.internal is 169.254.169.254 by name.
	return err == nil && (addr.IsLoopback() || addr.IsLinkLocalUnicast()) || host == "localhost" || host == "metadata.google.internal"
}
