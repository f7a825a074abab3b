package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/failpoint"
)

// points are where vaults are killed, those with writes more often than those
// with refreshes: what a killed vault has claimed waits for 20 s.
var points = []failpoint.Point{
	failpoint.CallDone, failpoint.WriteNoted, failpoint.WriteMade, failpoint.RefreshClaimed, failpoint.WriteFinished, failpoint.CallRecorded,
	failpoint.CallDone, failpoint.WriteNoted, failpoint.WriteMade, failpoint.RefreshAnswered, failpoint.WriteFinished, failpoint.CallRecorded,
	failpoint.CallDone, failpoint.WriteNoted, failpoint.WriteMade, failpoint.RefreshStored, failpoint.WriteFinished, failpoint.CallRecorded,
}

// deadly is what a point does in the vault that is built for this test.
const deadly = `
var left atomic.Int64

func Reach(p Point) {
	armed, times, _ := strings.Cut(os.Getenv("COATCHECK_FAILPOINT"), "@")
	if string(p) != armed {
		return
	}
	if n, _ := strconv.ParseInt(times, 10, 64); left.Add(1) == n {
		self, _ := os.FindProcess(os.Getpid())
		_ = self.Kill()
		select {}
	}
}
`

// TestKilledAtFailpointsSoak has three vaults that kill themselves, over and
// over, at the moments at which it hurts most, while people read and write. No
// grant is lost, no call answered that is not on record, no write made twice.
func TestKilledAtFailpointsSoak(t *testing.T) {
	t.Parallel()
	people, kills := 3, int64(18)
	if soak() {
		people, kills = 9, 10_000
	}
	built := buildWith(t, change{"internal/failpoint/failpoint.go", func(text string) string {
		text = strings.Replace(text, "\nfunc Reach(Point) {}\n", deadly, 1)
		return strings.Replace(text, "package failpoint\n", "package failpoint\n\nimport (\n\"os\"\n\"strconv\"\n\"strings\"\n\"sync/atomic\"\n)\n", 1)
	}}, change{"vault/store/postgres/postgres.go", func(text string) string {
		return strings.Replace(text, "defaultConns = 16", "defaultConns = 3", 1) // most of what a start costs the server
	}})
	w := newReplicas(t, newPostgres(t), stage.Options{Bin: built, Sim: atlassiansim.Options{AccessTokenLife: 5 * time.Second, People: crowd(people)}})
	w.Sim.Open("ENG")
	f := &fatalities{world: w, want: kills, by: map[failpoint.Point]int{}, lost: map[string]bool{}}
	for i := range people {
		f.arrive(i)
	}
	began := time.Now()
	var going sync.WaitGroup
	for _, v := range w.Vaults {
		going.Go(func() { f.kill(v) })
	}
	for _, p := range f.people {
		for i := range p.pages {
			going.Go(func() { f.work(p, &p.pages[i]) })
		}
	}
	going.Wait()
	t.Logf("%d kills in %v, %d calls answered, %d of them with an error, and %d given up by shims that reached no vault for too long",
		f.killed.Load(), time.Since(began).Round(time.Second), f.answered.Load(), f.failed.Load(), len(f.lost))
	for _, p := range slices.Sorted(maps.Keys(f.by)) {
		t.Logf("%6d %s", f.by[p], p)
	}
	if f.failed.Load() > f.answered.Load()/100 {
		t.Errorf("%d of %d calls failed", f.failed.Load(), f.answered.Load())
	}
	if len(f.lost) > int(f.answered.Load()/10) {
		t.Errorf("%d of %d calls were given up", len(f.lost), f.answered.Load())
	}
	f.check()
}

// fatalities is the test while it runs.
type fatalities struct {
	*world
	want     int64
	killed   atomic.Int64
	turn     atomic.Int64
	calls    atomic.Int64
	answered atomic.Int64
	failed   atomic.Int64
	people   []*victim

	mu   sync.Mutex
	by   map[failpoint.Point]int // guarded by mu
	lost map[string]bool         // guarded by mu: calls that no vault answered; their shim gave them up
}

// victim is a person with a shim and some pages.
type victim struct {
	name  string
	shim  *rawClient
	pages []atlassiansim.Page
}

func (f *fatalities) over() bool { return f.killed.Load() >= f.want }

// arrive signs a person in, while nobody is killed yet.
func (f *fatalities) arrive(i int) {
	f.t.Helper()
	p := &victim{name: crowd(i + 1)[i].Name, pages: f.Sim.CreatePages("ENG", 2)}
	p.shim = startRaw(f.t, f.laptop(p.name).Shim(context.WithoutCancel(f.t.Context())))
	p.shim.initialize("2025-11-25")
	answer := make(chan string, 1)
	go func() {
		text, failed, err := p.shim.tool(`"first"`, "confluence_list_spaces", nil)
		if failed || err != nil {
			f.t.Errorf("the first call of %s: %q, %v", p.name, text, err)
		}
		answer <- text
	}()
	f.consent(i+1, p.name, true)
	within(f.t, answer, time.Minute)
	f.people = append(f.people, p)
}

