package tools_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/markup/section"
)

// seeded lists the ids of the pages of a space.
func (c *client) seeded(space string) []string {
	c.r.t.Helper()
	var out struct {
		Items []struct{ ID string }
	}
	a := c.call("confluence_get_tree", object{"space": space, "view": "descendants", "depth": 5})
	if err := json.Unmarshal(a.Structured, &out); err != nil || len(out.Items) == 0 {
		c.r.t.Fatalf("%s", a.text())
	}
	var ids []string
	for _, item := range out.Items {
		ids = append(ids, item.ID)
	}
	return ids
}

// tangled has what makes sections hard: frames in frames, macros without a
// Markdown form, the same ones twice, entities, comments of people.
const tangled = `<p>Intro &nbsp;&rarr; <ac:inline-comment-marker ac:ref="c1">marked</ac:inline-comment-marker></p>` +
	`<ac:structured-macro ac:name="toc" ac:schema-version="1" ac:macro-id="m0" />` +
	`<h1>One</h1><p>text</p><ac:structured-macro ac:name="children" ac:schema-version="1" ac:macro-id="m1" /><h2>Sub</h2><p>more</p>` +
	`<ac:structured-macro ac:name="jira" ac:schema-version="1" ac:macro-id="m2"><ac:parameter ac:name="key">OPS-7</ac:parameter></ac:structured-macro>` +
	`<ac:structured-macro ac:name="expand" ac:schema-version="1" ac:macro-id="m3"><ac:parameter ac:name="title">Logs</ac:parameter><ac:rich-text-body><h2>Inner</h2><p>x</p>` +
	`<ac:structured-macro ac:name="children" ac:schema-version="1" ac:macro-id="m4"><ac:parameter ac:name="all">true</ac:parameter></ac:structured-macro></ac:rich-text-body></ac:structured-macro>` +
	`<h1>Two</h1><table><tbody><tr><th>a</th><td><h3>cell</h3><p>y</p></td></tr></tbody></table><ac:structured-macro ac:name="children" ac:schema-version="1" ac:macro-id="m5" />`

// Every section of every page is replaced, and what is outside of it stays as
// it was, byte for byte; a section that is written as it was read changes
// nothing at all.
func TestEditsKeepAllOtherBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		c := r.connect()
		ids := append(c.seeded("ENG"), r.put("ada", "ENG", "Tangled", tangled))
		sections := 0
		for _, id := range ids {
			page, _ := r.sim.PageByID(id)
			o, err := section.Read(page.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range o.Sections {
				sections++
				c.keeps(id, s)
			}
		}
		if sections < 20 {
			t.Errorf("%d sections only", sections)
		}
	})
}

// keeps rewrites one section as it is, then by another, and puts the page back.
func (c *client) keeps(id string, s section.Section) {
	t := c.r.t
	t.Helper()
	before, _ := c.r.sim.PageByID(id)
	read := c.call("confluence_get_page", object{"page": id, "section": s.ID, "max_chars": 100000})
	edit := func(body string) string {
		now, _ := c.r.sim.PageByID(id)
		a := c.call("confluence_edit_page", object{
			"page": id, "expected_version": now.Version, "operation": "replace_section", "section": s.ID, "body": body, "allow_loss": true,
		})
		if a.IsError {
			t.Errorf("%s of %s: %s", s.ID, before.Title, a.text())
		}
		now, _ = c.r.sim.PageByID(id)
		return now.Body
	}
	if got := edit(read.field("markdown")); got != before.Body {
		t.Errorf("%s of %s was written as it was read:\n%s\nbecame\n%s", s.ID, before.Title, before.Body, got)
	}
	got := edit("Something *else*")
	if !strings.HasPrefix(got, before.Body[:s.Body]) || !strings.HasSuffix(got, before.Body[s.End:]) || !strings.Contains(got, "Something <em>else</em>") {
		t.Errorf("%s of %s: outside of the section bytes have changed:\n%s\nbecame\n%s", s.ID, before.Title, before.Body, got)
	}
	c.r.put("ada", before.Space, before.Title, before.Body)
}
