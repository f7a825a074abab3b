package e2e_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

// TestManyDevicesSoak lets people with several devices each work at three
// vaults, with tokens that live five seconds: each refresh token is used once,
// no call fails, and access that is taken away from all of them ends every
// stream at once.
func TestManyDevicesSoak(t *testing.T) {
	t.Parallel()
	people, devices, works := 3, 2, 12*time.Second
	if soak() {
		people, devices, works = 10, 5, 5*time.Minute
	}
	const life = 5 * time.Second
	w := newReplicas(t, newPostgres(t), stage.Options{Sim: atlassiansim.Options{AccessTokenLife: life, People: crowd(people)}})
	var all []*mcp.ClientSession
	for person := range people {
		for device := range devices {
			session := w.connect(w.laptop(fmt.Sprintf("%d-%d", person, device)), nil)
			w.signIn(session, crowd(people)[person].Name)
			all = append(all, session)
		}
	}
	// Another device's consent takes the place of the first one's grant, so only
	// what comes from here on is one token after the other.
	before := len(w.Sim.TokenRequests())
	var calls atomic.Int64
	var workers sync.WaitGroup
	for end, i := time.Now().Add(works), 0; i < len(all); i++ {
		workers.Go(func() {
			for time.Now().Before(end) {
				if text, err := call(t.Context(), all[i], "confluence_list_spaces", nil); err != nil {
					t.Errorf("call of device %d: %q, %v", i, text, err)
					return
				}
				calls.Add(1)
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	workers.Wait()
	refreshes := w.refreshedOnce(before)
	expiries := people * int(works/life)
	if refreshes < expiries-people || refreshes > 2*expiries+people {
		t.Errorf("%d refreshes for some %d expiries", refreshes, expiries)
	}
	if out := w.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		t.Errorf("audit: %s", out)
	}
	began := time.Now()
	w.vault("revoke", "--everything", "--yes")
	revoked := time.Since(began)
	w.allClosed(len(all))
	t.Logf("%d calls, %d refreshes; revoked in %v, all streams closed after %v", calls.Load(), refreshes, revoked.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// crowd are people who may read everything that everybody may.
func crowd(n int) []atlassiansim.Person {
	all := make([]atlassiansim.Person, n)
	for i := range all {
		all[i] = atlassiansim.Person{Name: fmt.Sprintf("p%d", i), DisplayName: fmt.Sprintf("Person %d", i)}
	}
	return all
}

var refreshToken = regexp.MustCompile(`"?refresh_token"?\s*[:=]\s*"?([^"&]+)`)

// refreshedOnce counts the refreshes since before; each must have used a token
// that nobody else used, and have been answered.
func (w *world) refreshedOnce(before int) int {
	w.t.Helper()
	used, count := map[string]bool{}, 0
	for _, r := range w.Sim.TokenRequests()[before:] {
		match := refreshToken.FindStringSubmatch(strings.ReplaceAll(r.Body, `"grant_type":"refresh_token"`, ""))
		if match == nil {
			w.t.Errorf("a request to the token endpoint without a refresh token")
			continue
		}
		if used[match[1]] || r.Status != http.StatusOK {
			w.t.Errorf("a refresh token was used twice, or refused: status %d", r.Status)
		}
		used[match[1]] = true
		count++
	}
	return count
}

// allClosed waits until the vaults have closed as many streams as there were,
// which takes a second unless the machine is busy.
func (w *world) allClosed(streams int) {
	w.t.Helper()
	for end := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		closed := 0
		for _, v := range w.Vaults {
			closed += v.Said("stream closed")
		}
		if closed == streams {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("%d streams were closed, of %d", closed, streams)
		}
	}
}
