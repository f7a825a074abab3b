package gateway

import (
	"net/http"
	"net/netip"
)

// peer is who is at the other end of r's connection, without port and zone.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}
