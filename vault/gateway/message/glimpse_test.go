package message_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/gateway/message"
)

// ends is what is kept of a message: its first and last bytes.
func ends(data string) []byte {
	const each = 60
	return []byte(data[:min(each, len(data))] + "\x00" + data[max(0, len(data)-each):])
}

func TestGlimpse(t *testing.T) {
	long := `"params":{"text":"` + strings.Repeat("x", 200) + `","id":9}`
	for data, want := range map[string]string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call",` + long + `}`:           `1`,
		` { "method" : "x" , "id" : "a\"b" , ` + long + `,"jsonrpc":"2.0"}`:     `"a\"b"`,
		`{"method":"x",` + long + `,"jsonrpc":"2.0","id":-5}` + "\n":            `-5`,
		`{` + long + `,"id":"last","method":"x","jsonrpc":"2.0"}`:               `"last"`,
		`{"jsonrpc":"2.0","method":"notifications/x",` + long + `}`:             ``,
		`{"jsonrpc":"2.0","method":"x",` + long + `,"id":1.5}`:                  ``, // no id that we repeat
		`{"jsonrpc":"2.0","method":"x",` + long + `,"id":null}`:                 ``,
		`{"jsonrpc":"2.0","method":"x","params":{` + long + `,"id":3}}`:         ``, // not the message's own
		`{"jsonrpc":"2.0","id":3,` + long[:40]:                                  `3`,
		`{"method":"x","params":"` + strings.Repeat("x", 200) + `,\"id\":4}"} `: ``,
		``: ``,
	} {
		if got := message.NewNames().Glimpse(ends(data)); string(got) != want {
			t.Errorf("%.60s …: %q, want %q", data, got, want)
		}
	}
}

// FuzzGlimpse: an id that is found is the one that a decoder finds.
func FuzzGlimpse(f *testing.F) {
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"b"}}`)
	f.Add(`{"method":"x","params":{"id":2},"jsonrpc":"2.0","id":"\"}"}`)
	f.Add(`{"method":"x","params":"` + strings.Repeat(`,\"id\":1}`, 20) + `","id":1}`)
	f.Fuzz(func(t *testing.T, data string) {
		var members map[string]json.RawMessage
		if json.Unmarshal([]byte(data), &members) != nil || strings.Count(data, `"id"`) > 1 && strings.Count(data, `"id"`) != strings.Count(string(members["params"]), `"id"`)+1 {
			return // of members that come twice either may be found
		}
		if got := message.NewNames().Glimpse(ends(data)); got != nil && string(got) != string(members["id"]) {
			t.Errorf("%q: found %q, a decoder %q", data, got, members["id"])
		}
	})
}
