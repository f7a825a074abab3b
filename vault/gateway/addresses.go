package gateway

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const maxAddresses = 16_384

// addresses limits how often one network address may connect. It remembers a
// bounded number of them; when it is full, strangers share one limit.
type addresses struct {
	perSecond rate.Limit
	burst     int

	mu       sync.Mutex
	known    map[netip.Prefix]*visits // guarded by mu
	others   *rate.Limiter
	forgotAt time.Time // guarded by mu
}

type visits struct {
	limit *rate.Limiter
	last  time.Time // guarded by addresses.mu
}

func newAddresses(perSecond int) *addresses {
	a := &addresses{perSecond: rate.Limit(perSecond), burst: 10 * perSecond, known: map[netip.Prefix]*visits{}}
	a.others = rate.NewLimiter(a.perSecond, a.burst)
	return a
}

// allow reports whether ip may connect now. Who is on this machine may always:
// it is the demo, or a proxy that has limits of its own.
func (a *addresses) allow(ip netip.Addr, now time.Time) bool {
	if ip.IsLoopback() {
		return true
	}
	prefix := network(ip)
	a.mu.Lock()
	v := a.known[prefix]
	if v == nil && len(a.known) < maxAddresses {
		v = &visits{limit: rate.NewLimiter(a.perSecond, a.burst)}
		a.known[prefix] = v
	}
	limit := a.others
	if v != nil {
		v.last, limit = now, v.limit
	}
	a.mu.Unlock()
	return limit.AllowN(now, 1)
}

// network is ip with those that belong to the same customer: one has at least
// 64 bits of IPv6 to himself.
func network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	at, _ := ip.Prefix(bits) // fails only for a zone or the zero value, of which admit makes something else
	return at
}

// peer is who is at the other end of r's connection, without port and zone.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}

// forget drops, once a minute, addresses whose allowance is full again.
func (a *addresses) forget(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.forgotAt) < time.Minute {
		return
	}
	a.forgotAt = now
	for prefix, v := range a.known {
		if now.Sub(v.last) > time.Minute {
			delete(a.known, prefix)
		}
	}
}
