package tools_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// rule puts rules about files in force, as a change of the settings does.
func (r *rig) rule(rules policy.Rules) {
	r.t.Helper()
	rules.Access.DeniedSpaces = []string{"LEGAL"}
	var err error
	if r.policy, err = policy.New(rules); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) onRecord() audit.Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.audited[len(r.audited)-1]
}

// TestRulesAboutFiles: kinds and sizes that the company does not want go neither
// up nor down, and are not seen.
func TestRulesAboutFiles(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	page := c.r.sim.AnyPage("ENG")
	d.files["/w/setup.exe"], d.files["/w/notes.txt"] = []byte("MZ"), []byte("hello")
	d.files["/w/large.txt"] = bytes.Repeat([]byte("0123456789abcdef"), 100_000)
	up := func(path string, more ...any) answer {
		t.Helper()
		args := object{"page": page.ID, "path": path}
		for i := 0; i+1 < len(more); i += 2 {
			args[more[i].(string)] = more[i+1]
		}
		return c.call("confluence_upload_attachment", args)
	}
	for _, path := range []string{"/w/setup.exe", "/w/notes.txt"} {
		if a := up(path); a.IsError {
			t.Fatal(a.text())
		}
	}
	up("/w/large.txt", "name", "once.txt")
	d.files["/w/small.txt"] = []byte("small now")
	up("/w/small.txt", "name", "once.txt", "new_version", true)
	c.r.rule(policy.Rules{Attachments: policy.Attachments{DeniedTypes: []string{".exe", "image/svg+xml"}, MaxMiB: 1}})

	if list := c.call("confluence_get_attachment", object{"page": page.ID}); strings.Contains(list.text(), "setup.exe") || !strings.Contains(list.text(), "notes.txt") || !strings.Contains(list.text(), "once.txt") {
		t.Errorf("the list: %s", list.text())
	}
	svg := "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte("<svg xmlns='http://www.w3.org/2000/svg'/>"))
	exe := slices.IndexFunc(c.r.sim.Files(page.ID), func(f atlassiansim.File) bool { return f.Name == "setup.exe" })
	before := len(c.r.sim.Files(page.ID))
	for name, tt := range map[string]struct {
		tool string
		args object
		says string
	}{
		"read by name":     {"confluence_get_attachment", object{"page": page.ID, "file": "setup.exe"}, "this kind"},
		"read by id":       {"confluence_get_attachment", object{"page": page.ID, "file": c.r.sim.Files(page.ID)[exe].ID}, "this kind"},
		"down":             {"confluence_download_attachment", object{"page": page.ID, "file": "setup.exe", "folder": "/down"}, "this kind"},
		"a former version": {"confluence_download_attachment", object{"page": page.ID, "file": "once.txt", "version": 1, "folder": "/down"}, "more than 1 MiB"},
		"up":               {"confluence_upload_attachment", object{"page": page.ID, "path": "/w/setup.exe", "name": "other.exe"}, "this kind"},
		"up, renamed":      {"confluence_upload_attachment", object{"page": page.ID, "path": "/w/notes.txt", "name": "notes.exe"}, "this kind"},
		"up, large":        {"confluence_upload_attachment", object{"page": page.ID, "path": "/w/large.txt"}, "more than 1 MiB"},
		"along":            {"confluence_create_page", object{"space": "ENG", "title": "With a picture", "body": "![x](" + svg + ")"}, "this kind"},
	} {
		a := c.call(tt.tool, tt.args)
		if !a.IsError || !strings.Contains(a.text(), "denied by policy") || !strings.Contains(a.text(), tt.says) {
			t.Errorf("%s: %s", name, a.text())
		}
		if e := c.r.onRecord(); e.Event != "call.denied" || e.Outcome != "denied" || !strings.Contains(e.Detail, "denied: attachment") {
			t.Errorf("%s: on record is %+v", name, e)
		}
	}
	if len(c.r.sim.Files(page.ID)) != before || len(d.files) != 4 {
		t.Errorf("there is %+v", c.r.sim.Files(page.ID))
	}
	if a := up("/w/notes.txt", "name", "good.txt"); a.IsError {
		t.Errorf("a file that is allowed: %s", a.text())
	}
	if a := c.call("confluence_download_attachment", object{"page": page.ID, "file": "once.txt", "folder": "/down"}); a.IsError {
		t.Errorf("a version that is allowed: %s", a.text())
	}
}

// TestFilesSwitchedOff: no way leads to a file where they are switched off.
func TestFilesSwitchedOff(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	page := c.r.sim.AnyPage("ENG")
	d.files["/w/notes.txt"] = []byte("hello")
	if a := c.call("confluence_upload_attachment", object{"page": page.ID, "path": "/w/notes.txt"}); a.IsError {
		t.Fatal(a.text())
	}
	id := c.r.sim.Files(page.ID)[0].ID
	c.r.rule(policy.Rules{NoFiles: true})
	sent := len(c.r.sim.Files(page.ID))
	for tool, args := range map[string]object{
		"confluence_get_attachment":      {"page": page.ID},
		"confluence_download_attachment": {"page": page.ID, "file": id, "folder": "/down"},
		"confluence_upload_attachment":   {"page": page.ID, "path": "/w/notes.txt", "name": "other.txt"},
	} {
		if a := c.call(tool, args); !a.IsError || !strings.Contains(a.text(), "switched off") {
			t.Errorf("%s: %s", tool, a.text())
		}
	}
	if text := string(c.ask("resources/read", `{"uri":"confluence://acme/attachments/`+id+`"}`)); strings.Contains(text, "hello") || !strings.Contains(text, "denied by policy") {
		t.Errorf("as a resource: %s", text)
	}
	if len(c.r.sim.Files(page.ID)) != sent || c.r.sent(http.MethodPut) > 0 || len(d.files) != 1 {
		t.Errorf("there is %+v", c.r.sim.Files(page.ID))
	}
}
