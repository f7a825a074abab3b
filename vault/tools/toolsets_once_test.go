package tools_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// offered has the rig offer toolsets, with what they need.
func (r *rig) offered(toolsets ...string) {
	r.toolsets, r.scopes, r.token = toolsets, append(allScopes(), toolsetScopes()...), map[string]string{}
	r.start()
}

// told is the text of another call, which must have words in it.
func told(r *rig, tool string, arguments object, words string) error {
	if a := r.connect().call(tool, arguments); a.IsError || !strings.Contains(a.text(), words) {
		return fmt.Errorf("%s says %s", tool, a.text())
	}
	return nil
}

// marks are writes of the toolsets that end in a known state.
func marks() map[string]write {
	page, me := "", ""
	on := func(toolset, body string) func(r *rig) {
		return func(r *rig) {
			r.offered(toolset)
			page = r.put("ada", "ENG", "Marked", body)
			p, _ := r.sim.Person("ada")
			me = p.AccountID
		}
	}
	return map[string]write{
		"task": {
			"confluence_set_task",
			func(r *rig) object {
				on("tasks", `<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>x</ac:task-body></ac:task></ac:task-list>`)(r)
				return object{"task": page + "001"}
			},
			func(r *rig) error {
				return told(r, "confluence_get_tasks", object{"page": page, "status": "complete"}, "[x] x")
			},
		},
		"new property": {
			"confluence_set_property",
			func(r *rig) object {
				on("properties", "<p>x</p>")(r)
				return object{"page": page, "key": "k", "value": object{"a": 1}}
			},
			func(r *rig) error {
				return told(r, "confluence_get_properties", object{"page": page}, `k (version 1): {"a":1}`)
			},
		},
		"next property": {
			"confluence_set_property",
			func(r *rig) object {
				on("properties", "<p>x</p>")(r)
				token, _ := r.sim.MintToken("ada", allScopes())
				r.direct("POST", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+page+"/properties", token, []byte(`{"key":"k","value":1}`))
				return object{"page": page, "key": "k", "value": 2, "expected_version": 1}
			},
			func(r *rig) error {
				return told(r, "confluence_get_properties", object{"page": page}, `k (version 2): 2`)
			},
		},
		"restrictions": {
			"confluence_set_restrictions",
			func(r *rig) object {
				on("permissions", "<p>x</p>")(r)
				ben, _ := r.sim.Person("ben")
				return object{"page": page, "read_add": []string{ben.AccountID, "me"}, "update_add": []string{"me"}}
			},
			func(r *rig) error {
				if err := told(r, "confluence_get_restrictions", object{"page": page}, "Ben Okafor\n"); err != nil {
					return err
				}
				return told(r, "confluence_get_restrictions", object{"page": page}, "May update:\n- user:"+me+" Ada Berger")
			},
		},
		"status": {
			"confluence_react",
			func(r *rig) object {
				on("social", "<p>x</p>")(r)
				return object{"action": "status", "page": page, "value": "In progress"}
			},
			func(r *rig) error {
				if p, _ := r.sim.PageByTitle("ENG", "Marked"); p.Version != 2 {
					return fmt.Errorf("the page is at version %d", p.Version)
				}
				return told(r, "confluence_get_activity", object{"page": page, "include": []string{"look"}}, "Status: In progress")
			},
		},
	}
}

// What marks pages is done once, wherever the vault is killed.
func TestKilledAnywhereMarksOnce(t *testing.T) {
	for name, w := range marks() {
		t.Run(name, func(t *testing.T) {
			killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
				r.caller.Replayed = false
				if err := w.check(r); err != nil || a.IsError {
					t.Errorf("after %s:\n%v\n%s", strings.Join(points, ", "), err, a.text())
				}
			})
		})
	}
}

// A folder is made at most once, and where nobody can tell it is said so.
func TestAFolderIsNeverMadeTwice(t *testing.T) {
	page := ""
	w := write{tool: "confluence_create_content", arguments: func(r *rig) object {
		r.offered("content")
		page = r.put("ada", "ENG", "Above", "<p>x</p>")
		return object{"space": "ENG", "title": "Drawings", "parent": page}
	}}
	killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
		atMostOnce(t, "folders", r.sim.CountPages("ENG", "Drawings"), a, points)
	})
}

// What the toolsets show and change is never of a space that policy denies, by
// whatever name it is called.
func TestToolsetsKeepToPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		r.offered("all")
		page := r.put("esther", "LEGAL", "SECRET-TITLE", `<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status><ac:task-body>SECRET</ac:task-body></ac:task></ac:task-list>`)
		address := r.sim.SiteURL("acme") + "/wiki/spaces/LEGAL/pages/" + page + "/x"
		c := r.connect()
		for _, ref := range []string{page, " " + page + " ", address, "/wiki/pages/viewpage.action?pageId=" + page} {
			for tool, more := range map[string]object{
				"confluence_get_tasks": {}, "confluence_get_properties": {}, "confluence_set_property": {"key": "k", "value": 1},
				"confluence_get_restrictions": {"check": []string{"me"}}, "confluence_set_restrictions": {"read_add": []string{"me"}},
				"confluence_get_activity": {}, "confluence_react": {"action": "watch"}, "confluence_export": {"depth": 2},
			} {
				more["page"] = ref
				a := c.call(tool, more)
				if !a.IsError || strings.Contains(a.text(), "SECRET") || strings.Contains(strings.ReplaceAll(a.text(), ref, ""), "LEGAL") {
					t.Errorf("%s of %q answers %s", tool, ref, a.text())
				}
			}
		}
		for _, request := range r.requests {
			if method, _, _ := strings.Cut(request, " "); method != "GET" {
				t.Errorf("something was asked about it: %s", request)
			}
		}
	})
}
