package company_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/consent"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

// TestWordsOfTheProvider go into a log line and a record: few, short, plain.
func TestWordsOfTheProvider(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.provider.redeem = identity.SignIn{ACR: []string{"urn:\x1b[31mred\u202e" + strings.Repeat("x", 10_000)}}
		for i := range 100 {
			r.provider.redeem.AMR = append(r.provider.redeem.AMR, fmt.Sprint("word-", i))
		}
		_, err := r.Back(t.Context(), consent.Trip{StepUp: true}, consent.Brought{})
		said, ok := usererr.From(err)
		if !ok || said.Code != usererr.Denied {
			t.Fatalf("= %v", err)
		}
		cause := said.Err.Error()
		if !strings.Contains(cause, `"word-7"`) || strings.Contains(cause, "word-8") || !strings.Contains(cause, `"urn:[31mredxx`) {
			t.Errorf("the cause is %s", cause)
		}
		if n := utf8.RuneCountInString(cause); n > 300 || strings.ContainsAny(cause, "\x1b\u202e") || strings.Contains(cause, `\x1b`) || strings.Contains(cause, `\u202e`) {
			t.Errorf("the cause has %d characters: %s", n, cause)
		}
	})
}
