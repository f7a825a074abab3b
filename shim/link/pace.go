package link

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

// Steady is how long a link holds that was a good one.
const Steady = 10 * time.Second

const (
	firstRest = 100 * time.Millisecond
	longRest  = 30 * time.Second
	callRest  = 5 * time.Second // while calls wait
	kickRest  = time.Second     // between two tries because of calls
	// What trying again will hardly change is not tried so often; a keychain
	// may ask the person each time.
	vainRest    = 5 * time.Second
	versionRest = 5 * time.Minute
	limitRest   = 10 * time.Second
	// After a link that was short but of use, the rest is as after two failures.
	usefulFailures = 1
	lookEvery      = time.Second // for a change of the network
)

// Pause is what comes before the next attempt.
type Pause struct {
	Most  time.Duration
	Least time.Duration // even when calls wait
}

// Pace is the backoff: exponential with full jitter, and without an end. The
// zero value is at its beginning.
type Pace struct{ failures int }

// After decides how long to wait after end.
func (p *Pace) After(end Ending) Pause {
	switch {
	case end.Held >= Steady:
		p.failures = 0
	case end.Heard:
		p.failures = min(p.failures, usefulFailures)
	}
	p.failures++
	rest := p.jittered()
	after := end.after
	switch end.Bye {
	case wire.ByeVersion:
		return Pause{Most: versionRest, Least: versionRest}
	case wire.ByeLimit, wire.ByeDrain:
		if after == 0 && end.Bye == wire.ByeLimit {
			after = limitRest
		}
		return Pause{Most: after + rand.N(after/2+firstRest), Least: after}
	case wire.ByeRevoked, wire.ByeExpired:
		if end.Held > 0 && p.failures <= usefulFailures+1 {
			return Pause{} // to come back as a guest
		}
		return Pause{Most: max(after, rest), Least: after}
	}
	switch {
	case end.Held >= Steady:
		return Pause{} // it was good, so the next one probably is
	case end.Why.Code != usererr.Unavailable && end.Why.Code != usererr.Timeout:
		after = max(after, vainRest)
		return Pause{Most: after + rest, Least: after}
	case after > 0:
		return Pause{Most: after + rand.N(after/2+1), Least: after}
	}
	return Pause{Most: rest, Least: min(rest, kickRest)}
}

func (p *Pace) jittered() time.Duration {
	most := longRest
	if p.failures < 10 {
		most = min(most, firstRest<<p.failures)
	}
	return rand.N(most)
}

// rest waits: for the pause to end, for a call that needs a link, for another
// network, or for ctx to end.
func (k *Keeper) rest(ctx context.Context, p Pause, waiting bool) {
	begun := time.Now()
	if waiting {
		p.Most = min(p.Most, max(p.Least, callRest))
	}
	late := time.NewTimer(p.Most)
	defer late.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	here := addresses()
	for {
		select {
		case <-ctx.Done():
			return
		case <-late.C:
			return
		case <-k.kicked:
			p.Most = min(p.Most, max(p.Least, kickRest))
			late.Reset(p.Most - time.Since(begun))
		case <-look.C:
			if time.Since(begun) >= p.Least && addresses() != here {
				return
			}
		}
	}
}

// addresses lists the network addresses of this computer.
func addresses() string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	var list strings.Builder
	for _, a := range all {
		list.WriteString(a.String() + " ")
	}
	return list.String()
}
