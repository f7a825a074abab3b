package tools_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/openapi"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
)

// Each conversation pays for the list of tools: some clients cut descriptions
// at 2 KB, and all of them send the list to the model.
func TestTheListIsLean(t *testing.T) {
	r := newRig(t, atlassiansim.Options{})
	result := r.connect().ask("tools/list", "{}")
	stateless := r.connect().ask("tools/list", `{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}`)
	if tokens := max(len(result), len(stateless)) / 4; tokens > 5900 { // 6,000 is what was promised
		t.Errorf("the list is about %d tokens", tokens)
	}
	var list struct {
		Tools []struct {
			Name, Title, Description  string
			InputSchema, OutputSchema struct {
				Properties map[string]struct{ Description string }
			}
		}
	}
	if err := json.Unmarshal(result, &list); err != nil || len(list.Tools) > 16 {
		t.Fatalf("%d tools, %v", len(list.Tools), err)
	}
	named := policy.ToolNames() // in settings
	for _, tool := range list.Tools {
		if slices.Contains(named, tool.Name) == (tool.Name == "coatcheck_status") {
			t.Errorf("settings do not know %s, or should not", tool.Name)
		}
		if len(tool.Description) > 300 || tool.Description == "" || tool.Title == "" || len(tool.OutputSchema.Properties) == 0 {
			t.Errorf("%+v", tool)
		}
		for name, property := range tool.InputSchema.Properties {
			// These are the same everywhere, and each word is paid for.
			if property.Description == "" && !slices.Contains([]string{"site", "cursor", "version", "comment"}, name) {
				t.Errorf("%s: argument %s has no description", tool.Name, name)
			}
		}
	}
}

// A long page is read in parts that together are the whole page, and stay the
// version that was begun.
func TestPartsMakeTheWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		var body strings.Builder
		for i := range 200 {
			fmt.Fprintf(&body, "<h2>Part %d</h2><p>Ünïcode text %d, %s.</p>", i, i, strings.Repeat("wörds ", 20))
		}
		id := r.put("ada", "ENG", "Long", body.String())
		c := r.connect()
		whole := c.call("confluence_get_page", object{"page": id, "max_chars": 100000}).field("markdown")
		var got strings.Builder
		part := c.call("confluence_get_page", object{"page": id, "max_chars": 3000})
		for n := 1; ; n++ {
			text := part.field("markdown")
			if len([]rune(text)) > 3000 || text == "" || n > 100 {
				t.Fatalf("part %d has %d characters", n, len([]rune(text)))
			}
			got.WriteString(text)
			next := part.field("next_cursor")
			if next == "<nil>" {
				break
			}
			if !strings.Contains(part.text(), next) {
				t.Errorf("the cursor of part %d is not in the text", n)
			}
			if n == 3 {
				r.put("ben", "ENG", "Long", "<p>short now</p>")
			}
			part = c.call("confluence_get_page", object{"cursor": next})
			if n >= 3 && !strings.Contains(part.field("part"), "at version 2, and this is still version 1") {
				t.Errorf("part %d: %s", n, part.field("part"))
			}
		}
		if got.String() != whole {
			t.Errorf("the parts have %d bytes, the page %d", got.Len(), len(whole))
		}
	})
}

// A table and code that are cut say again what they are, and lose nothing.
func TestPartsOfTablesAndCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		var body strings.Builder
		body.WriteString("<table><tbody><tr><th>Name</th><th>Value</th></tr>")
		for i := range 120 {
			fmt.Fprintf(&body, "<tr><td>row-%d</td><td>%s</td></tr>", i, strings.Repeat("x", 40))
		}
		body.WriteString(`</tbody></table><ac:structured-macro ac:name="code"><ac:plain-text-body><![CDATA[`)
		for i := range 120 {
			fmt.Fprintf(&body, "line-%d %s\n", i, strings.Repeat("y", 40))
		}
		body.WriteString(`]]></ac:plain-text-body></ac:structured-macro>`)
		id := r.put("ada", "ENG", "Data", body.String())
		c := r.connect()
		seen := map[string]int{}
		part := c.call("confluence_get_page", object{"page": id, "max_chars": 1000})
		for n := 0; n < 100; n++ {
			text := part.field("markdown")
			for i := range 120 {
				seen[fmt.Sprintf("row-%d", i)] += strings.Count(text, fmt.Sprintf("row-%d ", i))
				seen[fmt.Sprintf("line-%d", i)] += strings.Count(text, fmt.Sprintf("line-%d ", i))
			}
			if strings.Contains(text, "row-") && !strings.Contains(text, "| Name") || strings.Count(text, "```")%2 != 0 {
				t.Errorf("part %d:\n%s", n, text)
			}
			next := part.field("next_cursor")
			if next == "<nil>" {
				break
			}
			part = c.call("confluence_get_page", object{"cursor": next})
		}
		for what, n := range seen {
			if n != 1 {
				t.Errorf("%s is there %d times", what, n)
			}
		}
	})
}

