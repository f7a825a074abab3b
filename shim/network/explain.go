package network

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

// ProxyConnect is what a [net.OpError] does that could not reach the proxy, as
// in net/http.
const ProxyConnect = "proxyconnect"

// Explain says in a user error why the vault at origin could not be reached,
// and what to do. User errors come back as they are.
func Explain(err error, origin string) *usererr.Error {
	if known, ok := usererr.From(err); ok {
		return known
	}
	say := func(message, hint string) *usererr.Error {
		return usererr.Wrap(err, usererr.Unavailable, message, hint)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return say("The name of the vault or of its proxy does not exist ("+dns.Name+")", "Check the vault's address in the settings, and the VPN")
		}
		return say("The name "+dns.Name+" cannot be looked up now", "Check the network and the VPN; it is tried again by itself")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == ProxyConnect {
		at := ""
		if inner, ok := errors.AsType[*net.OpError](op.Err); ok && inner.Addr != nil {
			at = " (" + inner.Addr.String() + ")"
		}
		return say("The proxy on the way to the vault does not answer"+at, "Check the proxy in the settings, the network and the VPN; it is tried again by itself")
	}
	if message, hint, ok := explainTLS(err); ok {
		return say("The vault at "+origin+" "+message, hint)
	}
	text := strings.ToLower(err.Error())
	switch {
	case strings.Contains(text, "proxy authentication required"):
		return say("The proxy on the way to the vault wants a user and a password, or refuses the ones in the settings",
			`Set proxy to "http://user:password@host:port"`)
	case errors.Is(err, syscall.ECONNREFUSED):
		return say("Nothing answers at the vault's address "+origin, "Check the address, and that the vault runs; it is tried again by itself")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), timeout(err):
		return say("The vault at "+origin+" does not answer in time", "Check the network, the VPN and the proxy; it is tried again by itself")
	}
	return say("The vault at "+origin+" cannot be reached", "Check the network, the VPN and the proxy; it is tried again by itself")
}

func explainTLS(err error) (message, hint string, ok bool) {
	if _, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return "has a certificate that this computer does not trust",
			"If your company uses its own certificates, set ca_file to the file with its authority", true
	}
	if _, is := errors.AsType[x509.HostnameError](err); is {
		return "has a certificate for another name", "Check the vault's address in the settings", true
	}
	if bad, is := errors.AsType[x509.CertificateInvalidError](err); is {
		if bad.Reason == x509.Expired {
			return "has a certificate that is not valid now", "Check the clock of this computer; otherwise tell the vault's administrator", true
		}
		return "has a certificate that is not acceptable", "Tell the vault's administrator", true
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return "has a certificate that this computer does not trust",
			"If your company uses its own certificates, set ca_file to the file with its authority", true
	}
	if _, is := errors.AsType[tls.RecordHeaderError](err); is || errors.Is(err, http.ErrSchemeMismatch) {
		return "does not speak TLS there", "Check the vault's address in the settings, and the proxy", true
	}
	return "", "", false
}

func timeout(err error) bool {
	net, ok := errors.AsType[net.Error](err)
	return ok && net.Timeout()
}
