package jsonline_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

func TestLook(t *testing.T) {
	nested := func(n int) string {
		return `{"jsonrpc":"2.0","method":"m","params":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	const request, notification, response = jsonline.Request, jsonline.Notification, jsonline.Response
	for _, test := range []struct {
		name, line string
		kind       jsonline.Kind
		id, method string
		fault      *jsonline.Fault
	}{
		{"a request", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":[1,2.5e-3,true,false,null,"x"]}}`, request, "1", "tools/call", nil},
		{"members in another order", `{"params":{"id":7,"method":"no"},"method":"ping","id":"a-b","jsonrpc":"2.0"}`, request, `"a-b"`, "ping", nil},
		{"white space", " {\t\"jsonrpc\" : \"2.0\" , \"id\" : -3 ,\r\"method\":\"m\" } ", request, "-3", "m", nil},
		{"a notification", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, notification, "", "notifications/initialized", nil},
		{"a result", `{"jsonrpc":"2.0","id":9007199254740992,"result":{}}`, response, "9007199254740992", "", nil},
		{"an error", `{"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"m"}}`, response, "0", "", nil},
		{"unknown members", `{"jsonrpc":"2.0","id":1,"method":"m","task":{},"x":1,"x":2}`, request, "1", "m", nil},
		{"an escaped method", `{"jsonrpc":"2.0","id":1,"method":"tools\/call"}`, request, "1", "tools/call", nil},
		{"an escaped id", `{"jsonrpc":"2.0","id":"\u0061\u003c","method":"m"}`, request, `"a<"`, "m", nil},
		{"minus zero", `{"jsonrpc":"2.0","id":-0,"method":"m"}`, request, "0", "m", nil},
		{"64 deep", nested(wire.MaxDepth - 1), notification, "", "m", nil},
		{"65 deep", nested(wire.MaxDepth), 0, "", "m", jsonline.ErrDepth},
		{"very deep", nested(100_000), 0, "", "m", jsonline.ErrDepth},
		{"a batch", `[{"jsonrpc":"2.0","id":1,"method":"m"}]`, 0, "", "", jsonline.ErrBatch},
		{"a batch that does not end", `[{"jsonrpc":"2.0","id":1,"method":"m"}`, 0, "", "", jsonline.ErrSyntax},
		{"half a message", `{"jsonrpc":"2.0","id":4,"method":"m","params":{"a":"b`, 0, "4", "m", jsonline.ErrSyntax},
		{"something after it", `{"jsonrpc":"2.0","id":4,"method":"m"} {}`, 0, "4", "m", jsonline.ErrSyntax},
		{"words", `Starting server ...`, 0, "", "", jsonline.ErrSyntax},
		{"null", `null`, 0, "", "", jsonline.ErrSyntax},
		{"two ids", `{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}`, 0, "", "", jsonline.ErrMembers},
		{"two methods", `{"jsonrpc":"2.0","id":1,"method":"m","method":"n"}`, 0, "", "m", jsonline.ErrMembers},
		{"an id in disguise", `{"jsonrpc":"2.0","id":1,"\u0069d":2,"method":"m"}`, 0, "1", "", jsonline.ErrMembers},
		{"id null", `{"jsonrpc":"2.0","id":null,"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"id true", `{"jsonrpc":"2.0","id":true,"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"id object", `{"jsonrpc":"2.0","id":{"id":1},"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"id 1.5", `{"jsonrpc":"2.0","id":1.5,"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"id 1e3", `{"jsonrpc":"2.0","id":1e3,"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"id beyond 2^53", `{"jsonrpc":"2.0","id":9007199254740993,"method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"a long id", `{"jsonrpc":"2.0","id":"` + strings.Repeat("i", 2000) + `","method":"m"}`, 0, "", "m", jsonline.ErrID},
		{"no version", `{"id":1,"method":"m"}`, 0, "1", "m", jsonline.ErrMessage},
		{"another version", `{"jsonrpc":"1.0","id":1,"method":"m"}`, 0, "1", "m", jsonline.ErrMessage},
		{"method of another case", `{"jsonrpc":"2.0","id":1,"Method":"m"}`, 0, "1", "", jsonline.ErrMessage},
		{"an empty method", `{"jsonrpc":"2.0","id":1,"method":""}`, 0, "1", "", jsonline.ErrMessage},
		{"a method that is a number", `{"jsonrpc":"2.0","id":1,"method":5}`, 0, "1", "", jsonline.ErrMessage},
		{"result and error", `{"jsonrpc":"2.0","id":1,"result":1,"error":{}}`, 0, "1", "", jsonline.ErrMessage},
		{"method and result", `{"jsonrpc":"2.0","id":1,"method":"m","result":1}`, 0, "1", "m", jsonline.ErrMessage},
		{"a control character", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"a\":\"long enough for eight\x01\"}}", 0, "1", "m", jsonline.ErrSyntax},
		{"not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"a\":\"\xff\"}}", 0, "1", "m", jsonline.ErrUTF8},
		{"a lone surrogate", `{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\ud800"}}`, request, "1", "m", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var s jsonline.Scanner
			head, fault := s.Look([]byte(test.line))
			if head.Kind != test.kind || string(head.ID) != test.id || string(head.Method) != test.method || fault != test.fault {
				t.Errorf("Look = kind %d, id %s, method %s, %v", head.Kind, head.ID, head.Method, fault)
			}
		})
	}
}

