// Package ratelimit limits how often each of many may ask: devices, network
// addresses, whoever has a name.
package ratelimit

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxKnown    = 16_384
	forgetAfter = time.Minute
)

// Limit remembers how much each has asked. It knows a bounded number of them;
// when it is full, strangers share one allowance. Its methods may be called
// from many goroutines.
type Limit struct {
	perSecond rate.Limit
	burst     int
	others    *rate.Limiter

	mu       sync.Mutex
	known    map[string]*allowance // guarded by mu
	forgotAt time.Time             // guarded by mu
}

type allowance struct {
	*rate.Limiter
	last time.Time // guarded by Limit.mu
}

// New lets each ask perSecond times a second in the long run, and burst times
// at once.
func New(perSecond float64, burst int) *Limit {
	l := &Limit{perSecond: rate.Limit(perSecond), burst: burst, known: map[string]*allowance{}}
	l.others = rate.NewLimiter(l.perSecond, burst)
	return l
}

// Allow reports whether key may ask now, and counts it.
func (l *Limit) Allow(key string, now time.Time) bool {
	l.mu.Lock()
	l.forgetLocked(now)
	a := l.known[key]
	if a == nil && len(l.known) < maxKnown {
		a = &allowance{Limiter: rate.NewLimiter(l.perSecond, l.burst)}
		l.known[key] = a
	}
	limit := l.others
	if a != nil {
		a.last, limit = now, a.Limiter
	}
	l.mu.Unlock()
	return limit.AllowN(now, 1)
}

func (l *Limit) forgetLocked(now time.Time) {
	if now.Sub(l.forgotAt) < forgetAfter {
		return
	}
	l.forgotAt = now
	for key, a := range l.known {
		// Whoever is forgotten has everything again.
		if now.Sub(a.last) > forgetAfter && a.TokensAt(now) >= float64(l.burst) {
			delete(l.known, key)
		}
	}
}

// AllowAddress reports whether a request from ip may come in. Who is on this
// machine may always: it is the demo, or a proxy that has limits of its own.
func (l *Limit) AllowAddress(ip netip.Addr, now time.Time) bool {
	return ip.IsLoopback() || l.AllowNetwork(ip, now)
}

// AllowNetwork is Allow for the network of ip.
func (l *Limit) AllowNetwork(ip netip.Addr, now time.Time) bool {
	network := Network(ip)
	if !network.IsValid() {
		return l.others.AllowN(now, 1)
	}
	return l.Allow(network.String(), now)
}

// Network is ip with those that belong to the same customer: one has at least
// 64 bits of IPv6 to himself. It is not valid for an ip that is not, or that
// has a zone.
func Network(ip netip.Addr) netip.Prefix {
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	at, _ := ip.Prefix(bits)
	return at
}
