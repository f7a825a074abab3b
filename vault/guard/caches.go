package guard

import (
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/confluence"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// How long and how much is remembered. What one person sees says nothing
// about another, so the person is part of every key.
const (
	cacheLife = 5 * time.Minute
	cacheSize = 4096
)

type spaceAt struct {
	tenant identity.TenantID
	person identity.PersonID
	site   string // cloud id
	id     string
}

type (
	spaceCache   = cache[confluence.Space]
	accountCache = cache[Account]
)

// cache remembers values for a few minutes. The zero cache is ready.
type cache[V any] struct {
	mu  sync.Mutex
	all map[spaceAt]cached[V] // guarded by mu
}

type cached[V any] struct {
	value V
	until time.Time
}

func (c *cache[V]) get(at spaceAt) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, ok := c.all[at]
	return kept.value, ok && time.Now().Before(kept.until)
}

func (c *cache[V]) put(at spaceAt, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[spaceAt]cached[V]{}
	}
	if len(c.all) >= cacheSize {
		c.makeRoomLocked()
	}
	c.all[at] = cached[V]{value, time.Now().Add(cacheLife)}
}

// makeRoomLocked drops what is old, or any half when nothing is.
func (c *cache[V]) makeRoomLocked() {
	now := time.Now()
	for at, kept := range c.all {
		if now.After(kept.until) {
			delete(c.all, at)
		}
	}
	for at := range c.all {
		if len(c.all) < cacheSize/2 {
			return
		}
		delete(c.all, at)
	}
}
