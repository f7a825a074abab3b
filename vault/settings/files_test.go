package settings_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/policy"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// TestRulesAboutFiles: they reach the policy, from the file and the environment,
// and what is wrong with them is said with its line.
func TestRulesAboutFiles(t *testing.T) {
	s, err := load(t, sample)
	if err != nil || s.Rules().NoFiles {
		t.Fatalf("files are switched off by default, or %v", err)
	}
	s, err = load(t, sample+"governance: {attachments: {allowed_types: [.pdf, image/*], max_mib: 20}}\nfeatures: {attachments: false}\n",
		"COATCHECK_GOVERNANCE_ATTACHMENTS_DENIED_TYPES=.svg, .exe")
	if err != nil {
		t.Fatal(err)
	}
	want := policy.Attachments{AllowedTypes: []string{".pdf", "image/*"}, DeniedTypes: []string{".svg", ".exe"}, MaxMiB: 20}
	if diff := cmp.Diff(want, s.Rules().Attachments); diff != "" || !s.Rules().NoFiles {
		t.Errorf("the rules (-want +got):\n%s", diff)
	}
	for _, key := range []string{"governance.attachments.denied_types", "governance.attachments.max_mib", "features.attachments"} {
		if !settings.Live(key) {
			t.Errorf("%s needs a restart", key)
		}
	}
	_, err = load(t, sample+"governance: {attachments: {denied_types: [exe], max_mib: -1}}\n")
	text := usererr.Text(err, "")
	for _, problem := range []string{`governance.attachments.denied_types: "exe" is neither`, "governance.attachments.max_mib: must be from 0"} {
		if !strings.Contains(text, problem) || !strings.Contains(text, "vault.yaml:") {
			t.Errorf("missing %q in %s", problem, text)
		}
	}
}
