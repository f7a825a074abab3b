package signin

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How much one address and one device may ask. Eight shims of one device that
// wait for a login ask about it once in ten seconds each.
const (
	addressRate  = 20 // a second
	addressBurst = 200
	deviceRate   = 5
	deviceBurst  = 60
	maxKnown     = 16_384
	forgetAfter  = time.Minute
)

// How many logins strangers, who have no session yet, may begin from one
// address: an office that starts work behind one. On this machine there is
// more leave, since all of a proxy's clients may seem to be there.
const (
	beginRate       = 1 // a second
	beginBurst      = 30
	beginLocalRate  = 20
	beginLocalBurst = 300
)

// rejectRate is how often one login's refused callbacks get a record.
const (
	rejectRate  = 1.0 / 600
	rejectBurst = 3
)

// limits remembers how much each of many has asked. It knows a bounded number;
// when it is full, strangers share one allowance.
type limits struct {
	perSecond rate.Limit
	burst     int

	mu       sync.Mutex
	known    map[string]*allowance // guarded by mu
	others   *rate.Limiter
	forgotAt time.Time // guarded by mu
}

type allowance struct {
	*rate.Limiter
	last time.Time // guarded by limits.mu
}

func newLimits(perSecond rate.Limit, burst int) *limits {
	l := &limits{perSecond: perSecond, burst: burst, known: map[string]*allowance{}}
	l.others = rate.NewLimiter(l.perSecond, burst)
	return l
}

// allow reports whether key may ask now.
func (l *limits) allow(key string, now time.Time) bool {
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

func (l *limits) forgetLocked(now time.Time) {
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

// allowAddress reports whether a request from ip may come in. Who is on this
// machine may always: it is the demo, or a proxy that has limits of its own.
func (l *limits) allowAddress(ip netip.Addr, now time.Time) bool {
	return ip.IsLoopback() || l.allowNetwork(ip, now)
}

// allowNetwork is allow for an address, or the network that one customer has.
func (l *limits) allowNetwork(ip netip.Addr, now time.Time) bool {
	bits := 32
	if ip.Is6() {
		bits = 64 // one customer has at least that many to himself
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return l.others.AllowN(now, 1)
	}
	return l.allow(prefix.String(), now)
}
