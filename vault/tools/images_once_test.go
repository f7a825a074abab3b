package tools_test

import (
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// A page with images whose answer is lost on the way is made of the one draft
// that was begun.
func TestImagesWhoseAnswerIsLostBringNoSecondDraft(t *testing.T) {
	for name, fault := range map[string]atlassiansim.Fault{
		"image":   {Method: "PUT", Path: "/child/attachment", After: true, Drop: true},
		"publish": {Method: "PUT", Path: "/api/v2/pages/", After: true, Drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			c, d := withDisk(t, atlassiansim.Options{})
			d.files["/w/net plan.png"] = picture(t, 10, 10)
			c.r.sim.Fail(1, fault)
			a := c.call("confluence_create_page", object{"space": "ENG", "title": "With images", "body": "![the net](</w/net plan.png>)"})
			drafts := 0
			for _, line := range c.r.requests {
				if strings.HasPrefix(line, "POST /api/v2/pages ") {
					drafts++
				}
			}
			if page, _ := c.r.sim.PageByTitle("ENG", "With images"); a.IsError || drafts != 1 || a.field("id") != page.ID || len(c.r.sim.Files(page.ID)) != 1 {
				t.Errorf("%d drafts, page %s: %s", drafts, page.ID, a.text())
			}
		})
	}
}
