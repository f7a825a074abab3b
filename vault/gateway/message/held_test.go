package message_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
)

// results are what tools may answer.
func results() map[string]*mcp.CallToolResult {
	page := strings.Repeat("<p>a & b\u2028\"\\\n</p>", 1000)
	text := &mcp.TextContent{Text: page}
	return map[string]*mcp.CallToolResult{
		"text":       {Content: []mcp.Content{text}},
		"refused":    {Content: []mcp.Content{&mcp.TextContent{Text: "no"}}, IsError: true},
		"structured": {Content: []mcp.Content{text, text}, StructuredContent: map[string]any{"page": page, "n": 1.5}},
		"raw":        {Content: []mcp.Content{text}, StructuredContent: json.RawMessage(`{"a":[1,{}]}`)},
		"pretty":     {Content: []mcp.Content{text}, StructuredContent: json.RawMessage("{\n \"a\": 1\n}\n")},
		"a number":   {Content: []mcp.Content{text}, StructuredContent: 7},
		"empty text": {Content: []mcp.Content{&mcp.TextContent{}}, StructuredContent: json.RawMessage(`{}`)},
		"images":     {Content: []mcp.Content{&mcp.ImageContent{Data: []byte("png"), MIMEType: "image/png"}, text, &mcp.ResourceLink{URI: "a:b", Name: "n"}}},
		"annotated": {
			Meta:    mcp.Meta{"k": "v"},
			Content: []mcp.Content{&mcp.TextContent{Text: "t", Meta: mcp.Meta{"x": 1.0}, Annotations: &mcp.Annotations{Audience: []mcp.Role{"user"}}}},
		},
	}
}

// answered encodes a result as the SDK does and then us.
func answered(t testing.TB, result *mcp.CallToolResult, held *message.Held) []byte {
	t.Helper()
	var encoded bytes.Buffer
	enc := json.NewEncoder(&encoded)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(result); err != nil {
		t.Fatal(err)
	}
	id, err := jsonrpc.MakeID("a")
	if err != nil {
		t.Fatal(err)
	}
	data, err := message.Answer(&jsonrpc.Response{ID: id, Result: bytes.TrimSpace(encoded.Bytes())}, held)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestHold: the client is told the same whether a result was held back or not.
func TestHold(t *testing.T) {
	for name, result := range results() {
		t.Run(name, func(t *testing.T) {
			short, held, err := message.Hold(result)
			if err != nil {
				t.Fatal(err)
			}
			data := answered(t, short, held)
			if bytes.IndexByte(data, '\n') >= 0 {
				t.Error("the answer has several lines")
			}
			var got, want any
			if err := json.Unmarshal(data, &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(answered(t, result, nil), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHoldNothing: a question stays whole, what cannot be encoded is an error,
// and an answer without its mark is none.
func TestHoldNothing(t *testing.T) {
	question := &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"a": &mcp.ElicitParams{Message: "m"}}}
	if short, held, err := message.Hold(question); short != question || held != nil || err != nil {
		t.Errorf("a question: %v, %v, %v", short, held, err)
	}
	if _, _, err := message.Hold(&mcp.CallToolResult{StructuredContent: math.NaN()}); err == nil {
		t.Error("no number is a number")
	}
	_, held, err := message.Hold(results()["raw"])
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range []string{`{}`, `{"content":[]}`} {
		data, err := message.Answer(&jsonrpc.Response{Result: json.RawMessage(result)}, held)
		if err == nil || !strings.Contains(string(data), "internal error") {
			t.Errorf("%s becomes %s, %v", result, data, err)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	result := results()["structured"]
	b.Run("held", func(b *testing.B) {
		for b.Loop() {
			short, held, _ := message.Hold(result)
			answered(b, short, held)
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			answered(b, result, nil)
		}
	})
}
