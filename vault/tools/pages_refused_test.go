package tools_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// A dry run of whatever writes, writes nothing, and tells what would be.
func TestDryRunsWriteNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		parent, id := r.put("ada", "ENG", "Parent", "<p>p</p>"), r.put("ada", "ENG", "Child", "<p>c</p>")
		r.put("ada", "ENG", "Child", "<p>d</p>")
		c := r.connect()
		for _, call := range []struct {
			tool      string
			arguments object
			want      string
		}{
			{"confluence_create_page", object{"space": "ENG", "title": "New", "body": "text"}, "+ text"},
			{"confluence_create_page", object{"space": "ENG", "title": "Child", "body": "text"}, "would not be"},
			{"confluence_update_page", object{"page": id, "expected_version": 2, "body": "text", "title": "T"}, `Title: "Child" becomes "T"`},
			{"confluence_edit_page", object{"page": id, "expected_version": 2, "operation": "append", "body": "text"}, "+ text"},
			{"confluence_edit_page", object{"page": id, "expected_version": 2, "operation": "replace_text", "find": "d", "body": "d"}, "The body stays as it is"},
			{"confluence_manage_page", object{"page": id, "action": "move", "target": parent}, "would move"},
			{"confluence_manage_page", object{"page": id, "action": "copy", "target": parent}, `as "Copy of Child"`},
			{"confluence_manage_page", object{"page": id, "action": "copy_tree", "target": parent}, `begin with "Copy of "`},
			{"confluence_manage_page", object{"page": id, "action": "rename", "title": "Kid", "expected_version": 2}, `becomes "Kid"`},
			{"confluence_manage_page", object{"page": id, "action": "restore_version", "version": 1, "expected_version": 2}, "+ c"},
			{"confluence_manage_page", object{"page": id, "action": "archive"}, "would archive"},
			{"confluence_manage_page", object{"page": id, "action": "trash"}, "would trash"},
		} {
			before := len(r.requests)
			call.arguments["dry_run"] = true
			a := c.call(call.tool, call.arguments)
			if a.IsError || !strings.Contains(a.text(), call.want) || !strings.Contains(a.text(), "Nothing was") {
				t.Errorf("%s %v: %s", call.tool, call.arguments, a.text())
			}
			for _, request := range r.requests[before:] {
				if !strings.HasPrefix(request, "GET ") {
					t.Errorf("%s %v: %s", call.tool, call.arguments, request)
				}
			}
		}
	})
}

// A dry run of what would be refused is refused as well, or says that it would be.
func TestDryRunsOfWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		parent := r.put("ada", "ENG", "Parent", "<p>p</p>")
		r.put("ada", "ENG", "Taken", "<p>t</p>")
		c := r.connect()
		made := func(arguments object) string {
			arguments["space"], arguments["body"] = "ENG", "text"
			return c.call("confluence_create_page", arguments).field("id")
		}
		below := made(object{"title": "Below", "parent": parent})
		kinds := map[string]string{
			"parent": parent, "child": below, "draft": made(object{"title": "Draft", "draft": true}), "namesake": made(object{"title": "Taken", "draft": true}),
			"post": made(object{"title": "Post", "type": "blogpost"}), "archived": made(object{"title": "Old"}), "trashed": made(object{"title": "Gone"}),
		}
		c.call("confluence_manage_page", object{"page": kinds["archived"], "action": "archive"})
		token, _ := r.sim.MintToken("ada", allScopes())
		if w := r.direct("DELETE", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+kinds["trashed"], token, nil); w.Code != 204 {
			t.Fatalf("DELETE: %d %s", w.Code, w.Body)
		}
		refused := 0
		for kind, id := range kinds {
			for _, call := range []object{
				{"action": "move", "target": below}, {"action": "move", "target": parent, "position": "before"}, {"action": "copy", "target": below, "title": "Taken"},
				{"action": "copy_tree", "target": below}, {"action": "rename", "title": "Taken", "expected_version": 1}, {"action": "publish", "expected_version": 1},
				{"action": "restore"}, {"action": "restore_version", "version": 1, "expected_version": 1},
			} {
				call["page"], call["dry_run"] = id, true
				dry := c.call("confluence_manage_page", call)
				if !dry.IsError && !strings.Contains(dry.text(), "would be refused") {
					continue // what would be done is tested elsewhere
				}
				refused++
				delete(call, "dry_run")
				if a := c.call("confluence_manage_page", call); !a.IsError {
					t.Errorf("%s %v: dry %s\nbut %s", kind, call, dry.text(), a.text())
				}
			}
		}
		if refused < 45 {
			t.Errorf("only %d were refused", refused)
		}
	})
}

