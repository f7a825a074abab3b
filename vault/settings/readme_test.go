package settings_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// table returns the rows of the table in the README whose head begins so.
func table(t *testing.T, head string) [][]string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n"+head)
	if !found {
		t.Fatalf("the README has no table that begins with %s", head)
	}
	rest, _, _ = strings.Cut(rest, "\n\n")
	var rows [][]string
	for _, line := range strings.Split(rest, "\n")[2:] {
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "|"), `\|`, "/"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

var quoted = regexp.MustCompile("`([^`]+)`")

func words(cell string) []string {
	var all []string
	for _, found := range quoted.FindAllStringSubmatch(cell, -1) {
		all = append(all, found[1])
	}
	return all
}

// TestReadme compares the table of settings in the README, and the defaults
// that it names, with the settings.
func TestReadme(t *testing.T) {
	documented := map[string]string{} // default by key, "" where it is put in words
	for _, row := range table(t, "| setting | default |") {
		keys, defaults := words(row[0]), words(row[1])
		if rest := strings.Trim(quoted.ReplaceAllString(row[1], ""), ", "); rest != "" {
			defaults = nil
		}
		for i, key := range keys {
			if i > 0 { // stands for the one before with another end
				key = keys[0][:strings.LastIndexByte(keys[0], '.')+1] + key
			}
			if _, twice := documented[key]; twice {
				t.Errorf("%s is in the README twice", key)
			}
			documented[key] = ""
			if len(defaults) == len(keys) {
				documented[key] = defaults[i]
			}
		}
	}
	s, err := load(t, `tenants:
  name:
    sites: {name: {base_url: "https://acme.atlassian.net"}}
    oauth: {client_id: id, client_secret: "env:ACME_CLIENT_SECRET", scopes: [a]}
admin: {keys: {name: {role: auditor, key: "env:ADMIN_KEY"}}}
`, "ADMIN_KEY=0123456789abcdef0123456789abcdef0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	var real, told []string
	for _, line := range s.Lines() {
		key := strings.ReplaceAll(line.Key, ".name.", ".NAME.")
		real = append(real, key)
		if want := documented[key]; want != "" && want != line.Value {
			t.Errorf("%s is %q by default, and the README says %q", key, line.Value, want)
		}
	}
	for key := range documented {
		told = append(told, key)
	}
	slices.Sort(real)
	slices.Sort(told)
	if diff := cmp.Diff(real, told); diff != "" {
		t.Errorf("the README has other settings (-settings +README):\n%s", diff)
	}
}

// TestTheShimsVariables sets each variable that the README names for the shim,
// which shares the prefix: a vault does not take one for a mistake.
func TestTheShimsVariables(t *testing.T) {
	names := []string{"COATCHECK_CONFIG"}
	for _, row := range table(t, "| in a file | flag |") {
		names = append(names, words(row[2])...)
	}
	if len(names) < 8 {
		t.Fatalf("the README names only %q", names)
	}
	for _, name := range names {
		s, err := load(t, sample, name+"=x")
		if err != nil || len(s.Warnings) > 0 {
			t.Errorf("%s: %v, %q", name, err, s.Warnings)
		}
		if slices.ContainsFunc(s.Lines(), func(l settings.Line) bool { return strings.HasSuffix(l.Source, name) }) {
			t.Errorf("%s changes a setting of the vault", name)
		}
	}
}
