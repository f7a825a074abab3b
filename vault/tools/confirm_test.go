package tools_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
)

// asked calls a tool, answers what the person is asked, and returns the question
// and the result.
func (c *client) asked(tool string, arguments object, says string) (question string, a answer) {
	c.r.t.Helper()
	c.next++
	c.r.caller.Call = fmt.Sprint(c.next)
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, c.next, tool, encode(c.r.t, arguments)))
	for {
		msg, err := c.conn.Read(c.r.t.Context())
		if err != nil {
			c.r.t.Fatal(err)
		}
		switch msg := msg.(type) {
		case *jsonrpc.Request:
			if !msg.IsCall() {
				continue
			}
			var params struct{ Message string }
			_ = json.Unmarshal(msg.Params, &params)
			question = params.Message
			id, _ := json.Marshal(msg.ID.Raw())
			c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":%s}`, id, says))
		case *jsonrpc.Response:
			if msg.Error != nil {
				c.r.t.Fatal(msg.Error)
			}
			_ = json.Unmarshal(msg.Result, &a)
			return question, a
		}
	}
}

// A client that can ask the person does, and the model never sees a token.
func TestThePersonIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Plan", "<p>x</p>")
		c := r.connectAs(`{"elicitation":{}}`)
		arguments := object{"page": id, "action": "trash"}
		for says, want := range map[string]string{`{"action":"decline"}`: "did not agree", `{"action":"cancel"}`: "did not agree"} {
			question, a := c.asked("confluence_manage_page", arguments, says)
			if question != `Put into the trash: the page "Plan" (id `+id+`, version 1) of space ENG on site acme?` || !a.IsError || !strings.Contains(a.text(), want) || r.sent("DELETE") != 0 {
				t.Errorf("%s: %q, %s", says, question, a.text())
			}
		}
		question, a := c.asked("confluence_manage_page", arguments, `{"action":"accept","content":{}}`)
		if question == "" || a.IsError || r.sent("DELETE") != 1 || a.field("status") != "trashed" {
			t.Errorf("%q, %s", question, a.text())
		}
	})
}

// While the person thinks, somebody changes the page: what they agreed to is
// not there any more.
func TestAnAgreementIsForAVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, atlassiansim.Options{})
		id := r.put("ada", "ENG", "Plan", "<p>x</p>")
		c := r.connect()
		arguments := object{"page": id, "action": "trash"}
		token := func() string {
			_, token, _ := strings.Cut(c.call("confluence_manage_page", arguments).text(), "\nconfirm: ")
			return strings.TrimSpace(token)
		}
		for name, c2 := range map[string]struct {
			meanwhile func()
			want      string
		}{
			"changed":        {func() { r.put("ben", "ENG", "Plan", "<p>y</p>") }, "It has changed since it was confirmed"},
			"too late":       {func() { time.Sleep(31 * time.Minute) }, "cannot be used"},
			"somebody else":  {func() { r.caller = signedIn("p_ben") }, "cannot be used"},
			"another action": {func() { arguments["action"] = "discard_draft" }, "something else"},
		} {
			delete(arguments, "confirm")
			arguments["action"], r.caller = "trash", signedIn("p_ada")
			arguments["confirm"] = token()
			c2.meanwhile()
			if a := c.call("confluence_manage_page", arguments); !a.IsError || !strings.Contains(a.text(), c2.want) || r.sent("DELETE") != 0 {
				t.Errorf("%s: %s", name, a.text())
			}
		}
	})
}
