package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestKillsAndCutsSoak kills and restarts the vault, and cuts and heals the
// link, during 1,000 calls: reads, creations and updates. Every call is answered exactly
// once, and no page is written twice.
func TestKillsAndCutsSoak(t *testing.T) {
	t.Parallel()
	calls := 200
	if soak() {
		calls = 1000
	}
	w := newWorld(t, stage.Options{Link: true, Sim: atlassiansim.Options{Latency: 30 * time.Millisecond}})
	w.chaos(calls, w.makeTrouble)
}

// chaos signs ada in and makes calls, a quarter each of creations and updates,
// while trouble is made until its channel is closed.
func (w *world) chaos(calls int, trouble func(stop <-chan struct{})) *rawClient {
	w.t.Helper()
	c := startRaw(w.t, w.laptop("ada").Shim(context.WithoutCancel(w.t.Context())))
	c.initialize("2025-11-25")
	answer := make(chan string, 1)
	go func() {
		text, failed, err := c.tool(`"first"`, "confluence_list_spaces", nil)
		answer <- fmt.Sprint(text, failed, err)
	}()
	w.consent(1, "ada", true)
	<-answer

	var failures sync.Map
	ids := make(chan int)
	var workers sync.WaitGroup
	pages := w.Sim.CreatePages("ENG", chaosWorkers)
	for i := range chaosWorkers {
		workers.Go(func() { chaosWorker(c, &pages[i], ids, &failures) })
	}
	stop := make(chan struct{})
	var troubled sync.WaitGroup
	troubled.Go(func() { trouble(stop) })
	for n := range calls {
		ids <- n
	}
	close(ids)
	workers.Wait()
	close(stop)
	troubled.Wait()

	failures.Range(func(n, problem any) bool {
		w.t.Errorf("call %v: %v", n, problem)
		return true
	})
	c.once()
	w.eachPageOnce(calls, pages)
	return c
}

// eachPageOnce wants every page that was created, and every update, to be there
// once.
func (w *world) eachPageOnce(calls int, pages []atlassiansim.Page) {
	w.t.Helper()
	for n := 0; n < calls; n += 4 {
		title := fmt.Sprintf("Chaos %d", n)
		if got := w.Sim.CountPages("ENG", title); got != 1 {
			w.t.Errorf("%d pages are called %q, want 1", got, title)
		}
	}
	for _, page := range pages {
		now, _ := w.Sim.PageByID(page.ID)
		if now.Version != page.Version || !strings.Contains(now.Body, page.Body) {
			w.t.Errorf("page %s is at version %d with %q, want version %d with %q", page.ID, now.Version, now.Body, page.Version, page.Body)
		}
	}
	if opened, _ := w.Opened(); len(opened) != 1 {
		w.t.Errorf("%d tabs were opened, want 1", len(opened))
	}
}

const chaosWorkers = 8

// chaosWorker makes a quarter each of creations and updates, and reads. Page
// is the worker's own: it follows what must have become of it.
func chaosWorker(c *rawClient, page *atlassiansim.Page, ids <-chan int, failures *sync.Map) {
	for n := range ids {
		id, text := fmt.Sprint(n), fmt.Sprintf("Written by call %d", n)
		tool, args, want := "confluence_list_spaces", map[string]any(nil), "ENG"
		switch n % 4 {
		case 0:
			tool, want = "confluence_create_page", "Chaos "+id
			args = map[string]any{"space": "ENG", "title": want, "body": text}
		case 1:
			tool, want = "confluence_update_page", fmt.Sprintf("updated to version %d", page.Version+1)
			args = map[string]any{"page": page.ID, "expected_version": page.Version, "body": text}
		case 2:
			tool, args, want = "confluence_get_page", map[string]any{"page": page.ID}, page.Title
		}
		answer, failed, err := c.tool(id, tool, args)
		switch {
		case err != nil:
			failures.Store(n, err.Error())
		case failed:
			failures.Store(n, tool+" was answered with an error: "+answer)
		case !strings.Contains(answer, want):
			failures.Store(n, tool+" was answered with something else: "+answer)
		case tool == "confluence_update_page":
			page.Version++
			page.Body = text
		}
	}
}

// makeTrouble kills the vault, cuts the link and drains the vault in turn,
// with pauses, until stop.
func (w *world) makeTrouble(stop <-chan struct{}) {
	pause := func(least, most int) bool {
		select {
		case <-stop:
			return false
		case <-time.After(time.Duration(least+rand.IntN(most-least)) * time.Millisecond):
			return true
		}
	}
	must := func(err error) {
		if err != nil {
			w.t.Error(err)
		}
	}
	turns := 0
	for ; pause(100, 600); turns++ {
		switch turns % 3 {
		case 0:
			must(w.KillVault())
			pause(1, 300)
			must(w.StartVault(w.t.Context()))
		case 1:
			w.Link.Cut()
			pause(1, 500)
			w.Link.Heal()
		case 2:
			must(w.StopVault())
			must(w.StartVault(w.t.Context()))
		}
	}
	w.t.Logf("%d turns of trouble", turns)
	if turns < 3 {
		w.t.Error("too little trouble: the calls were over too soon")
	}
}
