package conformance_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// notOffered is what the suite wants of a revision and Coatcheck does not offer,
// by the name of a scenario or of one check in it, with the reason. Nothing else
// may fail, and what is here must.
func notOffered(revision string) map[string]string {
	const (
		http  = "is about servers over HTTP; Coatcheck speaks stdio to clients, and the bridge of this test is no part of it"
		tasks = "is the extension of tasks, which Coatcheck does not announce: its calls end within a minute"
	)
	if revision < stateless {
		return map[string]string{"dns-rebinding-protection": http, "server-sse-polling": http}
	}
	return map[string]string{
		"dns-rebinding-protection":                 http,
		"http-header-validation":                   http,
		"http-custom-header-server-validation":     http,
		"sep-2575-http-server-header-mismatch-400": http,
		"tasks-lifecycle":                          tasks,
		"tasks-capability-negotiation":             tasks,
		"tasks-wire-fields":                        tasks,
		"tasks-request-state-removal":              tasks,
		"tasks-mrtr-input":                         tasks,
		"tasks-request-headers":                    tasks,
		"tasks-dispatch-and-envelope":              tasks,
		"tasks-required-task-error":                tasks,
		"tasks-mrtr-composition":                   tasks,
	}
}

// TestConformance runs what each generation of the protocol requires. What the
// suite adds with a newer version runs too: it must pass or be listed.
func TestConformance(t *testing.T) {
	node, script := testenv.Conformance(t)
	for _, suite := range []struct {
		revision string
		least    int // checks that pass; fewer mean that the suite did not run
	}{{"2025-11-25", 78}, {stateless, 140}} {
		t.Run(suite.revision, func(t *testing.T) {
			t.Parallel()
			url := newBridge(t, newVault(t, fixtures()))
			results := t.TempDir()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, node, script, "server", "--url", url, "--requirements", suite.revision, "--timeout", "60000", "-o", results)
			cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
			out, _ := cmd.CombinedOutput() // fails with each scenario that fails; the results say which
			exempt := notOffered(suite.revision)
			passed, failed := readResults(t, results, exempt)
			if passed < suite.least {
				t.Errorf("only %d checks passed, want at least %d; the suite says:\n%.4000s", passed, suite.least, out)
			}
			for name := range exempt {
				if !failed[name] {
					t.Errorf("%s passes: take it off the list", name)
				}
			}
			t.Logf("%d checks passed, %d are not offered", passed, len(exempt))
		})
	}
}

// scenario takes the name out of that of a folder: server-NAME-TIME.
var scenario = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$`)

// readResults reports what failed and is not exempt, and returns how many checks
// passed and which of the exempt scenarios and checks failed.
func readResults(t *testing.T, dir string, exempt map[string]string) (passed int, failed map[string]bool) {
	t.Helper()
	failed = map[string]bool{}
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil || len(files) == 0 {
		t.Errorf("no results: %v", err)
	}
	slices.Sort(files)
	for _, file := range files {
		found := scenario.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		if found == nil {
			t.Fatalf("results in a folder of another form: %s", file)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var checks []struct {
			ID, Status, ErrorMessage string
			Details                  json.RawMessage
		}
		if err := json.Unmarshal(text, &checks); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, c := range checks {
			switch c.Status {
			case "SUCCESS":
				passed++
			case "FAILURE", "WARNING":
				failed[c.ID], failed[found[1]] = true, true
				if exempt[c.ID] == "" && exempt[found[1]] == "" {
					t.Errorf("%s: %s: %s\n%.1000s", found[1], c.ID, c.ErrorMessage, c.Details)
				}
			}
		}
	}
	return passed, failed
}
