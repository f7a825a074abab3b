package oidc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/signin/oidc/oidctest"
)

// TestWordsThatNobodyNeeds are as good as none, whatever the form.
func TestWordsThatNobodyNeeds(t *testing.T) {
	var many []string
	for i := range 100 {
		many = append(many, fmt.Sprint("w", i))
	}
	for name, claim := range map[string]any{
		"a long list": many, "a long text of short ones": strings.Join(many, " "),
		"a long word": strings.Repeat("w", 10_000), "a long one in a list": []string{"mfa", strings.Repeat("w", 10_000)},
	} {
		p := oidctest.New(t, "", ada(nil))
		p.Set(func(s *oidctest.State) { s.Forge = func(c map[string]any) { c["amr"] = claim } })
		if who, err := trip(t, p, client(t, p, nil), nil, nil); err != nil || len(who.AMR) > 0 {
			t.Errorf("%s: %d words, %v", name, len(who.AMR), err)
		}
	}
}
