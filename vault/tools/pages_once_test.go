package tools_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// managed is a call of confluence_manage_page, on a page below another.
func managed(action string, more object, want func(r *rig, child, parent string) error) write {
	var child, parent string
	return write{
		"confluence_manage_page",
		func(r *rig) object {
			parent = r.put("ada", "ENG", "Parent", "<p>p</p>")
			child = r.put("ada", "ENG", "Child", "<p>c</p>")
			arguments := object{"page": child, "action": action}
			for name, value := range more {
				if arguments[name] = value; value == "PARENT" {
					arguments[name] = parent
				}
			}
			switch action {
			case "trash":
				_, token, _ := strings.Cut(r.connect().call("confluence_manage_page", arguments).text(), "\nconfirm: ")
				arguments["confirm"] = strings.TrimSpace(token)
			case "restore":
				token, _ := r.sim.MintToken("ada", allScopes())
				r.direct("DELETE", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+child, token, nil)
			}
			return arguments
		},
		func(r *rig) error { return want(r, child, parent) },
	}
}

// status checks what became of the page, and that it is at a version.
func status(want string, version int) func(*rig, string, string) error {
	return func(r *rig, child, _ string) error {
		if page, _ := r.sim.PageByID(child); page.Status != want || page.Version != version {
			return fmt.Errorf("the page is %s at version %d", page.Status, page.Version)
		}
		return nil
	}
}

func arrangements() map[string]write {
	return map[string]write{
		"edit": {
			"confluence_edit_page",
			func(r *rig) object {
				return object{"page": r.put("ada", "ENG", "Plan", "<p>first</p>"), "expected_version": 1, "operation": "append", "body": "second"}
			},
			func(r *rig) error {
				if page, _ := r.sim.PageByTitle("ENG", "Plan"); page.Version != 2 || page.Body != "<p>first</p><p>second</p>" {
					return fmt.Errorf("the page is at version %d: %s", page.Version, page.Body)
				}
				return nil
			},
		},
		"rename":  managed("rename", object{"title": "Kid", "expected_version": 1}, status("current", 2)),
		"trash":   managed("trash", nil, status("trashed", 1)),
		"restore": managed("restore", nil, status("current", 1)),
		"archive": managed("archive", nil, status("archived", 1)),
		"move":    managed("move", object{"target": "PARENT"}, status("current", 1)),
		"copy": managed("copy", object{"target": "PARENT"}, func(r *rig, _, _ string) error {
			if n := r.sim.CountPages("ENG", "Copy of Child"); n != 1 {
				return fmt.Errorf("%d copies", n)
			}
			return nil
		}),
	}
}

// What arranges pages is done once as well, wherever the vault is killed.
func TestKilledAnywhereArrangesOnce(t *testing.T) {
	for name, w := range arrangements() {
		t.Run(name, func(t *testing.T) {
			killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) { check(t, r, w, a, points) })
		})
	}
}

// A tree is copied at most once, and where nobody can tell it is said so.
func TestATreeIsNeverCopiedTwice(t *testing.T) {
	w := managed("copy_tree", object{"target": "98306", "title": "New "}, nil)
	killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
		atMostOnce(t, "copies", r.sim.CountPages("ENG", "New Child"), a, points)
	})
}
