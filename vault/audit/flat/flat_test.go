package flat_test

import (
	"encoding/json"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/flat"
)

// record is what most records look like.
const record = `{"time":"2026-03-04T05:06:07.089Z","event":"call","outcome":"ok","tenant":"acme","person":"p_0123456789abcdef0123",` +
	`"tool":"confluence_get_page","objects":["page:123456@ENG","page:7"],"address":"192.0.2.1","ms":120}`

func seeds() []string {
	all := []string{
		"", "{", "}", "{}", "[]", `{"a"}`, `{"a":}`, `{"a":1`, `{"a":1}`, `{"a":0}`, `{"a":01}`, `{"a":-1}`, `{"a":1.5}`, `{"a":1e3}`, `{"a":1 }`, `{"a":1},`, `{"a":1}}`,
		`{"a":1,}`, `{"a":1,"b":2}`, `{,"a":1}`, `{"a":""}`, `{"a":"\n"}`, "{\"a\":\"\n\"}", `{"a":"\"}`, `{"a":"é"}`, "{\"a\":\"\xff\"}", `{"a":"b"c}`,
		`{"a":[]}`, `{"a":["b"]}`, `{"a":["b","c"]}`, `{"a":["b",]}`, `{"a":[,"b"]}`, `{"a":["b"}`, `{"a":["b"`, `{"a":[`, `{"a":["b" ]}`, `{"a":[1]}`, `{"a":{}}`, `{"a":true}`, `{"a":null}`,
		` {"a":1}`, `{"a" :1}`, `{"a":1}` + "\n", `{a:1}`, `"a"`, "1", record,
	}
	for i := range record { // cut off, and with a byte taken out
		all = append(all, record[:i], record[:i]+record[i+1:])
	}
	return all
}

func TestValid(t *testing.T) {
	for _, text := range seeds() {
		if got, want := flat.Valid([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Errorf("Valid(%q) = %v", text, got)
		}
	}
}

// FuzzValid: whatever it is, encoding/json says the same.
func FuzzValid(f *testing.F) {
	for _, text := range seeds() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, want := flat.Valid(text), json.Valid(text); got != want {
			t.Errorf("Valid(%q) = %v", text, got)
		}
	})
}

// BenchmarkValid shows what this package is for.
func BenchmarkValid(b *testing.B) {
	for name, valid := range map[string]func([]byte) bool{"flat": flat.Valid, "encoding/json": json.Valid} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(record)))
			for b.Loop() {
				if !valid([]byte(record)) {
					b.Fatal("the record is not JSON")
				}
			}
		})
	}
}