func TestLookAllocatesNothing(t *testing.T) {
	line := []byte(`{"jsonrpc":"2.0","id":"abc","method":"tools/call","params":{"name":"echo","arguments":{"text":"` + strings.Repeat("long ", 1000) + `"}}}`)
	var s jsonline.Scanner
	if n := testing.AllocsPerRun(100, func() { s.Look(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestID(t *testing.T) {
	for raw, want := range map[string]string{`5`: `5`, `"a"`: `"a"`, `"\u0061"`: `"a"`, `null`: ``, `1.0`: ``, ``: ``, `5}`: `5`, `[1]`: ``} {
		if got := string(jsonline.ID([]byte(raw))); got != want {
			t.Errorf("ID(%s) = %s, want %s", raw, got, want)
		}
	}
}

// FuzzLook compares the scanner with encoding/json, however the message is cut
// into pieces.
func FuzzLook(f *testing.F) {
	for _, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"a":[1,-0.5E+2,true,null,"\u00e9\n"]}}`,
		`{"jsonrpc":"2.0","id":"x\u0061","result":{"":{}}}`, `[1,{"id":2}]`, `{"a":01}`, `{"a":1.}`, `{"a":"\x"}`, `{"a":tru}`, `{,}`, `{"a":1,}`,
		`{"id":1,"id":2}`, ` {"id":-} `, "\xef\xbb\xbf{}", `{"jsonrpc":"2.0","method":"m"}x`,
	} {
		f.Add([]byte(seed), uint64(3))
	}
	f.Fuzz(func(t *testing.T, data []byte, cuts uint64) {
		var whole jsonline.Scanner
		head, fault := whole.Look(data)
		checkAgainstJSON(t, data, head, fault)
		var pieces jsonline.Scanner
		random := rand.New(rand.NewPCG(cuts, 1))
		for rest := data; len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		again, other := pieces.End()
		if fault != jsonline.ErrUTF8 && other != fault || !bytes.Equal(again.ID, head.ID) || !bytes.Equal(again.Method, head.Method) {
			t.Errorf("in pieces: %s %s %v; whole: %s %s %v", again.ID, again.Method, other, head.ID, head.Method, fault)
		}
	})
}

func checkAgainstJSON(t *testing.T, data []byte, head jsonline.Head, fault *jsonline.Fault) {
	t.Helper()
	if depth(data) > wire.MaxDepth {
		return
	}
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	shaped := len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[')
	good := json.Valid(data) && shaped
	if broken := fault == jsonline.ErrSyntax; broken == good && fault != jsonline.ErrMembers {
		t.Fatalf("valid JSON: %v, but %v", good, fault)
	}
	if fault != nil {
		return
	}
	var m map[string]json.RawMessage
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatalf("passed, but %v", err)
	}
	var method string
	_ = json.Unmarshal(m["method"], &method)
	if !utf8.Valid(data) || method != string(head.Method) || (head.Kind == jsonline.Notification) != (m["id"] == nil) || (head.Kind == jsonline.Response) != (m["method"] == nil) {
		t.Fatalf("kind %d, method %q of %q", head.Kind, head.Method, data)
	}
	if m["id"] != nil && !sameID(m["id"], head.ID) {
		t.Fatalf("id %s of %s", head.ID, m["id"])
	}
}

func sameID(raw, id json.RawMessage) bool {
	var a, b any
	return json.Unmarshal(raw, &a) == nil && json.Unmarshal(id, &b) == nil && a == b
}

// depth is how deep brackets nest outside of strings.
func depth(data []byte) (deepest int) {
	now, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

func BenchmarkLook(b *testing.B) {
	for _, size := range []int{100, 1 << 10, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			line := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":12,"result":{"content":[{"type":"text","text":%q}]}}`, strings.Repeat("Some text, as pages have it.\n", size/30))
			var s jsonline.Scanner
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				if _, fault := s.Look(line); fault != nil {
					b.Fatal(fault)
				}
			}
		})
	}
}
