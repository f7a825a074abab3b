package grant

import (
	"testing"
	"time"
)

// TestOpenedKeysHaveABoundAndALife is what keeps memory, and what a thief of
// it finds, small.
func TestOpenedKeysHaveABoundAndALife(t *testing.T) {
	now := time.Now()
	c := newCache[int, string](3)
	for i := range 1000 {
		c.put(c.generation(), i, "key", now.Add(time.Minute))
		if len(c.items) > 3 {
			t.Fatalf("%d are kept", len(c.items))
		}
	}
	if _, ok := c.get(999, now); !ok {
		t.Error("the newest is not kept")
	}
	if _, ok := c.get(999, now.Add(time.Minute)); ok || len(c.items) > 2 {
		t.Errorf("given out at its end, %d are kept", len(c.items))
	}
	c.sweep(now.Add(time.Minute))
	if len(c.items) != 0 {
		t.Errorf("%d are left of those that nobody asked for", len(c.items))
	}
}

// TestWhatWasTakenOutDoesNotComeBack with what was read before.
func TestWhatWasTakenOutDoesNotComeBack(t *testing.T) {
	now := time.Now()
	for name, out := range map[string]func(*cache[int, string]){
		"revoked": func(c *cache[int, string]) { c.drop(1) }, "the epoch moved": func(c *cache[int, string]) { c.clear() },
	} {
		c := newCache[int, string](3)
		c.put(c.generation(), 1, "key", now.Add(time.Minute))
		seen := c.generation()
		out(c)
		c.put(seen, 1, "key", now.Add(time.Minute))
		if _, ok := c.get(1, now); ok {
			t.Errorf("%s: it came back", name)
		}
		c.put(c.generation(), 1, "key", now.Add(time.Minute))
		if _, ok := c.get(1, now); !ok {
			t.Errorf("%s: nothing is kept any more", name)
		}
	}
}
