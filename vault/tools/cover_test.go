package tools_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// The cover of a page is a picture that is attached to it, and nothing else: an
// address would be called by everybody who reads the page.
func TestACover(t *testing.T) {
	d := &disk{files: map[string][]byte{"/w/sea.png": picture(t, 40, 10), "/w/notes.md": []byte("notes")}}
	r := newRig(t, atlassiansim.Options{})
	r.computer, r.toolsets, r.scopes = d, []string{"social"}, append(allScopes(), toolsetScopes()...)
	r.start()
	c := r.connect()
	page := r.sim.AnyPage("ENG").ID
	for name := range d.files {
		if a := c.call("confluence_upload_attachment", object{"page": page, "path": name}); a.IsError {
			t.Fatal(a.text())
		}
	}
	look := func() string {
		return c.call("confluence_get_activity", object{"page": page, "include": []string{"look"}}).field("cover")
	}
	for _, value := range []string{"https://evil.example/pixel.png", "notes.md", "none.png", ""} {
		if a := c.call("confluence_react", object{"action": "cover", "page": page, "value": value}); !a.IsError {
			t.Errorf("%q became the cover: %s", value, a.text())
		}
	}
	if now := look(); now != "<nil>" {
		t.Errorf("the cover is %s", now)
	}
	for range 2 { // doing it again does no harm
		if a := c.call("confluence_react", object{"action": "cover", "page": page, "value": "sea.png"}); a.IsError {
			t.Fatal(a.text())
		}
		if now := look(); now != "sea.png" {
			t.Errorf("the cover is %s", now)
		}
	}
	api := "/ex/confluence/" + r.sites[0].CloudID + "/wiki/api/v2/pages/"
	got := r.direct("GET", api+page+"/properties?key=cover-picture-id-published", r.token["ada"], nil)
	if !strings.Contains(got.Body.String(), `"{\"id\":\"sim-att`) || !strings.Contains(got.Body.String(), `\"position\":50}"`) {
		t.Errorf("Confluence has %s", got.Body)
	}
	if a := c.call("confluence_react", object{"action": "clear_cover", "page": page}); a.IsError || look() != "<nil>" {
		t.Errorf("%s; the cover is %s", a.text(), look())
	}
}
