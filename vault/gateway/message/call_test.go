package message_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
)

var calls = map[string]bool{
	`{"name":"a"}`: true,
	` { "arguments" : {"x":[1,"}"]} , "name" : "a\u0062" } `:    true,
	`{"name":"a","_meta":{"progressToken":7,"x":{"y":[null]}}}`: true,
	`{"name":"a","arguments":null}`:                             true,
	`{"name":"a","arguments":[1]}`:                              true,
	`{"name":""}`:                                               false,
	`{"name":7}`:                                                false,
	`{"name":null}`:                                             false,
	`{"Name":"a"}`:                                              false,
	`{"name":"a","name":"b"}`:                                   false,
	`{"n\u0061me":"a"}`:                                         false,
	`{"name":"a","requestState":"s"}`:                           false,
	`{"name":"a","_meta":7}`:                                    false,
	`{"name":"a","_meta":null}`:                                 false,
	`{}`:                                                        false,
	`[]`:                                                        false,
	`null`:                                                      false,
	``:                                                          false,
	` `:                                                         false,
	`"name"`:                                                    false,
}

func TestToolCall(t *testing.T) {
	for params, want := range calls {
		if _, ok := message.ToolCall(json.RawMessage(params)); ok != want {
			t.Errorf("ToolCall(%s) = %v, want %v", params, ok, want)
		}
	}
}

// FuzzToolCall wants of what is read what the standard library reads.
func FuzzToolCall(f *testing.F) {
	for params := range calls {
		f.Add(params)
	}
	f.Fuzz(func(t *testing.T, params string) {
		if !json.Valid([]byte(params)) {
			return // the caller has looked
		}
		got, ok := message.ToolCall(json.RawMessage(params))
		if !ok {
			return
		}
		var want mcp.CallToolParamsRaw
		if err := json.Unmarshal([]byte(params), &want); err != nil {
			t.Fatalf("ToolCall(%s) reads what is wrong: %v", params, err)
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("ToolCall(%s)(-want +got):\n%s", params, diff)
		}
	})
}

func TestCancelled(t *testing.T) {
	for params, want := range map[string]string{
		`{"requestId":7}`:                     "7",
		`{"requestId":"a<\u0062"}`:            `"a<b"`,
		`{"requestId":null}`:                  "",
		`{"requestId":[]}`:                    "",
		`{"requestId":1.5}`:                   message.Key(id(t, 1.5)),
		`{}`:                                  "",
		`7`:                                   "",
		``:                                    "",
		`{"requestId":"a","reason":"enough"}`: `"a"`,
	} {
		if got := message.Cancelled(json.RawMessage(params)); got != want {
			t.Errorf("Cancelled(%s) = %s, want %s", params, got, want)
		}
	}
}

func id(t *testing.T, v any) jsonrpc.ID {
	t.Helper()
	id, err := jsonrpc.MakeID(v)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestResult: the client is told what the SDK would have told it.
func TestResult(t *testing.T) {
	for name, result := range results() {
		t.Run(name, func(t *testing.T) {
			data, err := message.Result(`"a"`, result, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got, want any
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatalf("%v: %.200s", err, data)
			}
			if err := json.Unmarshal(answered(t, result, nil), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Result(-want +got):\n%.2000s", diff)
			}
			if strings.ContainsRune(string(data), '\n') {
				t.Error("the answer has more than one line")
			}
		})
	}
}

// explosive is what must not end the vault.
type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("canary") }

func TestHoldOfWhatPanics(t *testing.T) {
	if _, _, err := message.Hold(&mcp.CallToolResult{StructuredContent: explosive{}}); err == nil {
		t.Error("held")
	}
}

func TestResultOfFailures(t *testing.T) {
	for name, tt := range map[string]struct {
		result *mcp.CallToolResult
		failed error
		want   string
	}{
		"a user error":   {nil, usererr.New(usererr.Denied, "No", "Ask"), `"code":-32012`},
		"one of the SDK": {nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "unknown tool"}, `{"code":-32602,"message":"unknown tool"}`},
		"any other":      {nil, errors.New("canary"), `"code":-32603`},
		"a panic":        {&mcp.CallToolResult{StructuredContent: explosive{}}, nil, `the answer cannot be encoded`},
		"not JSON":       {&mcp.CallToolResult{StructuredContent: func() {}}, nil, `the answer cannot be encoded`},
		"too long":       {&mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("x", 9<<20)}}}, nil, `larger than 8 MiB`},
	} {
		t.Run(name, func(t *testing.T) {
			data, _ := message.Result("7", tt.result, tt.failed)
			if !json.Valid(data) || !strings.Contains(string(data), tt.want) || !strings.Contains(string(data), `"id":7`) || strings.Contains(string(data), "canary") {
				t.Errorf("Result = %.300s", data)
			}
		})
	}
}
