package grant

import (
	"math/rand/v2"
	"sync"
	"time"
)

// cache keeps opened values for a while. What was read before a purge can not
// be put into it afterwards: a revoked grant would live on.
type cache[K comparable, V any] struct {
	mu    sync.Mutex
	max   int
	items map[K]cached[V] // guarded by mu
	purge uint64          // guarded by mu: how often something was taken out
}

type cached[V any] struct {
	value V
	until time.Time
}

func newCache[K comparable, V any](most int) *cache[K, V] {
	return &cache[K, V]{max: most, items: map[K]cached[V]{}}
}

func (c *cache[K, V]) get(key K, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item, ok := c.items[key]
	if ok && now.Before(item.until) {
		return item.value, true
	}
	delete(c.items, key) // a secret that is not used any more
	var zero V
	return zero, false
}

// generation must be asked before reading what will be put.
func (c *cache[K, V]) generation() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.purge
}

// put keeps value, unless something was taken out since seen.
func (c *cache[K, V]) put(seen uint64, key K, value V, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seen != c.purge {
		return
	}
	if _, ok := c.items[key]; !ok && len(c.items) >= c.max {
		for victim := range c.items { // any: each would be read again
			delete(c.items, victim)
			break
		}
	}
	c.items[key] = cached[V]{value, until}
}

func (c *cache[K, V]) drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.items, key)
	c.purge++
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.items)
	c.purge++
}

// sweep takes out what is over.
func (c *cache[K, V]) sweep(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, item := range c.items {
		if !now.Before(item.until) {
			delete(c.items, key)
		}
	}
}

const (
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// pace says how long to leave alone what failed: longer with each failure in
// a row beyond the first few that are free.
type pace[K comparable] struct {
	mu    sync.Mutex
	free  int
	items map[K]failing // guarded by mu
}

type failing struct {
	times int
	until time.Time
}

func newPace[K comparable](free int) *pace[K] {
	return &pace[K]{free: free, items: map[K]failing{}}
}

func (p *pace[K]) pause(key K, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.items[key].until.Sub(now))
}

func (p *pace[K]) failed(key K, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.items) >= maxKept {
		for old, f := range p.items {
			if now.Sub(f.until) > mostPause {
				delete(p.items, old)
			}
		}
	}
	f := p.items[key]
	f.times++
	if n := f.times - p.free; n > 0 {
		pause := min(firstPause<<min(n-1, 10), mostPause)
		f.until = now.Add(pause/2 + rand.N(pause/2))
	} else {
		f.until = now
	}
	p.items[key] = f
}

func (p *pace[K]) succeeded(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.items, key)
}

// tallySpan is the time that a tally looks back.
const tallySpan = time.Minute

// tally counts different things that happened within a minute.
type tally[K comparable] struct {
	mu   sync.Mutex
	seen map[K]map[string]time.Time // guarded by mu
}

func newTally[K comparable]() *tally[K] { return &tally[K]{seen: map[K]map[string]time.Time{}} }

// add counts what for key and returns how many different ones there were.
func (t *tally[K]) add(key K, what string, now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, things := range t.seen {
		for thing, at := range things {
			if now.Sub(at) > tallySpan {
				delete(things, thing)
			}
		}
		if len(things) == 0 {
			delete(t.seen, key)
		}
	}
	if t.seen[key] == nil {
		t.seen[key] = map[string]time.Time{}
	}
	t.seen[key][what] = now
	return len(t.seen[key])
}

func (t *tally[K]) forget(key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.seen, key)
}
