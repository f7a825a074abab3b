// Package remember keeps values for a few minutes, so that one call need not
// ask for what another has just learned. It knows nothing of what the values
// are: whoever must not share them is part of their key.
package remember

import (
	"sync"
	"time"
)

// How long and how much is remembered.
const (
	Life = 5 * time.Minute
	Size = 4096
)

// Cache remembers values by key. The zero Cache is ready; it may be used from
// many goroutines.
type Cache[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]kept[V] // guarded by mu
}

type kept[V any] struct {
	value V
	until time.Time
}

// Get returns the value of key, if it is known and not too old.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.all[key]
	return found.value, ok && time.Now().Before(found.until)
}

// Put remembers the value of key from now on.
func (c *Cache[K, V]) Put(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[K]kept[V]{}
	}
	if _, known := c.all[key]; !known && len(c.all) >= Size {
		c.makeRoomLocked()
	}
	c.all[key] = kept[V]{value, time.Now().Add(Life)}
}

// makeRoomLocked drops what is old, or any half when nothing is.
func (c *Cache[K, V]) makeRoomLocked() {
	now := time.Now()
	for key, found := range c.all {
		if now.After(found.until) {
			delete(c.all, key)
		}
	}
	for key := range c.all {
		if len(c.all) < Size/2 {
			return
		}
		delete(c.all, key)
	}
}
