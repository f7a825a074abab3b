package epoch_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/epoch"
)

const fresh = 5 * time.Millisecond

// TestOneQuestionForMany: a hundred callers put three questions to a slow store
// and none is told an epoch from before it asked.
func TestOneQuestionForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store, asked atomic.Int64
		teller := epoch.New(func(context.Context) (int64, error) {
			asked.Add(1)
			now := store.Load()
			time.Sleep(50 * time.Millisecond)
			return now, nil
		}, fresh)
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond / 2)
				before := store.Load()
				got, err := teller.Now(t.Context())
				// What moved in the last moment may be missed, nothing older.
				if err != nil || got < before-int64(fresh/time.Millisecond) {
					t.Errorf("told %d, %v; it was %d", got, err, before)
				}
			})
		}
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					store.Add(1)
				}
			}
		}()
		all.Wait()
		close(stop)
		if n := asked.Load(); n > 4 {
			t.Errorf("%d questions", n)
		}
	})
}

// TestWhoGivesUp: the error of one who asked is not another's.
func TestWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var fail atomic.Bool
		teller := epoch.New(func(ctx context.Context) (int64, error) {
			if fail.Load() {
				return 0, broken
			}
			select {
			case <-time.After(time.Second):
				return 7, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}, fresh)
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if _, err := teller.Now(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who gave up hears %v", err)
			}
		})
		all.Go(func() {
			time.Sleep(time.Millisecond)
			if got, err := teller.Now(t.Context()); got != 7 || err != nil {
				t.Errorf("who waited is told %d, %v", got, err)
			}
		})
		all.Go(func() {
			time.Sleep(2 * time.Millisecond)
			if _, err := teller.Now(impatient); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("who gave up waiting hears %v", err)
			}
		})
		all.Wait()
		time.Sleep(time.Second)
		fail.Store(true)
		for range 2 {
			if _, err := teller.Now(t.Context()); !errors.Is(err, broken) {
				t.Errorf("a broken store: %v", err)
			}
		}
	})
}

// TestAPanicIsNoAnswer: others ask for themselves.
func TestAPanicIsNoAnswer(t *testing.T) {
	broke := false
	teller := epoch.New(func(context.Context) (int64, error) {
		if !broke {
			broke = true
			panic("broken")
		}
		return 7, nil
	}, time.Hour)
	func() {
		defer func() { _ = recover() }()
		_, _ = teller.Now(t.Context())
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if got, err := teller.Now(ctx); got != 7 || err != nil {
		t.Errorf("told %d, %v", got, err)
	}
}

func BenchmarkNow(b *testing.B) {
	teller := epoch.New(func(context.Context) (int64, error) { return 1, nil }, fresh)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := teller.Now(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