// kill lets v die at one point after the other, and starts it again.
func (f *fatalities) kill(v *stage.Vault) {
	_ = v.Kill()
	for !f.over() {
		point, times := points[int(f.turn.Add(1))%len(points)], 1+rand.IntN(3)
		if strings.HasPrefix(string(point), "refresh") {
			times = 1 // there are not many
		}
		if err := v.Start(f.t.Context(), fmt.Sprintf("COATCHECK_FAILPOINT=%s@%d", point, times)); err != nil {
			select {
			case <-v.Ended(): // it died before it was ready, of calls that waited for it
			default:
				f.t.Error(err)
				return
			}
		}
		select {
		case <-v.Ended():
			f.killed.Add(1)
			f.mu.Lock()
			f.by[point]++
			f.mu.Unlock()
		case <-time.After(15 * time.Second): // nobody came by
		}
		_ = v.Kill()
	}
	if err := v.Start(f.t.Context()); err != nil {
		f.t.Error(err)
	}
}

// work reads and writes a page, and creates others, until enough is killed. What
// is true is what Confluence says.
func (f *fatalities) work(p *victim, page *atlassiansim.Page) {
	for !f.over() && !f.t.Failed() {
		id := fmt.Sprint(f.calls.Add(1))
		body := "Written by call " + id
		tool, args, want := "confluence_get_page", map[string]any{"page": page.ID}, page.Title
		switch rand.IntN(3) {
		case 0:
			tool, want = "confluence_create_page", "Made by "+id
			args = map[string]any{"space": "ENG", "title": want, "body": body}
		case 1:
			tool, want = "confluence_update_page", fmt.Sprintf("updated to version %d", page.Version+1)
			args = map[string]any{"page": page.ID, "expected_version": page.Version, "body": body}
		}
		text, failed, err := p.shim.tool(id, tool, args)
		if err != nil {
			f.t.Errorf("call %s of %s: %v", id, p.name, err)
			return
		}
		f.answered.Add(1)
		switch {
		case failed:
			if strings.HasPrefix(text, "The connection to the vault was lost while this ran") {
				f.mu.Lock()
				f.lost[id] = true
				f.mu.Unlock()
				break
			}
			f.failed.Add(1)
			f.t.Logf("call %s, %s: %.200s", id, tool, text)
		case !strings.Contains(text, want):
			f.t.Errorf("call %s, %s: answered with something else: %.300s", id, tool, text)
		}
		f.compare(page, id, tool, failed)
		time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
	}
}

// compare holds what was answered against Confluence.
func (f *fatalities) compare(page *atlassiansim.Page, id, tool string, failed bool) {
	switch tool {
	case "confluence_create_page":
		if n := f.Sim.CountPages("ENG", "Made by "+id); n > 1 || n == 0 && !failed {
			f.t.Errorf("%d pages were made by call %s", n, id)
		}
	case "confluence_update_page":
		now, _ := f.Sim.PageByID(page.ID)
		if now.Version > page.Version+1 || now.Version == page.Version && !failed {
			f.t.Errorf("call %s brought page %s from version %d to %d", id, page.ID, page.Version, now.Version)
		}
		page.Version = now.Version
	}
}

// check wants everybody still signed in, everything answered once, and all that
// was answered on record.
func (f *fatalities) check() {
	for _, p := range f.people {
		text, failed, err := p.shim.tool(`"last"`, "confluence_list_spaces", nil)
		if failed || err != nil {
			f.t.Errorf("%s has lost the grant: %q, %v", p.name, text, err)
		}
		p.shim.once()
	}
	if opened, _ := f.Opened(); len(opened) != len(f.people) {
		f.t.Errorf("%d tabs were opened for %d people", len(opened), len(f.people))
	}
	if out := f.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		f.t.Errorf("audit: %s", out)
	}
	onRecord := map[string]bool{}
	for line := range strings.Lines(f.vault("audit", "export")) {
		var record struct{ Body string }
		var entry struct{ Call string }
		if json.Unmarshal([]byte(line), &record) != nil || json.Unmarshal([]byte(record.Body), &entry) != nil {
			continue // what was said besides
		}
		onRecord[entry.Call] = true
	}
	for id := range f.calls.Load() {
		if id++; !onRecord[fmt.Sprint(id)] && !f.lost[fmt.Sprint(id)] {
			f.t.Errorf("call %d was answered and is not on record", id)
		}
	}
}
