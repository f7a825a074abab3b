package gateway

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/stream"
)

// How much may come from one network; this machine may send any number.
const (
	maxWaiting      = 4096  // connections of sessions that have not said hello
	maxGuestWaiting = 2048  // … of guests
	maxWaitingEach  = 64    // … of either from one network
	maxGuestsEach   = 1_000 // streams of guests from one network
)

// tally counts what there is of something at the moment, by network.
type tally struct {
	each, all int // at most

	mu    sync.Mutex
	from  map[netip.Prefix]int // guarded by mu
	count int                  // guarded by mu; the sum
}

func newTally(each, all int) *tally {
	return &tally{each: each, all: all, from: map[netip.Prefix]int{}}
}

// take counts one more from at, unless that is too much.
func (t *tally) take(at netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count >= t.all || t.from[at] >= t.each && !at.Addr().IsLoopback() {
		return false
	}
	t.count++
	t.from[at]++
	return true
}

func (t *tally) give(at netip.Prefix) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count--
	if t.from[at]--; t.from[at] <= 0 {
		delete(t.from, at)
	}
}

// crowd is the streams of guests. Its lock is taken with locks of streams
// held, so it calls nothing of theirs while it has it.
type crowd struct {
	tally *tally

	mu      sync.Mutex
	streams map[*stream.Stream]netip.Prefix // guarded by mu
}

func newCrowd(most int) *crowd {
	return &crowd{tally: newTally(maxGuestsEach, most), streams: map[*stream.Stream]netip.Prefix{}}
}

// join takes s in, unless there are too many.
func (c *crowd) join(s *stream.Stream, at netip.Prefix) bool {
	if !c.tally.take(at) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams[s] = at
	return true
}

// leave reports whether s was one of them.
func (c *crowd) leave(s *stream.Stream) bool {
	c.mu.Lock()
	at, ok := c.streams[s]
	delete(c.streams, s)
	c.mu.Unlock()
	if ok {
		c.tally.give(at)
	}
	return ok
}

// expel takes out the guest that may go first: the one that has said nothing
// for longest, of those without a call under way if there are any. Nil if there
// is nobody.
func (c *crowd) expel() *stream.Stream {
	for {
		c.mu.Lock()
		all := slices.Collect(maps.Keys(c.streams))
		c.mu.Unlock()
		var first *stream.Stream
		var idle bool
		var since time.Time
		for _, s := range all {
			quiet, heard := s.Quiet()
			if first == nil || quiet && !idle || quiet == idle && heard.Before(since) {
				first, idle, since = s, quiet, heard
			}
		}
		if first == nil || c.leave(first) { // else somebody else has just taken it
			return first
		}
	}
}
