package message_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/jsonrpc"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
)

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`, `{"jsonrpc":"2.0","id":"\u003c<","method":"a\/b","params": {"x" : [1 , "y"]} }`, `{"jsonrpc":"2.0","method":null}`, `[]`, `{"a":"\\\"","b":[{"c":[1,2,3e5]}]}`, `{"id":`, `{"id":}`, `{"":1}`, `{,}`, `{"id":1,}`,
	} {
		f.Add([]byte(seed))
	}
	names := message.NewNames()
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := message.CheckScan(data); err != nil {
			t.Error(err)
		}
		msg, answer, bad := names.Decode(data)
		if msg != nil && answer != nil || (answer == nil) != (bad == nil) {
			t.Errorf("%q is both or neither: %v, %q, %v", data, msg, answer, bad)
		}
		if r, ok := msg.(*jsonrpc.Request); ok && r.IsCall() {
			var m struct{ ID json.RawMessage }
			if err := json.Unmarshal(data, &m); err != nil || message.Key(r.ID) == "null" {
				t.Errorf("%q: id %s becomes %s, %v", data, m.ID, message.Key(r.ID), err)
			}
		}
		// What is taken, the SDK's decoder takes for the same.
		if r, ok := msg.(*jsonrpc.Request); ok {
			want, err := jsonrpc.DecodeMessage(data)
			if diff := cmp.Diff(want, jsonrpc.Message(r), cmp.AllowUnexported(jsonrpc.ID{})); err != nil || diff != "" {
				t.Errorf("%q: %v, %s", data, err, diff)
			}
		}
	})
}

func request(t *testing.T, id any, method, params string) *jsonrpc.Request {
	t.Helper()
	m := &jsonrpc.Request{Method: method, Params: json.RawMessage(params)}
	if id != nil {
		var err error
		if m.ID, err = jsonrpc.MakeID(id); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// TestNames asks a question and has it answered, under the right name and
// under wrong ones.
func TestNames(t *testing.T) {
	names := message.NewNames()
	data, err := names.Encode(request(t, float64(7), "roots/list", `{}`))
	if err != nil {
		t.Fatal(err)
	}
	var asked struct{ ID string }
	if err := json.Unmarshal(data, &asked); err != nil || !strings.HasSuffix(asked.ID, ".7") {
		t.Fatalf("asked %s, %v", data, err)
	}
	answer := func(id string) jsonrpc.Message {
		msg, answer, bad := names.Decode([]byte(`{"jsonrpc":"2.0","id":` + id + `,"result":{}}`))
		if answer != nil || bad != nil {
			t.Errorf("an answer was answered: %s", answer)
		}
		return msg
	}
	if m, ok := answer(`"` + asked.ID + `"`).(*jsonrpc.Response); !ok || message.Key(m.ID) != "7" {
		t.Errorf("the answer becomes %v", m)
	}
	other, _ := message.NewNames().Encode(request(t, float64(7), "roots/list", `{}`))
	var old struct{ ID string }
	_ = json.Unmarshal(other, &old)
	for _, id := range []string{`7`, `"7"`, `"` + old.ID + `"`, `"` + asked.ID + `0x"`, `"` + strings.TrimSuffix(asked.ID, "7") + `07"`} {
		if m := answer(id); m != nil {
			t.Errorf("an answer to %s passes as %v", id, m)
		}
	}
	// A question taken back is named as it was asked.
	data, err = names.Encode(request(t, nil, "notifications/cancelled", `{"requestId":7,"reason":"late"}`))
	if err != nil || !strings.Contains(string(data), `"requestId":"`+asked.ID+`"`) || !strings.Contains(string(data), `"late"`) {
		t.Errorf("taken back: %s, %v", data, err)
	}
}

func TestTooBig(t *testing.T) {
	big := `{"a":"` + strings.Repeat("x", wire.MaxMessage) + `"}`
	if _, err := message.NewNames().Encode(request(t, float64(1), "sampling/createMessage", big)); !errors.Is(err, message.ErrTooBig) {
		t.Errorf("a question: %v", err)
	}
	id, _ := jsonrpc.MakeID("a")
	data, err := message.Answer(&jsonrpc.Response{ID: id, Result: json.RawMessage(big)}, nil)
	if err != nil || !strings.Contains(string(data), "8 MiB") || !strings.Contains(string(data), `"id":"a"`) {
		t.Errorf("an answer: %.200s, %v", data, err)
	}
}

// TestAnswer: answers are written as the SDK writes them.
func TestAnswer(t *testing.T) {
	for _, id := range []any{float64(7), float64(-1 << 53), "a", `"<&>\`, "\u2028ü\x00"} {
		for _, m := range []*jsonrpc.Response{
			{Result: json.RawMessage(`{"text":"<b>&\u2028"}`)}, {Result: json.RawMessage(`{}`)}, {},
			{Error: &jsonrpc.Error{Code: -32000, Message: "<no>"}}, {Error: errors.New("no"), Result: json.RawMessage(`{}`)},
		} {
			m.ID, _ = jsonrpc.MakeID(id)
			want, err := jsonrpc.EncodeMessage(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := message.Answer(m, nil)
			if err != nil || string(got) != string(want) {
				t.Errorf("got %s, %v, want %s", got, err, want)
			}
		}
	}
}

// TestErrors: user errors keep their words, errors of the library their code,
// and nothing else is said.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int64
		text string
	}{
		{usererr.New(usererr.SignIn, "You are not signed in", "Sign in"), -32011, "You are not signed in. Sign in."},
		{usererr.New(usererr.Denied, "No", ""), -32012, "No."},
		{usererr.New(usererr.RateLimited, "Slow down", ""), -32010, "Slow down."},
		{usererr.New(usererr.Unavailable, "Away", ""), -32013, "Away."},
		{usererr.New(usererr.Conflict, "Changed", ""), -32014, "Changed."},
		{usererr.New(usererr.NotFound, "Gone", ""), jsonrpc.CodeInvalidParams, "Gone."},
		{fmt.Errorf("wrapped: %w", &jsonrpc.Error{Code: -32601, Message: "no such method"}), -32601, "no such method"},
		{errors.New("CANARY in the store"), jsonrpc.CodeInternalError, "x_1"},
	} {
		got := message.Error(test.err, "x_1")
		if got.Code != test.code || !strings.Contains(got.Message, test.text) || strings.Contains(got.Message, "CANARY") {
			t.Errorf("%v becomes %d %q", test.err, got.Code, got.Message)
		}
	}
}
