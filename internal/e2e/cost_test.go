package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// TestWhatRecordsCostSoak compares the vault with one that keeps no audit and
// no journal and, at full size, with one that seals nothing; both are built for
// this test alone. It tells the figures; that all of them answer, and that each
// answer has its record, is what it wants.
func TestWhatRecordsCostSoak(t *testing.T) {
	t.Parallel()
	rounds, turns, calls, records := 2, 2, 200, 500
	if soak() {
		rounds, turns, calls, records = 25, 8, 2000, 200_000
	}
	first := func(function, rest string) func(string) string {
		return func(text string) string { return strings.Replace(text, function+" {\n", function+" {\n"+rest+"\n", 1) }
	}
	forgetful := buildWith(t,
		change{"vault/audit/log.go", first("func (l *Log) Record(ctx context.Context, e Entry) error", "if true { return nil }")},
		change{"vault/store/journal.go", func(text string) string {
			text = first("func (db *DB) JournalStart(ctx context.Context, e journal.Entry, replace bool) (journal.Entry, bool, error)", "if true { return e, true, nil }")(text)
			return first("func (db *DB) JournalFinish(ctx context.Context, key journal.Key, started time.Time, result []byte, record func(context.Context)) (err error)", "if true { record(ctx); return nil }")(text)
		}},
	)
	var open string
	if soak() {
		open = buildWith(t,
			change{"vault/seal/seal.go", func(text string) string {
				text = strings.Replace(text, "func (b *Box) Seal(", "func (b *Box) Seal(plain []byte, _ AAD) ([]byte, error) { return append([]byte{}, plain...), nil }\n\nfunc (b *Box) wrap(", 1)
				return strings.Replace(text, "func (b *Box) Open(", "func (b *Box) Open(sealed []byte, _ AAD) ([]byte, error) { return append([]byte{}, sealed...), nil }\n\nfunc (b *Box) unwrap(", 1)
			}},
			change{"vault/seal/kekfile.go", strings.NewReplacer("k.box.Seal(", "k.box.wrap(", "k.box.Open(", "k.box.unwrap(").Replace},
		)
	}
	for _, engine := range []struct {
		name  string
		store func(t *testing.T) string
	}{
		{"SQLite", func(*testing.T) string { return "" }},
		{"PostgreSQL", func(t *testing.T) string { return newPostgres(t, testenv.Durable()...).Database(t) }},
	} {
		t.Run(engine.name, func(t *testing.T) {
			all := []*payer{newPayer(t, bin, engine.store(t)), newPayer(t, forgetful, engine.store(t))}
			if open != "" {
				all = append(all, newPayer(t, open, engine.store(t)))
			}
			for round := range rounds {
				// Few calls at a time take turns, as a machine is never quiet for long.
				for turn := range turns {
					for i := range all {
						all[(i+turn)%len(all)].turn()
					}
				}
				for i := range all {
					p := all[(i+round)%len(all)]
					p.rates = append(p.rates, p.flood(calls))
				}
			}
			with := all[0]
			with.compare("records", all[1])
			if open != "" {
				with.compare("sealing", all[2])
			}
			with.prove(records)
		})
	}
}

// payer is a vault with a client, and what calls took.
type payer struct {
	*rawClient
	world         *world
	page          atlassiansim.Page
	next          atomic.Int64
	reads, writes []time.Duration
	rates         []float64
}

// compare tells what p pays for what the other goes without.
func (p *payer) compare(what string, without *payer) {
	p.t.Logf("median of a read %v, %v without %s: %v more, %.3f times as long", short(mid(p.reads)), short(mid(without.reads)), what, short(mid(p.reads)-mid(without.reads)), ratio(p.reads, without.reads))
	p.t.Logf("median of a write %v, %v without %s: %v more, %.3f times as long", short(mid(p.writes)), short(mid(without.writes)), what, short(mid(p.writes)-mid(without.writes)), ratio(p.writes, without.writes))
	p.t.Logf("64 callers: %.0f calls/s, %.0f without %s: %.2f times as many", mid(p.rates), mid(without.rates), what, ratio(p.rates, without.rates))
}

// prove has the calls' records checked, when there are so many more of them.
func (p *payer) prove(records int) {
	p.flood(records)
	var rates []float64
	for range 5 {
		if soak() {
			time.Sleep(2 * time.Second) // the database tidies up
		}
		began := time.Now()
		out := p.world.vault("audit", "verify")
		took := time.Since(began)
		before, _, _ := strings.Cut(out, " records, all intact")
		checked, err := strconv.Atoi(before)
		if calls := int(p.next.Load()); err != nil || checked < calls {
			p.t.Errorf("of %d calls:\n%s", calls, out)
		}
		rates = append(rates, float64(checked)/took.Seconds())
	}
	p.t.Logf("audit verify, from start to end, %d calls: %.0f records/s, median %.0f", p.next.Load(), rates, mid(rates))
}

func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

func mid[T cmp.Ordered](all []T) T { return slices.Sorted(slices.Values(all))[len(all)/2] }

func ratio[T time.Duration | float64](of, to []T) float64 { return float64(mid(of)) / float64(mid(to)) }

func newPayer(t *testing.T, programs, store string) *payer {
	t.Helper()
	w := newWorld(t, stage.Options{Bin: programs, Store: store, Sim: atlassiansim.Options{NoJournal: true}})
	p := &payer{world: w, rawClient: startRaw(t, signedInLaptop(t, w).Shim(context.WithoutCancel(t.Context()))), page: w.Sim.CreatePages("ENG", 1)[0]}
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

// turn reads ten times and writes ten times.
func (p *payer) turn() {
	for _, calls := range []struct {
		tool string
		took *[]time.Duration
	}{{"confluence_list_spaces", &p.reads}, {"confluence_update_page", &p.writes}} {
		for range 10 {
			began := time.Now()
			p.call(calls.tool)
			*calls.took = append(*calls.took, time.Since(began))
		}
	}
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
