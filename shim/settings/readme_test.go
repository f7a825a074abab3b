package settings_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/shim/settings"
)

// TestReadme compares the table of settings in the README with the settings.
func TestReadme(t *testing.T) {
	want := "| in a file | flag | in the environment | meaning |\n|---|---|---|---|\n"
	for _, key := range settings.Keys() {
		want += fmt.Sprintf("| `%s` | `--%s` | `%s` | %s |\n", key.Name, key.Flag, key.Env, key.About)
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(text), "\n| in a file |")
	got, _, _ = strings.Cut("| in a file |"+got, "\n\n")
	if diff := cmp.Diff(want, got+"\n"); diff != "" {
		t.Errorf("the README has other settings (-settings +README):\n%s", diff)
	}
}