// An argument that means nothing to what is asked for is refused, not ignored, and
// so is a dry run of what would be.
func TestArgumentsThatMeanNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		parent, id := r.put("ada", "ENG", "Parent", "<p>p</p>"), r.put("ada", "ENG", "Child", "<h2>One</h2><p>c</p>")
		c := r.connect()
		for _, call := range []struct {
			tool      string
			arguments object
			want      string
		}{
			{"confluence_manage_page", object{"action": "copy", "target": parent, "version": 1}, `"version" means nothing for copy`},
			{"confluence_manage_page", object{"action": "archive", "message": "old"}, `"message" means nothing for archive`},
			{"confluence_manage_page", object{"action": "move", "target": parent, "confirm": "x"}, `"confirm" means nothing for move`},
			{"confluence_manage_page", object{"action": "purge", "dry_run": true}, "The page is current, not trashed"},
			{"confluence_edit_page", object{"operation": "replace_text", "section": "one", "find": "c", "body": "d", "expected_version": 1}, "The section is not named, or must not be"},
		} {
			call.arguments["page"] = id
			if a := c.call(call.tool, call.arguments); !a.IsError || !strings.Contains(a.text(), call.want) || r.sent("PUT")+r.sent("POST")+r.sent("DELETE") != 0 {
				t.Errorf("%s %v: %s", call.tool, call.arguments, a.text())
			}
		}
	})
}

// A text that is replaced may stand partly in what somebody has commented on:
// that the comment would have no place any more is said.
func TestReplacedTextKeepsAnchors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Doc", `<p>The <ac:inline-comment-marker ac:ref="c1">TTL</ac:inline-comment-marker> is 1 h</p>`)
		c := r.connect()
		edit := object{"page": id, "expected_version": 1, "operation": "replace_text", "find": "The TTL is 1 h", "body": "It lives long"}
		if a := c.call("confluence_edit_page", edit); !a.IsError || !strings.Contains(a.text(), "inline comment on “TTL”") || r.sent("PUT") != 0 {
			t.Errorf("%s", a.text())
		}
		edit["body"] = "The TTL is 2 h"
		if a := c.call("confluence_edit_page", edit); a.IsError {
			t.Errorf("%s", a.text())
		}
	})
}

// What Confluence would not take is refused before it is asked.
func TestTooLargeBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{NoJournal: true})
		id := r.put("ada", "ENG", "Half", "<p>"+strings.Repeat("x", 3<<20)+"</p>")
		c := r.connect()
		half, whole := strings.Repeat("y", 3<<20), strings.Repeat("z", 5<<20)
		for _, call := range []struct {
			tool      string
			arguments object
		}{
			{"confluence_create_page", object{"space": "ENG", "title": "New", "body": whole}},
			{"confluence_update_page", object{"page": id, "expected_version": 1, "body": whole}},
			{"confluence_edit_page", object{"page": id, "expected_version": 1, "operation": "append", "body": half}},
			{"confluence_edit_page", object{"page": id, "expected_version": 1, "operation": "append", "body": whole}},
		} {
			a := c.call(call.tool, call.arguments)
			if !a.IsError || !strings.Contains(a.text(), "larger than the 5 MB") || r.sent("PUT")+r.sent("POST") != 0 {
				t.Errorf("%s: %.300s", call.tool, a.text())
			}
		}
		if page, _ := r.sim.PageByID(id); page.Version != 1 {
			t.Errorf("the page is at version %d", page.Version)
		}
	})
}
