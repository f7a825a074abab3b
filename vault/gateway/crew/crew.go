// Package crew runs short tasks on goroutines that are used again: one that has
// run a task has the stack that the next one needs, and to grow that takes
// longer than most of what tasks do.
package crew

import (
	"sync"
	"sync/atomic"
)

// Crew is such goroutines. Its methods may be called from many goroutines.
type Crew struct {
	most    int32         // that wait for a task
	waiting atomic.Int32  // how many do
	tasks   chan func()   // unbuffered: whoever takes one has nothing else to do
	stop    chan struct{} // closed by Dismiss
	all     sync.WaitGroup
}

// New returns a crew of whom at most most wait for something to do.
func New(most int) *Crew {
	return &Crew{most: int32(most), tasks: make(chan func()), stop: make(chan struct{})} //nolint:gosec // a small number
}

// Go runs task, which must end by itself, and does not wait for it.
func (c *Crew) Go(task func()) {
	select {
	case c.tasks <- task:
	default:
		c.all.Go(func() { c.work(task) }) // ends when enough others wait, or with Dismiss
	}
}

func (c *Crew) work(task func()) {
	for {
		task()
		if c.waiting.Add(1) > c.most {
			c.waiting.Add(-1)
			return
		}
		select {
		case task = <-c.tasks:
			c.waiting.Add(-1)
		case <-c.stop:
			return
		}
	}
}

// Dismiss waits for all tasks and ends the goroutines. It must be called once,
// and no task may be given from outside of the crew's own any more.
func (c *Crew) Dismiss() {
	close(c.stop)
	c.all.Wait()
}