// Some clients show only the text, some only the structured answer.
func TestTextSaysWhatTheStructureSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Plan", "<p>text</p>")
		c := r.connect()
		for tool, arguments := range map[string]object{
			"confluence_search":      {"cql": "type = page order by created", "limit": 3},
			"confluence_get_page":    {"page": id},
			"confluence_list_spaces": {"limit": 2},
			"confluence_create_page": {"space": "ENG", "title": "New", "body": "x"},
			"confluence_update_page": {"page": id, "expected_version": 1, "body": "x"},
			"coatcheck_status":       {},
		} {
			a := c.call(tool, arguments)
			var structured any
			if err := json.Unmarshal(a.Structured, &structured); err != nil || a.IsError {
				t.Fatalf("%s: %v %s", tool, err, a.text())
			}
			for _, leaf := range leaves(structured) {
				if !strings.Contains(a.text(), leaf) {
					t.Errorf("%s: %q is not in the text\n%s", tool, leaf, a.text())
				}
			}
		}
	})
}

func leaves(value any) []string {
	switch value := value.(type) {
	case map[string]any:
		var all []string
		for name, member := range value {
			if name == "status" {
				continue // "current" goes without saying
			}
			all = append(all, leaves(member)...)
		}
		return all
	case []any:
		var all []string
		for _, member := range value {
			all = append(all, leaves(member)...)
		}
		return all
	case bool:
		return nil
	case string:
		return []string{strings.TrimSpace(value)}
	}
	return []string{fmt.Sprint(value)}
}

// What the tools ask of Confluence, and what the simulated one answers, is as
// Atlassian describes it.
func TestExchangesAreAsDescribed(t *testing.T) {
	spec, err := openapi.Load(testenv.OpenAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	count := 0
	r := newRig(t, atlassiansim.Options{Record: func(x atlassiansim.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		count++
		for _, problem := range spec.CheckExchange(x.Request, x.Body, x.Status, x.Answer) {
			t.Errorf("%s %s: %v", x.Request.Method, x.Request.URL.Path, problem)
		}
	}})
	id := r.put("ada", "ENG", "Plan", "<p>first</p>")
	c := r.connect()
	for _, call := range []struct {
		tool      string
		arguments object
	}{
		{"confluence_search", object{"query": "incident"}},
		{"confluence_search", object{"cql": "type = page order by created", "limit": 2}},
		{"confluence_get_page", object{"page": id}},
		{"confluence_get_page", object{"page": "1"}},
		{"confluence_get_page", object{"space": "ENG", "title": "Plan"}},
		{"confluence_list_spaces", object{"limit": 2}},
		{"confluence_create_page", object{"space": "ENG", "title": "New", "body": "x"}},
		{"confluence_create_page", object{"space": "ENG", "title": "New", "body": "x"}},
		{"confluence_create_page", object{"space": "ENG", "title": "Below", "body": "x", "parent": id}},
		{"confluence_update_page", object{"page": id, "expected_version": 1, "body": "second", "message": "m"}},
		{"confluence_update_page", object{"page": id, "expected_version": 1, "body": "third"}},
	} {
		a := c.call(call.tool, call.arguments)
		if next := a.field("next_cursor"); next != "<nil>" && !a.IsError {
			c.call(call.tool, object{"cursor": next})
		}
	}
	r.sim.Fail(1, atlassiansim.Fault{Method: http.MethodPost, After: true, Drop: true})
	c.call("confluence_create_page", object{"space": "ENG", "title": "Settled", "body": "x"})
	if mu.Lock(); count < 20 {
		t.Errorf("only %d exchanges were seen", count)
	}
	mu.Unlock()
}

// No secret, and nothing that an internal error says, gets out.
func TestNothingLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{Canary: "CANARYCANARY"})
		id := r.put("ada", "ENG", "Plan", "<p>text</p>")
		c := r.connect()
		var texts strings.Builder
		for _, broken := range []func(){
			func() {},
			func() { r.grantErr = outage() },
			func() { r.liveErr = outage() },
			func() { r.auditErr = outage() },
			func() { r.journal.err = outage() },
			func() { r.sim.FailNext(20, 500, "CANARYCANARY of upstream") },
			func() { r.sim.FailNext(20, 400, `{"message":"CANARYCANARY of upstream"}`) },
			func() { r.sim.FailNext(20, 200, "CANARYCANARY of upstream") },
		} {
			r.grantErr, r.liveErr, r.auditErr, r.journal.err = nil, nil, nil, nil
			r.sim.Heal()
			broken()
			for tool, arguments := range map[string]object{
				"confluence_search": {"query": "x"}, "confluence_get_page": {"page": id}, "confluence_list_spaces": {}, "coatcheck_status": {},
				"confluence_create_page": {"space": "ENG", "title": "New", "body": "x"}, "confluence_update_page": {"page": id, "expected_version": 1, "body": "x"},
			} {
				a := c.call(tool, arguments)
				fmt.Fprintf(&texts, "%s %s\n", a.text(), a.Structured)
			}
		}
		for _, e := range r.audited {
			fmt.Fprintf(&texts, "%+v\n", e)
		}
		if text := texts.String(); strings.Contains(text, "CANARY") || strings.Contains(text, "SECRET-INTERNAL") {
			t.Error(text)
		}
		if strings.Contains(r.log.String(), "CANARY") {
			t.Error(r.log.String())
		}
	})
}

