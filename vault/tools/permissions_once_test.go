package tools_test

import (
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// Restrictions that were changed and cannot be looked at for a moment are not
// called a failure.
func TestRestrictionsThatCannotBeLookedAtAfterwards(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	r.offered("permissions")
	page := r.put("ada", "ENG", "Marked", "<p>x</p>")
	r.hook = func(point string) {
		if point == "answered PUT" {
			r.sim.Fail(1, atlassiansim.Fault{Method: "GET", Path: "/restriction", Status: 404})
		}
	}
	a := r.connect().call("confluence_set_restrictions", object{"page": page, "update_add": []string{"me"}})
	if a.IsError || r.sent("PUT") != 1 {
		t.Errorf("after %d changes: %s", r.sent("PUT"), a.text())
	}
}
