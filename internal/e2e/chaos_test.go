package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestKillsAndCutsSoak kills and restarts the vault, and cuts and heals the
// link, during 1,000 calls, reads and writes. Every call is answered exactly
// once, and no page is written twice.
func TestKillsAndCutsSoak(t *testing.T) {
	calls := 200
	if soak() {
		calls = 1000
	}
	w := newWorld(t, stage.Options{Link: true, Sim: atlassiansim.Options{Latency: 30 * time.Millisecond}})
	c := startRaw(t, w.laptop("ada").Shim(context.WithoutCancel(t.Context())))
	c.initialize("2025-11-25")
	answer := make(chan string, 1)
	go func() {
		text, failed, err := c.tool(`"first"`, "confluence_list_spaces", nil)
		answer <- fmt.Sprint(text, failed, err)
	}()
	w.consent(1, "ada", true)
	<-answer

	var done atomic.Int64
	var failures sync.Map
	ids := make(chan int)
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for n := range ids {
				if problem := chaosCall(c, n); problem != "" {
					failures.Store(n, problem)
				}
				done.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	var trouble sync.WaitGroup
	trouble.Go(func() { w.makeTrouble(stop) })
	for n := range calls {
		ids <- n
	}
	close(ids)
	workers.Wait()
	close(stop)
	trouble.Wait()

	failures.Range(func(n, problem any) bool {
		t.Errorf("call %v: %v", n, problem)
		return true
	})
	c.once()
	for n := range calls {
		if n%4 != 0 {
			continue
		}
		title := fmt.Sprintf("Chaos %d", n)
		if got := w.Sim.CountPages("ENG", title); got != 1 {
			t.Errorf("%d pages are called %q, want 1", got, title)
		}
	}
	if opened, _ := w.Opened(); len(opened) != 1 {
		t.Errorf("%d tabs were opened, want 1", len(opened))
	}
}

func chaosCall(c *rawClient, n int) string {
	id := fmt.Sprint(n)
	var text string
	var failed bool
	var err error
	if n%4 == 0 {
		text, failed, err = c.tool(id, "confluence_create_page", map[string]any{"space": "ENG", "title": "Chaos " + id, "body": "Written by call " + id})
	} else {
		text, failed, err = c.tool(id, "confluence_list_spaces", nil)
	}
	switch {
	case err != nil:
		return err.Error()
	case failed:
		return "answered with an error: " + text
	case n%4 == 0 && !strings.Contains(text, "Chaos "+id):
		return "answered with something else: " + text
	}
	return ""
}

// makeTrouble alternates killing the vault and cutting the link, with pauses,
// until stop.
func (w *world) makeTrouble(stop <-chan struct{}) {
	pause := func(least, most int) bool {
		select {
		case <-stop:
			return false
		case <-time.After(time.Duration(least+rand.IntN(most-least)) * time.Millisecond):
			return true
		}
	}
	for pause(200, 700) {
		switch rand.IntN(3) {
		case 0:
			if err := w.KillVault(); err != nil {
				w.t.Error(err)
			}
			pause(0, 300)
			if err := w.StartVault(w.t.Context()); err != nil {
				w.t.Error(err)
			}
		case 1:
			w.Link.Cut()
			pause(0, 500)
			w.Link.Heal()
		case 2:
			if err := w.StopVault(); err != nil {
				w.t.Error(err)
			}
			if err := w.StartVault(w.t.Context()); err != nil {
				w.t.Error(err)
			}
		}
	}
}
