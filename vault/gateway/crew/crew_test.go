package crew_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/crew"
)

func TestAllTasksRunAndAllEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		c := crew.New(4)
		var ran, now, most atomic.Int32
		for range 100 {
			for range 10 {
				c.Go(func() {
					most.Store(max(most.Load(), now.Add(1)))
					time.Sleep(time.Second)
					now.Add(-1)
					ran.Add(1)
				})
			}
			time.Sleep(time.Minute)
		}
		if ran.Load() != 1000 || most.Load() != 10 {
			t.Errorf("%d tasks ran, %d at once", ran.Load(), most.Load())
		}
		c.Dismiss()
	})
}

func TestDismissWaitsForTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := crew.New(1)
		done := 0
		c.Go(func() {
			c.Go(func() { time.Sleep(2 * time.Second); done++ })
			time.Sleep(time.Second)
		})
		c.Dismiss()
		if done != 1 {
			t.Error("a task that a task gave was not waited for")
		}
	})
}

func BenchmarkGo(b *testing.B) {
	c := crew.New(64)
	done := make(chan struct{})
	for b.Loop() {
		c.Go(func() { done <- struct{}{} })
		<-done
	}
	c.Dismiss()
}
