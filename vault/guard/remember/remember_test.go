package remember_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/remember"
)

func TestValuesAreForgottenInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c remember.Cache[string, int]
		if _, ok := c.Get("a"); ok {
			t.Error("an empty cache knows something")
		}
		c.Put("a", 1)
		time.Sleep(remember.Life - time.Second)
		if got, ok := c.Get("a"); !ok || got != 1 {
			t.Errorf("got %d, %v", got, ok)
		}
		time.Sleep(2 * time.Second)
		if _, ok := c.Get("a"); ok {
			t.Error("an old value is still known")
		}
	})
}

func TestTheCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := func(c *remember.Cache[int, int], n int) (count int) {
			for i := range n {
				if _, ok := c.Get(i); ok {
					count++
				}
			}
			return count
		}
		var c remember.Cache[int, int]
		for i := range 2 * remember.Size {
			c.Put(i, i)
		}
		if n := known(&c, 2*remember.Size); n > remember.Size || n < remember.Size/2 {
			t.Errorf("%d values are kept, want between %d and %d", n, remember.Size/2, remember.Size)
		}
		if got, ok := c.Get(2*remember.Size - 1); !ok || got != 2*remember.Size-1 {
			t.Error("the newest value is gone")
		}
	})
}

// A value that is known is replaced without making room for it.
func TestReplacingKeepsTheOthers(t *testing.T) {
	var c remember.Cache[int, int]
	for i := range remember.Size {
		c.Put(i, i)
	}
	c.Put(0, 7)
	for i := range remember.Size {
		if got, ok := c.Get(i); !ok || i > 0 && got != i || i == 0 && got != 7 {
			t.Fatalf("%d: %d, %v", i, got, ok)
		}
	}
}
