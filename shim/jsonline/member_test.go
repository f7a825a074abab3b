package jsonline_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/shim/jsonline"
)

// members reads an object as encoding/json does, as texts.
func members(object []byte) map[string]string {
	var want map[string]json.RawMessage
	if json.Unmarshal(object, &want) != nil || want == nil {
		return nil
	}
	all := map[string]string{}
	for name, value := range want {
		all[name] = string(value)
	}
	return all
}

func elements(array []byte) (all []string) {
	var want []json.RawMessage
	if json.Unmarshal(array, &want) == nil {
		for _, value := range want {
			all = append(all, string(value))
		}
	}
	return all
}

func compare(t *testing.T, text []byte) {
	t.Helper()
	got := map[string]string{}
	jsonline.Members(text, func(name string, value []byte) { got[name] = string(value) })
	if want := members(text); len(want)+len(got) > 0 && !maps.Equal(want, got) {
		t.Errorf("%s: %s", text, cmp.Diff(want, got))
	}
	for name, value := range got {
		if found := jsonline.Member(text, name); string(found) != value {
			t.Errorf("%s: member %q is %s, want %s", text, name, found, value)
		}
		compare(t, []byte(value))
	}
	var list []string
	jsonline.Elements(text, func(value []byte) { list = append(list, string(value)) })
	if diff := cmp.Diff(elements(text), list); diff != "" {
		t.Errorf("%s: %s", text, diff)
	}
	var word string
	_ = json.Unmarshal(text, &word)
	text = bytes.TrimSpace(text)
	if jsonline.IsObject(text) != (members(text) != nil) || json.Unmarshal(text, &word) == nil && text[0] == '"' && jsonline.Text(text) != word {
		t.Errorf("%s", text)
	}
}

func seeds() []string {
	return []string{
		`{}`, `[]`, `""`, `"a\"b"`, `1`, `null`, `true`, ` { } `, `[ ]`, `{"a":1}`, `{"a" : [1 , 2] ,"b":{"c":"}"} , "d":"x,y:z"}`,
		`{"a":1,"a":2}`, `{"\u0061":"\u00e4"}`, `[1,"2",[3,{"4":5}],{},true,null]`, `{"jsonrpc":"2.0","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"url":{}}}}}`,
		"{\"a\"\n:\t-1.5e3\r}", `{"a\\":"\\"}`, `"ä"`, `[[[]]]`, `{"":{"":""}}`,
	}
}

func TestMembers(t *testing.T) {
	for _, text := range seeds() {
		compare(t, []byte(text))
	}
}

// FuzzMembers: what is valid is read as encoding/json reads it; what is not does
// no harm.
func FuzzMembers(f *testing.F) {
	for _, text := range seeds() {
		f.Add([]byte(text))
	}
	f.Add([]byte(`{"a":`))
	f.Add([]byte(`{"a" "b"}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if json.Valid(text) && len(text) < 4<<10 {
			compare(t, text)
			return
		}
		jsonline.Members(text, func(string, []byte) {})
		jsonline.Elements(text, func([]byte) {})
		_ = jsonline.Text(text)
	})
}
