package tools_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// An edit of the vault that was killed arrives while the next one looks whether it
// has, at any point: it is not said to be somebody else's.
func TestACommentIsEditedWhileThisIsFoundOut(t *testing.T) {
	for i, last := 0, false; !last; i++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, atlassiansim.Options{NoJournal: true})
			w := discussions()["edit"]
			arguments := w.arguments(r)
			token, _ := r.sim.MintToken("ada", allScopes())
			call := ""
			for n := 0; call == ""; n++ {
				r.start()
				id, points := r.killed(w, arguments, n)
				if points[len(points)-1] == "journal started" {
					call = id
				}
			}
			var mu sync.Mutex // a call may do two things at once
			var points []string
			r.hook = func(point string) {
				mu.Lock()
				defer mu.Unlock()
				if points = append(points, point); len(points)-1 != i {
					return
				}
				r.direct("PUT", fmt.Sprintf("/ex/confluence/%s/wiki/api/v2/footer-comments/%s", r.sites[0].CloudID, arguments["comment"]), token,
					[]byte(`{"version":{"number":2},"body":{"representation":"storage","value":"<p>after</p>"}}`))
			}
			a := r.again(call, w, arguments)
			r.hook = nil
			last = len(points) <= i
			if strings.Contains(a.text(), "nothing was written") {
				t.Errorf("it arrived at %q: %s", points[:i+1], a.text())
			}
			if err := w.check(r); err != nil {
				t.Error(err)
			}
		})
	}
}
