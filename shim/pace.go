package shim

import (
	"context"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
)

const (
	firstRest = 100 * time.Millisecond
	longRest  = 30 * time.Second
	callRest  = 5 * time.Second // while calls wait
	// What trying again will hardly change is not tried so often; a keychain
	// may ask the person each time.
	vainRest    = 5 * time.Second
	versionRest = 5 * time.Minute
	limitRest   = 10 * time.Second
	kickRest    = time.Second      // between two tries because of calls
	steady      = 10 * time.Second // a link that held so long was a good one
	// After a link that was short but of use, the rest is as after two failures.
	usefulFailures = 1
	lookEvery      = time.Second // for a change of the network
)

// ending is how a link, or the attempt to get one, ended.
type ending struct {
	err   error
	bye   *wire.Bye
	code  usererr.Code
	held  time.Duration
	heard bool          // it brought a message
	after time.Duration // that the vault asked for with an HTTP answer
}

// pause is what comes before the next attempt.
type pause struct {
	wait  time.Duration // at most
	quiet time.Duration // at least, even when calls wait
}

// pace is the backoff: exponential with full jitter, and without an end.
type pace struct{ failures int }

// after decides how long to wait after end.
func (p *pace) after(end ending) pause {
	switch {
	case end.held >= steady:
		p.failures = 0
	case end.heard: // short but of use
		p.failures = min(p.failures, usefulFailures)
	}
	p.failures++
	if end.bye != nil {
		return p.goodbye(*end.bye, end.held)
	}
	if end.held >= steady {
		return pause{} // it was good, so the next one probably is
	}
	rest := p.jittered()
	if end.code != usererr.Unavailable && end.code != usererr.Timeout {
		return pause{wait: vainRest + rest, quiet: vainRest}
	}
	if end.after > 0 {
		return pause{wait: end.after + rand.N(end.after/2+1), quiet: end.after}
	}
	return pause{wait: rest, quiet: min(rest, kickRest)}
}

func (p *pace) goodbye(bye wire.Bye, held time.Duration) pause {
	after := min(max(time.Duration(bye.RetryAfterMillis)*time.Millisecond, 0), versionRest)
	switch bye.Reason {
	case wire.ByeVersion:
		return pause{wait: versionRest, quiet: versionRest}
	case wire.ByeLimit:
		if after == 0 {
			after = limitRest
		}
	case wire.ByeRevoked, wire.ByeExpired:
		if held > 0 && p.failures == 1 {
			return pause{}
		}
		after = max(after, p.jittered())
	case wire.ByeDrain:
	}
	return pause{wait: after + rand.N(after/2+firstRest), quiet: after}
}

func (p *pace) jittered() time.Duration {
	most := longRest
	if p.failures < 10 {
		most = min(most, firstRest<<p.failures)
	}
	return rand.N(most)
}

// rest waits: for the pause to end, for a call that needs a link, for another
// network, or for ctx to end.
func (s *stream) rest(ctx context.Context, p pause) {
	start := time.Now()
	if s.waitedFor() {
		p.wait = min(p.wait, max(p.quiet, callRest))
	}
	late := time.NewTimer(p.wait)
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
		case <-s.kick:
			p.wait = min(p.wait, max(p.quiet, kickRest))
			late.Reset(p.wait - time.Since(start))
		case <-look.C:
			if now := addresses(); now != here && time.Since(start) >= p.quiet {
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
