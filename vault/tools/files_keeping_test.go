package tools_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

const manage = "confluence_manage_page"

// withFile is a page with a file.
func (r *rig) withFile(name string) (page, id string) {
	r.t.Helper()
	page = r.put("ada", "ENG", "Page of "+name, "<p>x</p>")
	r.computer.(*disk).files["/w/"+name] = []byte("content of " + name)
	c := r.connect()
	c.next = 100 // other calls than those that the tests make
	a := c.call("confluence_upload_attachment", object{"page": page, "path": "/w/" + name, "comment": "first"})
	if a.IsError {
		r.t.Fatal(a.text())
	}
	return page, a.field("id")
}

func (r *rig) file(page, id string) (atlassiansim.File, bool) {
	all := r.sim.Files(page)
	i := slices.IndexFunc(all, func(f atlassiansim.File) bool { return f.ID == id })
	if i < 0 {
		return atlassiansim.File{}, false
	}
	return all[i], true
}

func TestFilesAreRenamedAndDeleted(t *testing.T) {
	spec, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	c, d := withDisk(t, atlassiansim.Options{Record: func(e atlassiansim.Exchange) {
		if strings.Contains(e.Request.URL.Path, "/child/attachment/att") {
			for _, p := range spec.CheckExchange(e.Request, e.Body, e.Status, e.Answer) {
				// It is in another schema of the same body (AttachmentUpdate).
				if !strings.Contains(p.Error(), "metadata: has comment") {
					t.Errorf("%s: %v", e.Request.URL, p)
				}
			}
		}
	}})
	page, id := c.r.withFile("plan.txt")
	c.r.put("ada", "ENG", "Page of plan.txt", `<p>See <ac:link><ri:attachment ri:filename="plan.txt" /></ac:link></p>`)
	d.files["/w/other.txt"] = []byte("other")
	c.call("confluence_upload_attachment", object{"page": page, "path": "/w/other.txt"})

	for name, tt := range map[string]struct {
		args object
		says string
	}{
		"no new name":      {object{"action": "rename", "file": id}, `"title" is missing`},
		"a name taken":     {object{"action": "rename", "file": id, "title": "other.txt"}, "has a file other.txt already"},
		"another version":  {object{"action": "rename", "file": id, "title": "x.txt", "expected_version": 2}, "at version 1, not 2"},
		"no such file":     {object{"action": "rename", "file": "none.txt", "title": "x.txt"}, "no file none.txt"},
		"a long comment":   {object{"action": "rename", "file": id, "message": strings.Repeat("x", 501)}, `"message"`},
		"another action":   {object{"action": "move", "file": id, "target": "1"}, `"file" means nothing for move`},
		"a target":         {object{"action": "trash", "file": id, "target": "1"}, `"target" means nothing for trash`},
		"no yes":           {object{"action": "trash", "file": id}, `"plan.txt" (` + id + `, version 1, 19 bytes) of the page "Page of plan.txt", which the text of the page shows or links to, in space ENG`},
		"a yes to another": {object{"action": "trash", "file": id, "confirm": "WyJx"}, "cannot be used"},
	} {
		tt.args["page"] = page
		if a := c.call(manage, tt.args); !a.IsError || !strings.Contains(a.text(), tt.says) {
			t.Errorf("%s: %s", name, a.text())
		}
	}
	for _, args := range []object{
		{"page": page, "action": "rename", "file": "plan.txt", "title": "x.txt", "message": "y", "dry_run": true},
		{"page": page, "action": "trash", "file": "plan.txt", "dry_run": true},
	} {
		if a := c.call(manage, args); a.IsError || !strings.Contains(a.text(), "Nothing was done") {
			t.Errorf("a dry run: %s", a.text())
		}
	}
	if f, ok := c.r.file(page, id); !ok || f.Name != "plan.txt" || f.Comment != "first" || c.r.sent("DELETE")+c.r.sent("PUT") > 0 {
		t.Fatalf("something was done: %+v", f)
	}

	if a := c.call(manage, object{"page": page, "action": "rename", "file": "plan.txt", "title": "../Plan 2.txt", "message": "better"}); a.IsError || a.field("title") != "Plan 2.txt" || !strings.Contains(a.text(), "look whether it still does") {
		t.Errorf("a new name: %s", a.text())
	}
	if a := c.call(manage, object{"page": page, "action": "rename", "file": id, "message": "best"}); a.IsError || a.field("title") != "Plan 2.txt" {
		t.Errorf("a new comment: %s", a.text())
	}
	if f, _ := c.r.file(page, id); f.Name != "Plan 2.txt" || f.Comment != "best" || f.Version != 1 {
		t.Errorf("there is %+v", f)
	}
	c.r.sim.Fail(1, atlassiansim.Fault{Method: "PUT", Status: 409})
	if a := c.call(manage, object{"page": page, "action": "rename", "file": id, "message": "counted the other way"}); a.IsError {
		t.Errorf("a version that is counted from the next one: %s", a.text())
	}
	c.r.sim.Fail(2, atlassiansim.Fault{Method: "PUT", Status: 409})
	if a := c.call(manage, object{"page": page, "action": "rename", "file": id, "message": "never"}); !a.IsError || !strings.Contains(a.text(), "not at version 1 any more") {
		t.Errorf("a conflict: %s", a.text())
	}
	c.r.rule(policy.Rules{Attachments: policy.Attachments{DeniedTypes: []string{".exe"}}})
	if a := c.call(manage, object{"page": page, "action": "rename", "file": id, "title": "plan.exe"}); !a.IsError || !strings.Contains(a.text(), "denied by policy") {
		t.Errorf("a kind that is denied: %s", a.text())
	}

	trash := object{"page": page, "action": "trash", "file": id}
	_, token, _ := strings.Cut(c.call(manage, trash).text(), "\nconfirm: ")
	trash["confirm"] = strings.TrimSpace(token)
	d.files["/w/Plan 2.txt"] = []byte("newer")
	c.call("confluence_upload_attachment", object{"page": page, "path": "/w/Plan 2.txt", "new_version": true})
	if a := c.call(manage, trash); !a.IsError || !strings.Contains(a.text(), "changed since it was confirmed") || c.r.sent("DELETE") > 0 {
		t.Errorf("a yes to a former version: %s", a.text())
	}
	delete(trash, "confirm")
	_, token, _ = strings.Cut(c.call(manage, trash).text(), "\nconfirm: ")
	trash["confirm"] = strings.TrimSpace(token)
	if a := c.call(manage, trash); a.IsError || a.field("status") != "trashed" || len(c.r.sim.Files(page)) != 1 {
		t.Errorf("the deletion: %s; there is %+v", a.text(), c.r.sim.Files(page))
	}
	if a := c.call("confluence_get_attachment", object{"page": page, "file": id}); !a.IsError {
		t.Errorf("a file that was deleted: %s", a.text())
	}
}

