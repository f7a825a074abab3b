package network

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress finds out from where a request came. What a trusted proxy
// says is believed, from the right, up to the first address that is not a
// trusted proxy's; what anybody else says is not.
func ClientAddress(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	known := func(ip netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
	}
	return func(r *http.Request) netip.Addr {
		at := parseAddress(r.RemoteAddr)
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for _, hop := range slices.Backward(hops) {
			if !at.IsValid() || !known(at) {
				return at
			}
			next := parseAddress(strings.TrimSpace(hop))
			if !next.IsValid() {
				return at
			}
			at = next
		}
		return at
	}
}

// parseAddress reads an address with or without port.
func parseAddress(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	ip, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap().WithZone("")
}
