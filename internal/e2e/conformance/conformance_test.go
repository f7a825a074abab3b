package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
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
			url, exempt := newBridge(t, newVault(t, fixtures())), notOffered(suite.revision)
			found := runSuite(t, node, script, suite.revision, url)
			if len(found.problems(exempt)) > 0 {
				// It gives some requests half a second, which a shim that is
				// started for each may miss on a busy machine; not twice.
				t.Logf("once more, since: %v", found.problems(exempt))
				found = runSuite(t, node, script, suite.revision, url)
			}
			for _, problem := range found.problems(exempt) {
				t.Error(problem)
			}
			if found.passed < suite.least {
				t.Errorf("only %d checks passed, want at least %d; the suite says:\n%.4000s", found.passed, suite.least, found.said)
			}
			for name := range exempt {
				if !found.failed(name) {
					t.Errorf("%s passes: take it off the list", name)
				}
			}
			t.Logf("%d checks passed, %d are not offered", found.passed, len(exempt))
		})
	}
}

// findings are what the suite found.
type findings struct {
	passed   int
	failures []failure
	said     []byte
}

// failure is a check that failed, or of which the suite warns.
type failure struct{ scenario, check, text string }

// problems are the failures that are not exempt.
func (f findings) problems(exempt map[string]string) (all []string) {
	for _, one := range f.failures {
		if exempt[one.scenario] == "" && exempt[one.check] == "" {
			all = append(all, one.scenario+": "+one.check+": "+one.text)
		}
	}
	return all
}

// failed reports whether a scenario or check of that name failed.
func (f findings) failed(name string) bool {
	return slices.ContainsFunc(f.failures, func(one failure) bool { return one.scenario == name || one.check == name })
}

func runSuite(t *testing.T, node, script, revision, url string) findings {
	t.Helper()
	results := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, script, "server", "--url", url, "--requirements", revision, "--timeout", "60000", "-o", results)
	cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	said, _ := cmd.CombinedOutput() // fails with each scenario that fails; the results say which
	found := readResults(t, results)
	found.said = said
	return found
}

// scenario takes the name out of that of a folder: server-NAME-TIME.
var scenario = regexp.MustCompile(`^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$`)

func readResults(t *testing.T, dir string) (found findings) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*", "checks.json"))
	if err != nil || len(files) == 0 {
		t.Errorf("no results: %v", err)
	}
	for _, file := range files {
		name := scenario.FindStringSubmatch(filepath.Base(filepath.Dir(file)))
		if name == nil {
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
				found.passed++
			case "FAILURE", "WARNING":
				found.failures = append(found.failures, failure{name[1], c.ID, fmt.Sprintf("%s %.1000s", c.ErrorMessage, c.Details)})
			}
		}
	}
	return found
}
