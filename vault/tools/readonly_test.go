package tools_test

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// alters finds requests that change something; some that only ask are POSTs.
var alters = regexp.MustCompile(`^(?:PUT|DELETE|PATCH) |^POST .*(?:pages|blogposts|comments|label|attachment|folders|spaces|copy|archive|properties)\b`)

// TestReadOnly: where policy lets only be read, no tool changes anything, in all
// of Confluence or in one space, and reading goes on.
func TestReadOnly(t *testing.T) {
	all := map[string]write{}
	for group, of := range map[string]map[string]write{"page": writes(), "arrange": arrangements(), "toolset": marks(), "comment": discussions()} {
		for name, w := range of {
			all[group+" "+name] = w
		}
	}
	gone := func(atlassiansim.File, bool) bool { return true }
	all["rename a file"], all["trash a file"] = kept("rename", true, gone), kept("trash", true, gone)
	all["upload"] = write{"confluence_upload_attachment", func(r *rig) object {
		r.computer = &disk{files: map[string][]byte{"/w/a.txt": []byte("a")}}
		r.start()
		return object{"page": r.put("ada", "ENG", "Talk", "<p>x</p>"), "path": "/w/a.txt"}
	}, nil}
	all["label"] = write{"confluence_labels", func(r *rig) object {
		return object{"action": "add", "pages": []string{r.put("ada", "ENG", "Talk", "<p>x</p>")}, "labels": []string{"a"}}
	}, nil}
	all["folder"] = write{"confluence_create_content", func(r *rig) object {
		r.offered("content")
		return object{"kind": "folder", "space": "ENG", "title": "Fresh"}
	}, nil}
	for name, w := range all {
		for _, access := range []policy.Access{{ReadOnly: true}, {ReadOnlySpaces: []string{"eng"}}} {
			if name == "comment space" && !access.ReadOnly {
				continue // a new one has to do with no other
			}
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, atlassiansim.Options{})
					args := w.arguments(r)
					r.rule(policy.Rules{Access: access})
					c := r.connect()
					c.next, r.requests = 300, nil
					a := c.call(w.tool, args)
					if !strings.Contains(a.text(), "may only be read") {
						t.Errorf("%s: %s", w.tool, a.text())
					}
					for _, request := range r.requests {
						if alters.MatchString(request) {
							t.Errorf("%s was sent", request)
						}
					}
					if a := c.call("confluence_search", object{"query": "incident"}); a.IsError {
						t.Errorf("reading: %s", a.text())
					}
				})
			})
		}
	}
	r := newRig(t, atlassiansim.Options{})
	r.rule(policy.Rules{Access: policy.Access{ReadOnlySpaces: []string{"OPS"}}})
	if a := r.connect().call("confluence_create_page", object{"space": "ENG", "title": "Elsewhere", "body": "x"}); a.IsError {
		t.Errorf("in another space: %s", a.text())
	}
}
