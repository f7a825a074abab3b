// Package testenv tells tests which things outside Go this machine has: a
// browser, npm packages, Atlassian's API descriptions. The script prepare.sh
// beside it looks for them before "make test". A test that needs a missing
// thing is skipped with its name, except where nothing may be left out
// (COATCHECK_REQUIRE_ALL=1, which CI sets): there it fails.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Root is the folder of this checkout.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Missing leaves a test out for want of what, or fails it where nothing may be
// left out.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("COATCHECK_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is not here, and nothing may be left out (COATCHECK_REQUIRE_ALL=1)", what)
	}
	t.Skipf("LEFT OUT: %s is not here; run make test, which says how to get it", what)
}

// Chromium returns the program of a Chromium-like browser.
func Chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("COATCHECK_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if name == "" {
			continue
		}
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	Missing(t, "Chromium")
	return ""
}

// NPM returns the folder whose node_modules holds the packages of package.json.
func NPM(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("COATCHECK_NPM")
	if dir == "" {
		dir = filepath.Join(Root(), ".cache", "npm")
	}
	for _, name := range []string{"@modelcontextprotocol/inspector", "oidc-provider"} {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(name))); err != nil {
			Missing(t, "npm packages (MCP Inspector, TypeScript SDK, oidc-provider)")
		}
	}
	return dir
}

// Conformance returns the program and the script of MCP's conformance suite.
func Conformance(t testing.TB) (node, script string) {
	t.Helper()
	dir, node := os.Getenv("COATCHECK_NPM"), os.Getenv("COATCHECK_NODE")
	if dir == "" {
		dir = filepath.Join(Root(), ".cache", "npm")
	}
	if node == "" {
		found, _ := filepath.Glob(filepath.Join(dir, "node_modules", "node-linux-*", "bin", "node"))
		node = strings.Join(found, "") // one, for this machine
	}
	script = filepath.Join(dir, "node_modules", "@modelcontextprotocol", "conformance", "dist", "index.js")
	if _, err := os.Stat(script); err != nil || node == "" {
		Missing(t, "the conformance suite of MCP (an npm package), or Node 22 to run it,")
	}
	return node, script
}

// OpenAPI returns the folder with Atlassian's OpenAPI files.
func OpenAPI(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("COATCHECK_OPENAPI")
	if dir == "" {
		dir = filepath.Join(Root(), "..", "shared", "reference", "openapi")
	}
	if _, err := os.Stat(filepath.Join(dir, "confluence-v2.json")); err != nil {
		Missing(t, "Atlassian's OpenAPI files")
	}
	return dir
}
