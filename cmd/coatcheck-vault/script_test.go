package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
)

var update = flag.Bool("update", false, "write the golden parts of testdata anew")

// TestMain lets scripts run this program as "coatcheck-vault", in a process of
// its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"coatcheck-vault": main})
}

// TestScripts runs testdata/*.txtar. Each begins with the settings of
// sample, in vault.yaml, and a free address in $LISTEN.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			address, err := stage.FreeAddress(t.Context())
			if err != nil {
				return err
			}
			env.Setenv("LISTEN", address)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("COLUMNS", "80")
			env.Setenv("ACME_CLIENT_SECRET", "CANARY-client-secret")
			return os.WriteFile(env.WorkDir+"/vault.yaml", []byte(strings.ReplaceAll(sample, "$LISTEN", env.Getenv("LISTEN"))), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"damage": damage, "exits": exits, "flip": flip, "half": half, "hangup": hangup, "keep": keep, "lock": lock, "ready": ready, "sql": query, "taken": taken, "terminate": terminate, "verify": verify,
		},
	})
}

const sample = `network: {listen: "$LISTEN"}
store:   {url: "sqlite:vault.db"}
keys:    {kek: "file:kek"}
tenants:
  acme:
    sites:
      wiki: {kind: cloud, base_url: "https://acme.atlassian.net"}
    oauth:
      client_id: acme-app
      client_secret: "env:ACME_CLIENT_SECRET"
      scopes: ["read:page:confluence"]
access: {denied_spaces: [LEGAL]}
`

// exits runs a program and wants one exit status: exits 2 coatcheck-vault serve
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits status program [argument...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ended, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = ended.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// flip changes one bit at the first place in a file where a text is:
// flip vault.db 'by an administrator'
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip file text")
	}
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	at := bytes.Index(data, []byte(args[1]))
	if at < 0 {
		ts.Fatalf("%q is not in %s", args[1], args[0])
	}
	data[at] ^= 1
	ts.Check(os.WriteFile(name, data, 0o600))
}

// keep copies files to names that end in .kept, or compares them with their
// copies: keep vault.db, later: ! keep vault.db
func keep(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		now, err := os.ReadFile(ts.MkAbs(name))
		ts.Check(err)
		copied := ts.MkAbs(name + ".kept")
		if !neg {
			ts.Check(os.WriteFile(copied, now, 0o600))
			continue
		}
		before, err := os.ReadFile(copied)
		ts.Check(err)
		if !bytes.Equal(before, now) {
			ts.Fatalf("%s was changed", name)
		}
	}
}

// ready waits for the vault at $LISTEN.
func ready(ts *testscript.TestScript, _ bool, _ []string) {
	for range 1000 {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+ts.Getenv("LISTEN")+"/readyz", nil)
		ts.Check(err)
		if res, err := http.DefaultClient.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("the vault did not get ready within 20 s")
}

// damage overwrites the second quarter of a file.
func damage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: damage file")
	}
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for i := len(data) / 4; i < len(data)/2; i++ {
		data[i] = 'x'
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// lock keeps a database locked for the rest of the script.
func lock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lock file")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	conn, err := db.Conn(context.Background())
	ts.Check(err)
	_, err = conn.ExecContext(context.Background(), "BEGIN EXCLUSIVE")
	ts.Check(err)
	ts.Defer(func() { _, _ = conn.Close(), db.Close() })
}

// query runs statements on a database as somebody else would: sql vault.db 'DELETE …'
func query(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql file statements")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0])+"?_pragma=busy_timeout(10000)")
	ts.Check(err)
	defer func() { ts.Check(db.Close()) }()
	_, err = db.ExecContext(context.Background(), args[1])
	ts.Check(err)
}

// taken listens at $LISTEN for the rest of the script, as another program.
func taken(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", ts.Getenv("LISTEN"))
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
}

// hangup sends SIGHUP to the background processes.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGHUP))
	}
}

// terminate sends SIGTERM to the background processes.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}
