package tools_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// TestImagesThatACommentBringsAlong: they are attached to its page, as those of
// a page are, and nothing of them stays in the comment.
func TestImagesThatACommentBringsAlong(t *testing.T) {
	c, d := withDisk(t, atlassiansim.Options{})
	d.files["/w/net plan.png"] = picture(t, 10, 10)
	page := c.r.put("ada", "ENG", "Talk", "<p>We ship on Monday</p>")
	dot := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture(t, 2, 2))
	a := c.call("confluence_comment", object{"action": "create", "page": page, "body": "See ![net](</w/net plan.png>)", "quote": "Monday"})
	if a.IsError {
		t.Fatal(a.text())
	}
	edit := object{"action": "edit", "comment": a.field("id"), "expected_version": 1, "body": "See ![dot](" + dot + ") instead", "allow_loss": true}
	if next := c.call("confluence_comment", edit); next.IsError {
		t.Errorf("an edit: %s", next.text())
	}
	reply := c.call("confluence_comment", object{"action": "reply", "comment": a.field("id"), "body": "And ![net](</w/net plan.png>)"})
	if reply.IsError {
		t.Errorf("a reply: %s", reply.text())
	}
	files := c.r.sim.Files(page)
	if len(files) != 2 || files[0].SHA256 != hash(d.files["/w/net plan.png"]) || !files[0].Minor || files[0].Version != 1 {
		t.Fatalf("there is %+v", files)
	}
	if said := c.r.talks(page, "inline"); len(said) != 1 || !strings.Contains(said[0].Body.Storage.Value, `ri:filename="`+files[1].Name+`"`) || strings.Contains(said[0].Body.Storage.Value, "base64") {
		t.Errorf("the comment is %+v", said)
	}
	for name, args := range map[string]object{
		"none such":    {"action": "create", "page": page, "body": "![x](/w/none.png)"},
		"no image":     {"action": "create", "page": page, "body": "![x](/w/notes.txt)"},
		"another page": {"action": "create", "page": "1", "body": "![x](</w/net plan.png>)"},
	} {
		d.files["/w/notes.txt"] = []byte("hello")
		if a := c.call("confluence_comment", args); !a.IsError || len(c.r.talks(page, "footer")) != 0 || len(c.r.sim.Files(page)) != 2 {
			t.Errorf("%s: %s", name, a.text())
		}
	}
}

// A comment with an image is made once, or nobody knows, and its image is there
// once.
func TestACommentWithAnImageIsNeverMadeTwice(t *testing.T) {
	page := ""
	w := write{"confluence_comment", func(r *rig) object {
		r.computer = &disk{files: map[string][]byte{"/w/net.png": picture(t, 10, 10)}}
		r.start()
		page = r.put("ada", "ENG", "Talk", "<p>We ship on Monday</p>")
		return object{"action": "create", "page": page, "body": "See ![net](/w/net.png)"}
	}, nil}
	killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
		atMostOnce(t, "comments", len(r.talks(page, "footer")), a, points)
		if n := len(r.sim.Files(page)); n > 1 || !a.IsError && n != 1 {
			t.Error(fmt.Errorf("after %s: %d files", strings.Join(points, ", "), n))
		}
	})
}

// An edit with an image is made once.
func TestKilledAnywhereIllustratesOnce(t *testing.T) {
	w := commented("edit", object{"body": "See ![net](/w/net.png)", "expected_version": 1}, false, func(all []talk) bool {
		return len(all) == 1 && all[0].Version.Number == 2 && strings.Contains(all[0].Body.Storage.Value, "ri:filename=")
	})
	plain := w.arguments
	w.arguments = func(r *rig) object {
		r.computer = &disk{files: map[string][]byte{"/w/net.png": picture(t, 10, 10)}}
		r.start()
		return plain(r)
	}
	killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) { check(t, r, w, a, points) })
}
