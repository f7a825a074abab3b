package tools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// talk is a comment as Confluence has it.
type talk struct {
	ID      string
	Version struct{ Number int }
	State   string `json:"resolutionStatus"`
	Body    struct{ Storage struct{ Value string } }
}

// talks lists the comments of a page behind our back.
func (r *rig) talks(page, kind string) []talk {
	r.t.Helper()
	token, _ := r.sim.MintToken("ada", allScopes())
	w := r.direct("GET", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+page+"/"+kind+"-comments?body-format=storage", token, nil)
	var found struct{ Results []talk }
	if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil || w.Code != 200 {
		r.t.Fatal(w.Code, w.Body, err)
	}
	return found.Results
}

// said makes a comment behind our back and returns its id.
func (r *rig) said(body object) string {
	r.t.Helper()
	kind := "footer"
	if body["inlineCommentProperties"] != nil {
		kind = "inline"
	}
	body["body"] = object{"representation": "storage", "value": "<p>before</p>"}
	token, _ := r.sim.MintToken("ada", allScopes())
	w := r.direct("POST", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/"+kind+"-comments", token, []byte(encode(r.t, body)))
	var made talk
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || made.ID == "" {
		r.t.Fatal(w.Code, w.Body, err)
	}
	return made.ID
}

// commented is a call of confluence_comment about a comment that is there.
func commented(action string, more object, inline bool, want func([]talk) bool) write {
	kind, page := "footer", ""
	if inline {
		kind = "inline"
	}
	return write{
		"confluence_comment",
		func(r *rig) object {
			page = r.put("ada", "ENG", "Talk", "<p>We ship on Monday</p>")
			first := object{"pageId": page}
			if inline {
				first["inlineCommentProperties"] = object{"textSelection": "Monday", "textSelectionMatchCount": 1, "textSelectionMatchIndex": 0}
			}
			arguments := object{"action": action, "comment": r.said(first)}
			for name, value := range more {
				arguments[name] = value
			}
			if action == "delete" {
				_, token, _ := strings.Cut(r.connect().call("confluence_comment", arguments).text(), "\nconfirm: ")
				arguments["confirm"] = strings.TrimSpace(token)
			}
			return arguments
		},
		func(r *rig) error {
			if found := r.talks(page, kind); !want(found) {
				return fmt.Errorf("comments %+v", found)
			}
			return nil
		},
	}
}

func discussions() map[string]write {
	labelled := ""
	return map[string]write{
		"edit": commented("edit", object{"body": "after", "expected_version": 1}, false, func(all []talk) bool {
			return len(all) == 1 && all[0].Version.Number == 2 && all[0].Body.Storage.Value == "<p>after</p>"
		}),
		"resolve": commented("resolve", nil, true, func(all []talk) bool {
			return len(all) == 1 && all[0].Version.Number == 2 && all[0].State == "resolved"
		}),
		"delete": commented("delete", nil, false, func(all []talk) bool { return len(all) == 0 }),
		"label": {
			"confluence_labels",
			func(r *rig) object {
				labelled = r.put("ada", "ENG", "Plan", "<p>x</p>")
				return object{"action": "add", "pages": []string{labelled}, "labels": []string{"q3"}}
			},
			func(r *rig) error {
				if a := r.connect().call("confluence_labels", object{"action": "list", "pages": []string{labelled}}); !strings.Contains(a.text(), ": q3\n") {
					return fmt.Errorf("labels %s", a.text())
				}
				return nil
			},
		},
		"space": {
			"confluence_create_space",
			func(r *rig) object {
				r.toolsets = []string{"spaces"}
				r.start()
				return object{"key": "FRESH", "name": "Fresh"}
			},
			func(r *rig) error {
				if token, _ := r.sim.MintToken("ada", allScopes()); r.spaceID(token, "FRESH") == "" {
					return fmt.Errorf("no space")
				}
				return nil
			},
		},
	}
}

// What changes comments, labels and spaces is done once, wherever the vault is
// killed.
func TestKilledAnywhereDiscussesOnce(t *testing.T) {
	for name, w := range discussions() {
		t.Run(name, func(t *testing.T) {
			killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
				if name == "space" && a.IsError && strings.Contains(a.text(), "not known") {
					return // Confluence may still be making it
				}
				audited := len(r.audited)
				if err := w.check(r); err != nil || a.IsError {
					t.Errorf("after %s:\n%v\n%s", strings.Join(points, ", "), err, a.text())
				}
				if audited == 0 || r.audited[audited-1].Outcome != "ok" {
					t.Errorf("after %s: the audit log has %+v", strings.Join(points, ", "), r.audited)
				}
			})
		})
	}
}

// A comment is made at most once, and where nobody can tell it is said so.
func TestACommentIsNeverMadeTwice(t *testing.T) {
	for kind, quote := range map[string]string{"footer": "", "inline": "on Monday"} {
		page := ""
		w := write{tool: "confluence_comment", arguments: func(r *rig) object {
			page = r.put("ada", "ENG", "Talk", "<p>We ship on Monday</p>")
			arguments := object{"action": "create", "page": page, "body": "Once **only**"}
			if quote != "" {
				arguments["quote"] = quote
			}
			return arguments
		}}
		killedAnywhere(t, w, atlassiansim.Options{NoJournal: true}, func(t *testing.T, r *rig, a answer, points []string) {
			atMostOnce(t, kind+" comments", len(r.talks(page, kind)), a, points)
		})
	}
}

// Where the client can ask the person, a comment is deleted only after a yes.
func TestThePersonIsAskedBeforeACommentGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		page := r.put("ada", "ENG", "Talk", "<p>x</p>")
		id := r.said(object{"pageId": page})
		c := r.connectAs(`{"elicitation":{}}`)
		arguments := object{"action": "delete", "comment": id}
		question, a := c.asked("confluence_comment", arguments, `{"action":"decline"}`)
		if !strings.Contains(question, `Delete the comment `+id+` on the page "Talk"`) || !strings.Contains(question, `"before"`) || !a.IsError || r.sent("DELETE") != 0 {
			t.Errorf("%q, %s", question, a.text())
		}
		if question, a = c.asked("confluence_comment", arguments, `{"action":"accept","content":{}}`); question == "" || a.IsError || r.sent("DELETE") != 1 {
			t.Errorf("%q, %s", question, a.text())
		}
	})
}
