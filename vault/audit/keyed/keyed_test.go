package keyed_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
)

func hasher(t testing.TB, first byte) *keyed.Hasher {
	t.Helper()
	h, err := keyed.New(append([]byte{first}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestHashes are the same for the same value only: the vectors must hold for
// ever, or records could not be proven any more.
func TestHashes(t *testing.T) {
	h := hasher(t, 1)
	if got := h.Person("acme", "p_ada"); got != personVector {
		t.Errorf("Person = %s", got)
	}
	if got := h.Arguments("acme", []byte(`{"b": 1.0, "a": "<é>"}`)); got != argumentsVector || got != h.Arguments("acme", []byte(`{"a":"<é>","b":1.0}`)) {
		t.Errorf("Arguments = %s", got)
	}
	all := map[string]string{}
	for name, hash := range map[string]string{
		"person":         string(h.Person("acme", "1")),
		"other person":   string(h.Person("acme", "2")),
		"other tenant":   string(h.Person("labs", "1")),
		"own chain":      string(h.Person("", "1")),
		"other vault":    string(hasher(t, 2).Person("acme", "1")),
		"arguments":      h.Arguments("acme", []byte("1")),
		"other number":   h.Arguments("acme", []byte("1.0")),
		"text":           h.Arguments("acme", []byte(`"1"`)),
		"not JSON":       h.Arguments("acme", []byte("1 1")),
		"result":         h.Result("acme", []byte("1")),
		"other tenant's": h.Result("labs", []byte("1")),
	} {
		if other, twice := all[hash]; twice {
			t.Errorf("the hash of %s is that of %s", name, other)
		}
		all[hash] = name
	}
	if !keyed.IsPerson(h.Person("acme", "1")) || keyed.IsPerson("p_h_1") {
		t.Error("a hash is not told from an id")
	}
	if _, err := keyed.New(make([]byte, 31)); err == nil {
		t.Error("a short secret is good enough")
	}
}

// Computed by another program.
const (
	personVector    = "ph_5c5e0ed27ccbe47b339766c1627a3030"
	argumentsVector = "hmac-sha256:3051382519f75b6f07b0b98a8872f8e2a92b440df97fee7166b143605e8a42d2"
)

func TestShow(t *testing.T) {
	jwt := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
	for name, test := range map[string]struct{ in, want string }{
		"as it is":         {`{"b":[1,2.50,true,null],"a":{"c":"<é>"}}`, `{"a":{"c":"<é>"},"b":[1,2.50,true,null]}`},
		"secret names":     {`{"client_secret":"x","Password":"y","apiKey":"z","page":"1","token":""}`, `{"Password":"[redacted]","apiKey":"[redacted]","client_secret":"[redacted]","page":"1","token":""}`},
		"secrets in texts": {`{"body":"use ` + jwt + ` or Bearer abcdefghijklmnop1234 or ATATT3xFfGF0abcdefghijklmnop"}`, `{"body":"use [redacted] or [redacted] or [redacted]"}`},
		"a private key":    {`["-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end"]`, `["[redacted] end"]`},
		"half a secret":    {`["` + strings.Repeat("x", 1010) + " " + jwt + `"]`, `["` + strings.Repeat("x", 1010) + ` [redacted]"]`},
		"a long text":      {`["` + strings.Repeat("é", 600) + `"]`, `["` + strings.Repeat("é", 512) + `…"]`},
		"a long secret":    {`["` + jwt + strings.Repeat("x", 20000) + ` and more"]`, `["[redacted]…"]`},
		"a long number":    {`[` + strings.Repeat("9", 100) + `]`, `["…"]`},
		"too deep":         {strings.Repeat("[", 20) + strings.Repeat("]", 20), strings.Repeat("[", 17) + `"…"` + strings.Repeat("]", 17)},
		"not JSON":         {`{"a":1} x`, ``},
	} {
		if diff := cmp.Diff(test.want, string(keyed.Show([]byte(test.in)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzShow(f *testing.F) {
	f.Add([]byte(`{"a":[1,"b",{"c":null}]}`))
	f.Add([]byte(`{"` + strings.Repeat("a", 3000) + `":"` + strings.Repeat("<", 9000) + `"}`))
	f.Add([]byte("[" + strings.Repeat("1,", 5000) + "1]"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := keyed.Show(in)
		if len(out) > 64<<10 || out != nil && (!json.Valid(out) || !utf8.Valid(out)) {
			t.Errorf("%d bytes: %.200q", len(out), out)
		}
		if form := keyed.Canonical(in); !bytes.Equal(keyed.Canonical(form), form) {
			t.Errorf("the canonical form of %q has another one", form)
		}
	})
}
