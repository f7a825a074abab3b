package tools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The vault is killed anywhere in a write that names a version, and before the
// call is sent again somebody changes the page: what may have been done is not
// said to be not done, and nothing is done that was agreed to for what was there
// before.
func TestAChangeMeanwhileLeavesTheOutcomeOpen(t *testing.T) {
	for name, more := range map[string]object{
		"move":  {"target": "PARENT", "expected_version": 1},
		"copy":  {"target": "PARENT", "expected_version": 1, "title": "Twin"},
		"trash": {},
	} {
		w := managed(name, more, nil)
		for i, last := 0, false; !last; i++ {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, atlassiansim.Options{NoJournal: true})
				arguments := w.arguments(r)
				call, points := r.killed(w, arguments, i)
				last = len(points) <= i
				child := fmt.Sprint(arguments["page"])
				begun := r.sent("PUT")+r.sent("POST")+r.sent("DELETE") > 0
				trashed, _ := r.sim.PageByID(child)
				if trashed.Status == "current" {
					r.put("ben", "ENG", "Child", "<p>d</p>")
				}
				sent := r.sent("DELETE")
				a := r.again(call, w, arguments)
				if begun && strings.Contains(a.text(), "nothing was done") {
					t.Errorf("%s, killed at %q: %s", name, points, a.text())
				}
				if trashed.Status == "current" && r.sent("DELETE") > sent {
					t.Errorf("%s, killed at %q: what nobody agreed to was deleted: %s", name, points, a.text())
				}
			})
		}
	}
}

// A draft that the person published in the browser, as it was, is not what the
// call would have published.
func TestADraftPublishedElsewhere(t *testing.T) {
	w := write{tool: "confluence_update_page"}
	for i, last := 0, false; !last; i++ {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, atlassiansim.Options{NoJournal: true})
			base := "/ex/confluence/" + r.sites[0].CloudID + "/wiki/api/v2/pages"
			token, _ := r.sim.MintToken("ada", allScopes())
			var made struct{ ID string }
			draft := fmt.Sprintf(`{"spaceId":%q,"status":"draft","title":"Idea","body":{"representation":"storage","value":"<p>first</p>"}}`, r.spaceID(token, "ENG"))
			if w := r.direct("POST", base, token, []byte(draft)); json.Unmarshal(w.Body.Bytes(), &made) != nil || made.ID == "" {
				t.Fatal(w.Code, w.Body)
			}
			id := made.ID
			arguments := object{"page": id, "expected_version": 1, "body": "second", "publish": true}
			call, points := r.killed(w, arguments, i)
			last = len(points) <= i
			if page, _ := r.sim.PageByID(id); page.Status == "draft" {
				body := fmt.Sprintf(`{"id":%q,"status":"current","title":"Idea","body":{"representation":"storage","value":"<p>first</p>"},"version":{"number":1}}`, id)
				if w := r.direct("PUT", base+"/"+id, token, []byte(body)); w.Code >= 300 {
					t.Fatal(w.Code, w.Body)
				}
			}
			a := r.again(call, w, arguments)
			if page, _ := r.sim.PageByID(id); !a.IsError && !strings.Contains(page.Body, "second") {
				t.Errorf("killed at %q: %s, and the page says %s", points, a.text(), page.Body)
			}
		})
	}
}
