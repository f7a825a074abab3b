// Package flight joins calls that come twice at once: the first is made, the
// others wait for what became of it.
package flight

import (
	"context"
	"sync"
)

// Group has the calls under way, by key. The zero Group is ready; it may be
// used from many goroutines.
type Group[K comparable, V any] struct {
	mu  sync.Mutex
	all map[K]*Flight[V] // guarded by mu
}

// Flight is a call under way. Label is what its first caller said of it.
type Flight[V any] struct {
	Label string
	done  chan struct{}
	value V // set before done is closed
}

// Join returns the flight of key. For whom first is true there was none: they
// make the call and must call [Group.Land], whatever happens.
func (g *Group[K, V]) Join(key K, label string) (f *Flight[V], first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f, ok := g.all[key]; ok {
		return f, false
	}
	if g.all == nil {
		g.all = map[K]*Flight[V]{}
	}
	f = &Flight[V]{Label: label, done: make(chan struct{})}
	g.all[key] = f
	return f, true
}

// Land ends the flight of key, once, with value for all who wait.
func (g *Group[K, V]) Land(key K, f *Flight[V], value V) {
	g.mu.Lock()
	delete(g.all, key)
	g.mu.Unlock()
	f.value = value
	close(f.done)
}

// Wait returns the value with which the flight ends, or the error of ctx.
func (f *Flight[V]) Wait(ctx context.Context) (V, error) {
	select {
	case <-f.done:
		return f.value, nil
	case <-ctx.Done():
		var none V
		return none, ctx.Err()
	}
}
