// Package epoch asks for the epoch of revocations, once for the many calls that
// want to know it at the same moment.
package epoch

import (
	"context"
	"errors"
	"sync"
	"time"
)

var errBroken = errors.New("the question about the epoch broke off")

// Teller tells the epoch. Its methods may be called from many goroutines.
type Teller struct {
	ask   func(context.Context) (int64, error)
	fresh time.Duration

	mu     sync.Mutex
	latest *question // guarded by mu; nil before the first
}

// question is put to the store once.
type question struct {
	began time.Time
	done  chan struct{} // closed once what follows is set
	epoch int64
	err   error
}

// New returns a teller that answers with an epoch which was asked for no longer
// ago than fresh before somebody wants to know it.
func New(ask func(context.Context) (int64, error), fresh time.Duration) *Teller {
	return &Teller{ask: ask, fresh: fresh}
}

// Now returns the epoch as it was when Now was called, or a little before; or
// the error of asking, or of ctx.
func (t *Teller) Now(ctx context.Context) (int64, error) {
	called := time.Now()
	for {
		t.mu.Lock()
		q := t.latest
		mine := q == nil || q.over() && (q.err != nil || called.Sub(q.began) >= t.fresh)
		if mine {
			q = &question{began: time.Now(), done: make(chan struct{})}
			t.latest = q
		}
		t.mu.Unlock()
		if mine {
			return t.put(ctx, q)
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		// An older question is of no use, and the one who asked may have given up.
		if q.err == nil && called.Sub(q.began) < t.fresh {
			return q.epoch, nil
		}
	}
}

// put asks the store. A question that ends in a panic has an error, so that
// nobody takes it for an answer or waits for it.
func (t *Teller) put(ctx context.Context, q *question) (int64, error) {
	q.err = errBroken
	defer close(q.done)
	q.epoch, q.err = t.ask(ctx)
	return q.epoch, q.err
}

func (q *question) over() bool {
	select {
	case <-q.done:
		return true
	default:
		return false
	}
}
