package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestWhatRecordsCostSoak compares the vault with one that keeps no audit and
// no journal, which is built for this test alone. It tells the figures; that
// both answer is all it wants.
func TestWhatRecordsCostSoak(t *testing.T) {
	t.Parallel()
	rounds, trips, calls := 2, 20, 200
	if soak() {
		rounds, trips, calls = 15, 60, 2000
	}
	first := func(function, rest string) func(string) string {
		return func(text string) string { return strings.Replace(text, function+" {\n", function+" {\n"+rest+"\n", 1) }
	}
	forgetful := buildWith(t,
		change{"vault/audit/log.go", first("func (l *Log) Record(ctx context.Context, e Entry) error", "if true { return nil }")},
		change{"vault/store/journal.go", func(text string) string {
			text = first("func (db *DB) JournalStart(ctx context.Context, e guard.JournalEntry, replace bool) (guard.JournalEntry, bool, error)", "if true { return e, true, nil }")(text)
			return first("func (db *DB) JournalFinish(ctx context.Context, key guard.JournalKey, started time.Time, result []byte) error", "if true { return nil }")(text)
		}},
	)
	for engine, store := range map[string]func() string{
		"SQLite":     func() string { return "" },
		"PostgreSQL": func() string { return newPostgres(t).Database(t) },
	} {
		t.Run(engine, func(t *testing.T) {
			with, without := newPayer(t, bin, store()), newPayer(t, forgetful, store())
			for range rounds {
				for _, p := range []*payer{with, without} {
					p.reads = append(p.reads, p.median(trips, "confluence_list_spaces"))
					p.writes = append(p.writes, p.median(trips, "confluence_update_page"))
					p.rates = append(p.rates, p.flood(calls))
				}
			}
			t.Logf("median of a read %v, %v without records: %v more", with.mid(with.reads), without.mid(without.reads), with.mid(with.reads)-without.mid(without.reads))
			t.Logf("median of a write %v, %v without records: %v more", with.mid(with.writes), without.mid(without.writes), with.mid(with.writes)-without.mid(without.writes))
			slices.Sort(with.rates)
			slices.Sort(without.rates)
			a, b := with.rates[rounds/2], without.rates[rounds/2]
			t.Logf("64 callers: %.0f calls/s, %.0f without records: %.2f times as many", a, b, a/b)
		})
	}
}

// payer is a vault with a client, and what calls took.
type payer struct {
	*rawClient
	page          atlassiansim.Page
	next          atomic.Int64
	reads, writes []time.Duration
	rates         []float64
}

func newPayer(t *testing.T, programs, store string) *payer {
	t.Helper()
	w := newWorld(t, stage.Options{Bin: programs, Store: store, Sim: atlassiansim.Options{NoJournal: true}})
	p := &payer{rawClient: startRaw(t, signedInLaptop(t, w).Shim(context.WithoutCancel(t.Context()))), page: w.Sim.CreatePages("ENG", 1)[0]}
	p.initialize("2025-11-25")
	return p
}

func (p *payer) call(tool string) {
	args := map[string]any(nil)
	if tool == "confluence_update_page" {
		args = map[string]any{"page": p.page.ID, "expected_version": p.page.Version, "body": "Text"}
		p.page.Version++
	}
	if text, failed, err := p.tool(fmt.Sprint(p.next.Add(1)), tool, args); failed || err != nil {
		p.t.Errorf("%s: %.300s, %v", tool, text, err)
	}
}

// median calls a tool one time after the other.
func (p *payer) median(times int, tool string) time.Duration {
	took := make([]time.Duration, times)
	for i := range took {
		began := time.Now()
		p.call(tool)
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[times/2]
}

func (*payer) mid(all []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(all))[len(all)/2].Round(10 * time.Microsecond)
}

// flood has 64 calls under way and returns how many a second are answered.
func (p *payer) flood(calls int) float64 {
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(calls))
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for left.Add(-1) >= 0 {
				p.call("confluence_list_spaces")
			}
		})
	}
	callers.Wait()
	return float64(calls) / time.Since(began).Seconds()
}
