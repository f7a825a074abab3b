package vault

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyWhoAskAreOneQuestion counts what a key service would be asked.
func TestManyWhoAskAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := 0, errors.New("down")
		check := sparing(3*time.Second, func(context.Context) error {
			asked++
			time.Sleep(time.Second)
			return answer
		})
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if err := check(t.Context()); !errors.Is(err, answer) {
					t.Errorf("answered %v", err)
				}
			})
		}
		group.Wait()
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		time.Sleep(4 * time.Second)
		answer = nil
		if err := check(t.Context()); err != nil || asked != 2 {
			t.Errorf("later: %v, asked %d times", err, asked)
		}
	})
}

// TestWhoLeavesDecidesForNobodyElse hangs up while the question is asked.
func TestWhoLeavesDecidesForNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		check := sparing(time.Hour, func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			return ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := check(ctx); err == nil {
			t.Error("it was in time")
		}
		if err := check(t.Context()); err != nil {
			t.Errorf("the next: %v", err)
		}
	})
}
