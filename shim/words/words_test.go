package words_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/shim/greeting"
	"github.com/coatcheck-mcp/coatcheck/shim/words"
)

func TestWhatIsSaid(t *testing.T) {
	question, id := words.AskToOpen("x", "https://v/login/1?a=b&c", "open <it>")
	for want, got := range map[string][]byte{
		`{"jsonrpc":"2.0","id":"a","result":{}}`:                                                                        words.Success(`"a"`, []byte("{}")),
		`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"a \"b\" <c>"}}`:                                   words.Failure("null", -32700, `a "b" <c>`),
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`:                                                 words.Changed(greeting.Lists{Tools: true}, "")[0],
		`{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"coatcheck-shim-x"}}`: words.OpenNoMore(id),
		`{"id":"coatcheck-shim-x","jsonrpc":"2.0","method":"elicitation/create","params":{"elicitationId":"coatcheck-shim-x","message":"open <it>","mode":"url","url":"https://v/login/1?a=b&c"}}`:          question,
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":7}}}`:                                                                     words.Changed(greeting.Lists{Tools: true}, "7")[0],
		`{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"s"},"notifications":{"toolsListChanged":true}}}`:                 words.Confirmed(`"s"`, greeting.Lists{Tools: true}),
		`{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"text","level":"info","logger":"coatcheck"}}`:                                                                                   words.Log("info", "text"),
		`{"error":{"code":-32022,"data":{"requested":"9","supported":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]},"message":"unsupported protocol version"},"id":1,"jsonrpc":"2.0"}`: words.WrongRevision("1", "9"),
	} {
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Error(diff)
		}
		if !json.Valid(got) {
			t.Errorf("not JSON: %s", got)
		}
	}
	if !words.Own([]byte(`"`+id+`"`)) || words.Own([]byte(`"coatcheck-shim"`)) || words.Own([]byte("7")) || words.Own(nil) {
		t.Error("Own")
	}
}

func TestParams(t *testing.T) {
	p := words.ParamsOf([]byte(`{"params":{"uri":"a:b","cursor":5,"_meta":{"io.modelcontextprotocol/logLevel":"info","io.modelcontextprotocol/subscriptionId":"\u0061","x":1}}}`))
	if p.URI != "a:b" || p.Cursor != "" || p.Tag(greeting.MetaLogLevel) != "info" || p.Tag("x") != "" || p.Tag("none") != "" || p.Subscription() != `"a"` {
		t.Errorf("params = %+v", p)
	}
	for _, odd := range []string{``, `[]`, `{"params":[]}`, `{"params":null}`, `{"params":{"_meta":[]}}`} {
		if p := words.ParamsOf([]byte(odd)); p.URI != "" || p.Subscription() != "" {
			t.Errorf("%s: %+v", odd, p)
		}
	}
}

func TestSevere(t *testing.T) {
	for _, test := range []struct {
		level, minimum string
		want           bool
	}{{"info", "", true}, {"info", "debug", true}, {"info", "info", true}, {"info", "warning", false}, {"warning", "emergency", false}, {"info", "unknown", true}} {
		if got := words.Severe(test.level, test.minimum); got != test.want {
			t.Errorf("Severe(%s, %s) = %v", test.level, test.minimum, got)
		}
	}
}

func TestChanged(t *testing.T) {
	var got []string
	for _, m := range words.Changed(greeting.Lists{Tools: true, Prompts: true, Resources: true}, "") {
		got = append(got, string(m))
	}
	want := []string{
		`{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Changed (-want +got):\n%s", diff)
	}
	listen := words.ParamsOf([]byte(`{"params":{"notifications":{"promptsListChanged":true,"resourcesListChanged":false,"toolsListChanged":"true"}}}`))
	if diff := cmp.Diff(greeting.Lists{Prompts: true}, listen.Changes); diff != "" {
		t.Errorf("Changes (-want +got):\n%s", diff)
	}
}
