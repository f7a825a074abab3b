package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/coatcheck-mcp/coatcheck/internal/demo/stage"
	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
)

// outage is what calls say without a working database: what is the matter, and
// what to do.
var outage = regexp.MustCompile(`^The vault cannot (store its audit record, so it may not answer|check who is calling|check at the moment whether access was revoked, so it answers nothing|use its database|note the change before making it)\. .*(Try|try) again in a minute`)

// TestTheDatabaseFailsUnderCalls takes the database away from a vault that is
// running: every call says so and what to do, nothing is written, nothing is
// signed in, and once the database is back all goes on without a restart.
func TestTheDatabaseFailsUnderCalls(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		store   func(t *testing.T) (url string, server *testenv.Server) // nil for SQLite
		trouble func(w *world, server *testenv.Server) (heal func())    // a nil heal: there is none
	}{
		"SQLite, locked":      {nil, lockDatabase},
		"SQLite, a full disk": {nil, fillDisk},
		"SQLite, damaged":     {nil, damageDatabase},
		"PostgreSQL, stopped": {func(t *testing.T) (string, *testenv.Server) {
			server := newPostgres(t)
			return server.Database(t), server
		}, func(w *world, server *testenv.Server) func() {
			server.Stop()
			return func() { server.Start(w.t) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opt stage.Options
			var server *testenv.Server
			if test.store != nil {
				opt.Store, server = test.store(t)
			}
			w := newWorld(t, opt)
			c := startRaw(t, signedInLaptop(t, w).Shim(context.WithoutCancel(t.Context())))
			c.initialize("2025-11-25")
			if text, failed, err := c.tool("0", "confluence_list_spaces", nil); err != nil || failed {
				t.Fatalf("before the trouble: %q, %v", text, err)
			}
			heal := test.trouble(w, server)
			w.callInVain(c)
			w.arriveInVain()
			if heal == nil {
				return
			}
			heal()
			w.callAgain(c)
		})
	}
}

// callInVain calls without a database.
func (w *world) callInVain(c *rawClient) {
	w.t.Helper()
	before := len(w.Sim.Writes())
	for i, tool := range []string{"confluence_list_spaces", "confluence_create_page", "coatcheck_status"} {
		args := map[string]any{}
		if tool == "confluence_create_page" {
			args = map[string]any{"space": "ENG", "title": "Trouble", "body": "Text"}
		}
		text, failed, err := c.tool(fmt.Sprintf(`"vain %d"`, i), tool, args)
		if err != nil || !failed || !outage.MatchString(text) {
			w.t.Errorf("%s without the database: %v, %q, %v", tool, failed, text, err)
		}
		if strings.Contains(text, "sql") || strings.Contains(text, "disk I/O") || strings.Contains(text, w.Dir) {
			w.t.Errorf("%s says more than a person should see: %q", tool, text)
		}
		if tool == "confluence_create_page" && !strings.Contains(text, "Nothing was changed") {
			w.t.Errorf("whether the page was made is not said: %q", text)
		}
	}
	if n := len(w.Sim.Writes()) - before; n != 0 {
		w.t.Errorf("%d writes were sent to Confluence without a record", n)
	}
}

// arriveInVain starts a shim on a laptop that nobody has signed in on.
func (w *world) arriveInVain() {
	w.t.Helper()
	opened, _ := w.Opened()
	c := startRaw(w.t, w.laptop("ben").Shim(context.WithoutCancel(w.t.Context())))
	c.initialize("2025-11-25")
	text, failed, err := c.tool("1", "confluence_list_spaces", nil)
	if err != nil || !failed || !strings.Contains(text, "the vault cannot check who is calling") || !strings.Contains(text, "tell the vault's administrator") {
		w.t.Errorf("the first call of somebody new: %v, %q, %v", failed, text, err)
	}
	if now, _ := w.Opened(); len(now) != len(opened) {
		w.t.Error("a tab was opened for a sign-in that cannot be")
	}
	_ = c.in.Close()
	c.once()
}

// callAgain wants all to be well, and the page that was in vain to be made once.
func (w *world) callAgain(c *rawClient) {
	w.t.Helper()
	for n := 0; ; n++ {
		time.Sleep(200 * time.Millisecond)
		text, failed, err := c.tool(fmt.Sprintf(`"again %d"`, n), "confluence_create_page", map[string]any{"space": "ENG", "title": "Trouble", "body": "Text"})
		if err == nil && !failed {
			break
		}
		if n == 100 {
			w.t.Fatalf("with the database back: %q, %v", text, err)
		}
	}
	if n := w.Sim.CountPages("ENG", "Trouble"); n != 1 {
		w.t.Errorf("the page was made %d times", n)
	}
	if out := w.vault("audit", "verify"); !strings.Contains(out, "all intact") {
		w.t.Errorf("audit: %s", out)
	}
	c.once()
}

func (w *world) openDatabase() *sql.DB {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(w.Dir, "vault", "vault.db"))+"?_txlock=immediate")
	if err != nil {
		w.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

// lockDatabase begins to write as another program and does not end.
func lockDatabase(w *world, _ *testenv.Server) func() {
	tx, err := w.openDatabase().BeginTx(w.t.Context(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

// damageDatabase lets the tables point to where there is nothing.
func damageDatabase(w *world, _ *testenv.Server) func() {
	db := w.openDatabase()
	for _, text := range []string{
		"PRAGMA writable_schema = ON", "UPDATE sqlite_schema SET rootpage = 1000000 + rootpage WHERE type = 'table'",
		"PRAGMA schema_version = 1000000", // so that the vault looks
	} {
		if _, err := db.ExecContext(w.t.Context(), text); err != nil {
			w.t.Fatal(err)
		}
	}
	return nil
}

// fillDisk lets the vault write no file beyond its first bytes.
func fillDisk(w *world, _ *testenv.Server) func() {
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		w.t.Skip("needs prlimit")
	}
	limit := func(bytes string) {
		if out, err := exec.CommandContext(w.t.Context(), prlimit, "--pid", fmt.Sprint(w.VaultPID()), "--fsize="+bytes+":").CombinedOutput(); err != nil {
			w.t.Fatalf("prlimit: %v\n%s", err, out)
		}
	}
	limit("4096")
	return func() { limit("unlimited") }
}
