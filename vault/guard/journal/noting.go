package journal

import (
	"context"
	"time"
)

// Noting is a write on its way into the journal. Stands and Err are what
// JournalStart returns; they and Free are for after [Noting.Known].
type Noting struct {
	Stands Entry
	Err    error

	known  chan struct{}
	fresh  bool
	broken any // what the journal panicked with
}

// patience is how long noting may take: it is one row.
const patience = 10 * time.Second

// Note begins to note a write and gives up after 10 s. It calls stop if the
// write may not be made.
func Note(ctx context.Context, j Journal, e Entry, replace bool, stop func()) *Noting {
	n := &Noting{known: make(chan struct{})}
	go func() { // ends by its deadline
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		defer func() {
			n.broken = recover()
			if close(n.known); n.broken != nil || n.Err != nil || !n.fresh {
				stop()
			}
		}()
		n.Stands, n.fresh, n.Err = j.JournalStart(ctx, e, replace)
	}()
	return n
}

// Known is closed once it is known what became of it.
func (n *Noting) Known() <-chan struct{} { return n.known }

// Free reports whether the write is noted and may be made, once that is known.
// A panic of the journal is the caller's.
func (n *Noting) Free() bool {
	if <-n.known; n.broken != nil {
		panic(n.broken)
	}
	return n.Err == nil && n.fresh
}
