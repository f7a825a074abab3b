package flight_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/vault/guard/flight"
)

func TestTheOthersWaitForTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[string, int]
		f, first := g.Join("a", "label")
		if !first {
			t.Fatal("there is a flight already")
		}
		answers := make(chan int, 3)
		for range cap(answers) {
			go func() {
				f, first := g.Join("a", "other")
				if first || f.Label != "label" {
					t.Errorf("first %v, label %q", first, f.Label)
				}
				value, _ := f.Wait(t.Context())
				answers <- value
			}()
		}
		synctest.Wait()
		g.Land("a", f, 7)
		for range cap(answers) {
			if got := <-answers; got != 7 {
				t.Errorf("got %d, want 7", got)
			}
		}
		if _, first := g.Join("a", ""); !first {
			t.Error("a flight that has landed is still joined")
		}
	})
}

func TestWaitingEnds(t *testing.T) {
	var g flight.Group[int, int]
	f, _ := g.Join(1, "")
	if _, first := g.Join(2, ""); !first {
		t.Error("another key has the same flight")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