// kept is a call of confluence_manage_page on a file.
func kept(action string, byID bool, want func(f atlassiansim.File, there bool) bool) write {
	var page, id string
	return write{
		manage,
		func(r *rig) object {
			r.computer = &disk{files: map[string][]byte{}}
			r.start()
			page, id = r.withFile("plan.txt")
			arguments := object{"page": page, "action": action, "file": "plan.txt"}
			if byID {
				arguments["file"] = id
			}
			if action == "rename" {
				arguments["title"], arguments["message"] = "new.txt", "why"
				return arguments
			}
			c := r.connect()
			c.next = 200
			_, token, _ := strings.Cut(c.call(manage, arguments).text(), "\nconfirm: ")
			arguments["confirm"] = strings.TrimSpace(token)
			return arguments
		},
		func(r *rig) error {
			f, there := r.file(page, id)
			if len(r.sim.Files(page)) > 1 || !want(f, there) {
				return fmt.Errorf("there is %+v", r.sim.Files(page))
			}
			return nil
		},
	}
}

// What is done to files is done once, wherever the vault is killed.
func TestKilledAnywhereKeepsFilesOnce(t *testing.T) {
	renamed := func(f atlassiansim.File, there bool) bool {
		return there && f.Name == "new.txt" && f.Comment == "why" && f.Version == 1
	}
	gone := func(_ atlassiansim.File, there bool) bool { return !there }
	for name, w := range map[string]write{
		"rename by id": kept("rename", true, renamed), "rename by name": kept("rename", false, renamed),
		"trash by id": kept("trash", true, gone), "trash by name": kept("trash", false, gone),
	} {
		t.Run(name, func(t *testing.T) {
			killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) { check(t, r, w, a, points) })
		})
	}
}
