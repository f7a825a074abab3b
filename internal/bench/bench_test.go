package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/bench"
	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// TestMain lets the test's program play the bench's other roles.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "role" {
		if err := role.Run(context.Background(), os.Args[2:], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	cmd := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "./cmd/coatcheck", "./cmd/coatcheck-vault")
	cmd.Dir = testenv.Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

// TestRun measures next to nothing and looks whether everything is there. What
// the figures are is not a test's business.
func TestRun(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // it builds a program
	defer cancel()
	var out bytes.Buffer
	err = bench.Run(ctx, bench.Options{
		Bin: programs(t), Self: self, NPM: filepath.Join(t.TempDir(), "none"), Out: &out,
		Counts: bench.Counts{Rounds: 2, Spawns: 1, Bridges: 1, Trips: 3, Calls: 70, Idle: []int{40}, Moves: 1, File: 1 << 20},
	})
	if err != nil {
		t.Fatalf("Run: %v\n%s", err, &out)
	}
	echoes := []string{"coatcheck", "direct Go stdio server", "bare websocket (the limit)"}
	want := map[string][]string{
		"(a) spawn":            {"coatcheck", "coatcheck, not signed in", "coatcheck, vault down", "direct Go stdio server"},
		"(b) round trip, 1 KB": echoes, "(b) round trip, 64 KB": echoes,
		"(c) calls/s, 1 KB, 16": echoes, "(c) calls/s, 1 KB, 64": echoes,
		"(e) program":             {"coatcheck", "direct Go stdio server"},
		"(g) storage format":      {"coatcheck", "encoding/xml, HTML nodes, html-to-markdown"},
		"whole vault: round trip": {"the whole vault", "direct Go stdio server"},
		"whole vault: calls/s of confluence_list_spaces, 16": {"the whole vault", "direct Go stdio server"},
		"whole vault: calls/s of confluence_list_spaces, 64": {"the whole vault", "direct Go stdio server"},
	}
	if runtime.GOOS == "linux" {
		want["(d) resident memory when idle"] = []string{"coatcheck", "direct Go stdio server"}
		want["(d) peak memory"] = []string{"coatcheck", "direct Go stdio server"}
		want["(f) vault memory"] = []string{"40 streams"}
	}
	tables := strings.Split(out.String(), "\n\n")
	for heading, rows := range want {
		checkTable(t, tables, heading, rows)
	}
	for _, absent := range []string{"mcp-remote", "supergateway"} {
		if !strings.Contains(out.String(), "left out: "+absent) {
			t.Errorf("nothing says that %s is left out:\n%s", absent, &out)
		}
	}
	for _, verdict := range []string{"<= 1.2 x direct Go stdio server: ", ">= 0.5 x direct Go stdio server: ", "<= 12: ", ">= 2 x encoding/xml, HTML nodes, html-to-markdown: "} {
		if !regexp.MustCompile(regexp.QuoteMeta(verdict) + "(reached|MISSED)").MatchString(out.String()) {
			t.Errorf("no verdict on %q:\n%s", verdict, &out)
		}
	}
}

// checkTable looks for a table and for a figure in each of its rows.
func checkTable(t *testing.T, tables []string, heading string, rows []string) {
	t.Helper()
	for _, table := range tables {
		if !strings.HasPrefix(strings.TrimSpace(table), heading) {
			continue
		}
		for _, row := range rows {
			if !regexp.MustCompile(`(?m)^  ` + regexp.QuoteMeta(row) + ` {2,}-?[0-9]`).MatchString(table) {
				t.Errorf("no figure for %q in:\n%s", row, table)
			}
		}
		return
	}
	t.Errorf("no table %q", heading)
}

func TestBrokenProgramIsAnError(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	run := func() error {
		return bench.Run(t.Context(), bench.Options{Bin: bin, Self: self, Out: io.Discard, Counts: bench.Counts{Rounds: 1, Spawns: 1, Bridges: 1, Trips: 1, Calls: 1}})
	}
	if err := run(); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "coatcheck") {
		t.Errorf("Run without programs: %v, want an error that names coatcheck", err)
	}
	if err := os.WriteFile(filepath.Join(bin, "coatcheck"), []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(); err == nil || !strings.Contains(err.Error(), "starting coatcheck") {
		t.Errorf("Run with a broken program: %v, want an error that names coatcheck", err)
	}
}
