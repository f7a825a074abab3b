package tools_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/tools"
)

// FuzzArguments: whatever comes, it is read or refused in words; names may be
// repeated, shortened, values never.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `[]`, `{"page": 12}`, `{"page": "x", "limit": "3", "max_chars": 1e3}`, `{"pageId": "SECRETVALUE"}`, `{"query": {"SECRETVALUE": 1}}`,
		`{"space":"ENG","title":"T","body":"B"}`, `{"page":"1","expected_version":1,"body":"B\u0000"}`, `{"limit": 99999999999999999999}`, `{"é": 1, "éé": 2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, err := range tools.ReadArguments(json.RawMessage(data)) {
			if err == nil {
				continue
			}
			said := usererr.Text(err, "")
			if usererr.CodeOf(err) != usererr.BadInput || !utf8.ValidString(said) || len(said) > 2000 {
				t.Errorf("%q: %v", data, err)
			}
			var members map[string]json.RawMessage
			if json.Unmarshal(data, &members) != nil {
				continue
			}
			for _, value := range members {
				if text := string(value); strings.Contains(text, "SECRETVALUE") && strings.Contains(said, "SECRETVALUE") {
					t.Errorf("%q is repeated in %q", value, said)
				}
			}
		}
	})
}