// Nothing is answered about Confluence unless it is on record; and nothing to
// a session that has ended meanwhile.
func TestNoRecordNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Plan", "<p>CONTENT</p>")
		c := r.connect()
		r.auditErr = outage()
		if a := c.call("confluence_get_page", object{"page": id}); !a.IsError || strings.Contains(a.text(), "CONTENT") || len(a.Structured) > 0 {
			t.Errorf("%s", a.text())
		}
		r.auditErr = nil
		revoked := usererr.New(usererr.Revoked, "Access was taken away", "Ask again")
		r.hook = func(point string) {
			if point == "answered GET" {
				r.liveErr = revoked
			}
		}
		if a := c.call("confluence_get_page", object{"page": id}); !a.IsError || strings.Contains(a.text(), "CONTENT") || !strings.Contains(a.text(), "taken away") {
			t.Errorf("%s", a.text())
		}
		if e := r.audited[len(r.audited)-1]; e.Code != "revoked" || e.Outcome != "error" {
			t.Errorf("audited %+v", e)
		}
	})
}

// A sign-in that stays open is said within the time that clients wait.
func TestSignInStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		r.caller = identity.Caller{Device: "device", Stream: "stream"}
		r.awaitErr = usererr.New(usererr.SignInOpen, "The sign-in is still open in your browser", "Finish it there, then ask again")
		c := r.connect()
		begun := time.Now()
		a := c.call("confluence_search", object{"query": "x"})
		if !a.IsError || !strings.Contains(a.text(), "still open") || time.Since(begun) > 57*time.Second || r.awaits != 1 {
			t.Errorf("%s after %v and %d sign-ins", a.text(), time.Since(begun), r.awaits)
		}
		if len(r.audited) != 0 || len(r.requests) != 0 {
			t.Errorf("%v, %v", r.audited, r.requests)
		}
		// A cursor of somebody who is signed in no more asks for the sign-in too.
		if a := c.call("confluence_search", object{"cursor": "abc"}); !strings.Contains(a.text(), "still open") {
			t.Errorf("%s", a.text())
		}
	})
}

// A page in the trash would be restored by an update, and its body ignored.
func TestATrashedPageStaysThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Plan", "<p>text</p>")
		token, _ := r.sim.MintToken("ada", append(allScopes(), "delete:page:confluence"))
		if w := r.direct("DELETE", "/ex/confluence/"+r.sites[0].CloudID+"/wiki/api/v2/pages/"+id, token, nil); w.Code != 204 {
			t.Fatal(w.Code, w.Body)
		}
		a := r.connect().call("confluence_update_page", object{"page": id, "expected_version": 1, "body": "x"})
		if page, _ := r.sim.PageByID(id); !a.IsError || !strings.Contains(a.text(), "trashed") || page.Status != "trashed" || r.sent("PUT") != 0 {
			t.Errorf("%s: %+v", a.text(), page)
		}
	})
}

// Two sites: the call says which, or the address of the page does.
func TestSeveralSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{Sites: []atlassiansim.Site{{Name: "acme"}, {Name: "labs"}}})
		site := r.sites[0]
		site.Name, site.CloudID, site.URL = "labs", r.sim.CloudID("labs"), r.sim.SiteURL("labs")
		r.sites = append(r.sites, site)
		id := r.put("ada", "ENG", "Plan", "<p>text</p>")
		c := r.connect()
		if a := c.call("confluence_get_page", object{"page": id}); !a.IsError || !strings.Contains(a.text(), "labs (https://labs.atlassian.net)") {
			t.Errorf("%s", a.text())
		}
		for _, arguments := range []object{{"page": id, "site": "acme"}, {"page": "https://acme.atlassian.net/wiki/spaces/ENG/pages/" + id}} {
			if a := c.call("confluence_get_page", arguments); a.IsError || a.field("site") != "acme" {
				t.Errorf("%s", a.text())
			}
		}
	})
}
