package tools_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// TestWhatWasReadInVainProvesNothing: another vault took the call over and is at
// it while this one, which was slow, reads what it needs. That all is as before
// does not say that nothing is under way.
func TestWhatWasReadInVainProvesNothing(t *testing.T) {
	for name, w := range map[string]write{
		"a property": {"confluence_set_property", func(r *rig) object {
			r.offered("properties")
			page := r.put("ada", "ENG", "Marked", "<p>x</p>")
			token, _ := r.sim.MintToken("ada", allScopes())
			r.direct("POST", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+page+"/properties", token, []byte(`{"key":"k","value":1}`))
			return object{"page": page, "key": "k", "value": 2}
		}, nil},
		"a file": {"confluence_upload_attachment", func(r *rig) object {
			r.computer = &disk{files: map[string][]byte{"/w/new.txt": []byte("new")}}
			return object{"page": r.put("ada", "ENG", "Files", "<p>x</p>"), "path": "/w/new.txt"}
		}, nil},
		"a comment": {"confluence_comment", func(r *rig) object {
			return object{"action": "create", "page": r.put("ada", "ENG", "Talk", "<p>x</p>"), "body": "Hello"}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, atlassiansim.Options{NoJournal: true})
				arguments := w.arguments(r)
				call := ""
				for n := 0; call == ""; n++ {
					r.start()
					if id, points := r.killed(w, arguments, n); points[len(points)-1] == "journal started" {
						call = id
					}
				}
				r.journal.mu.Lock()
				for key, e := range r.journal.all {
					e.Started = time.Now().Add(time.Second) // by the other vault's clock
					r.journal.all[key] = e
				}
				entries := len(r.journal.all)
				r.journal.mu.Unlock()
				r.start()
				c := r.connect()
				r.requests = nil
				r.hook = func(point string) {
					if point == "journal start" {
						time.Sleep(time.Millisecond) // until all that can be read is read
					}
				}
				if _, err := fmt.Sscan(call, &c.next); err != nil {
					t.Fatal(err)
				}
				c.next--
				a := c.call(w.tool, arguments)
				if !a.IsError || !strings.Contains(a.text(), "not known") {
					t.Errorf("it says %s", a.text())
				}
				for _, request := range r.requests {
					if !strings.HasPrefix(request, "GET ") {
						t.Errorf("it sent %s", request)
					}
				}
				if len(r.requests) == 0 || len(r.journal.all) != entries {
					t.Errorf("%d requests, %d in the journal", len(r.requests), len(r.journal.all))
				}
			})
		})
	}
}
