package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
	"github.com/coatcheck-mcp/coatcheck/vault/store/postgres"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

const things = "CREATE TABLE things (id TEXT PRIMARY KEY, n BIGINT NOT NULL); INSERT INTO things VALUES ('a', 0)"

func files(texts ...string) fs.FS {
	all := fstest.MapFS{"0001_other.sqlite.sql": {Data: []byte("never read here")}}
	for i, text := range texts {
		all["000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func open(t testing.TB, url string, texts ...string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: files(texts...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// add counts the thing up the way that loses when others do the same at once.
func add(ctx context.Context, db *postgres.DB) error {
	return db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var n int64
		if err := tx.QueryRowContext(ctx, "SELECT n FROM things WHERE id = $1", "a").Scan(&n); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "UPDATE things SET n = $2 WHERE id = $1", "a", n+1)
		return err
	})
}

func count(t testing.TB, db *postgres.DB) (n int64) {
	t.Helper()
	if err := db.Read().QueryRowContext(t.Context(), "SELECT n FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestWritesRunAsIfAlone lets replicas count the same thing at the same time.
func TestWritesRunAsIfAlone(t *testing.T) {
	url := testenv.Postgres(t)
	const replicas, times = 3, 30
	var all sync.WaitGroup
	for range replicas {
		db := open(t, url, things)
		all.Go(func() {
			for range times {
				if err := add(t.Context(), db); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := count(t, open(t, url, things)); n != replicas*times {
		t.Errorf("counted %d, want %d", n, replicas*times)
	}
}

// TestManyOpenAtOnce: one of them makes the tables, all find them.
func TestManyOpenAtOnce(t *testing.T) {
	url := testenv.Postgres(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for range 6 {
		all.Go(func() {
			db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: files(things, "ALTER TABLE things ADD COLUMN colour TEXT")})
			if err != nil {
				t.Error(err)
				return
			}
			defer db.Close()
			mu.Lock()
			defer mu.Unlock()
			if db.Migrated() == (engine.Migrated{From: 0, To: 2}) {
				made++
			}
		})
	}
	if all.Wait(); made != 1 {
		t.Errorf("%d made the tables", made)
	}
}

// TestUpgrades: what an older version wrote is brought up to date, a wrong step
// changes nothing, and what does not fit is refused.
func TestUpgrades(t *testing.T) {
	url := testenv.Postgres(t)
	_ = open(t, url, things).Close()
	_, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: files(things, "ALTER TABLE things ADD COLUMN colour TEXT; CREATE TABLE nonsense")})
	if usererr.CodeOf(err) != usererr.Settings {
		t.Errorf("a wrong step: %v", err)
	}
	const more = "ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT ''"
	db := open(t, url, things, more)
	if db.Migrated() != (engine.Migrated{From: 1, To: 2}) || add(t.Context(), db) != nil {
		t.Errorf("migrated %+v", db.Migrated())
	}
	if again := open(t, url, things, more).Migrated(); again != (engine.Migrated{From: 2, To: 2}) {
		t.Errorf("the second time: %+v", again)
	}
	for words, texts := range map[string][]string{
		"newer version":     {things},
		"does not match":    {things + " ", more},
		"":                  {things, more},
		"does not match ":   {things, more + " "},
		"does not match  ":  {more, things},
		"does not match   ": {things + "\n", more},
	} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: files(texts...)})
		if text := usererr.Text(err, ""); (err != nil) != (words != "") || !strings.Contains(text, strings.TrimSpace(words)) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	url := testenv.Postgres(t)
	server := testenv.SharedPostgres()
	foreign := server.Database(t)
	other := open(t, foreign, things)
	if _, err := other.Read().ExecContext(t.Context(), "DROP TABLE migration_lock, migrations"); err != nil {
		t.Fatal(err)
	}
	for address, words := range map[string]string{
		"postgres://joe:CANARY@127.0.0.1:9/x?sslmode=disable&connect_timeout=1": "cannot be reached",
		"postgres://joe:CANARY@db.example.com/x":                                "would not be encrypted",
		"postgres://joe:CANARY@db.example.com/x?sslmode=disable":                "would not be encrypted",
		"postgres://joe:CANARY@localhost,db.example.com/x?sslmode=prefer":       "would not be encrypted",
		"postgres://joe:CANARY@db/x?sslmode=CANARY":                             "is not the address",
		strings.Replace(url, "postgres:///t", "postgres:///nobodys", 1):         "does not exist",
		strings.Replace(url, "user=postgres", "user=nobody", 1):                 "does not let the vault in",
		foreign: "tables of another program",
	} {
		_, err := postgres.Open(t.Context(), postgres.Config{URL: address, Migrations: files(things)})
		text := usererr.Text(err, "")
		if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(text, words) || strings.Contains(text, "CANARY") {
			t.Errorf("Open(%q) = %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("Open(%q) tells the password: %v", address, err)
		}
	}
}

// TestAServerThatGoesAway: writes fail clearly and in time, and go on without a
// restart once it is back.
func TestAServerThatGoesAway(t *testing.T) {
	t.Parallel()
	server := testenv.NewPostgres(t, 0)
	t.Cleanup(func() { _ = server.Remove() })
	db := open(t, server.Database(t), things)
	for range 2 {
		if err := errors.Join(add(t.Context(), db), db.Ready(t.Context())); err != nil {
			t.Fatal(err)
		}
		server.Stop()
		began := time.Now()
		if err := add(t.Context(), db); !errors.Is(err, engine.ErrDown) {
			t.Errorf("without a server: %v", err)
		}
		time.Sleep(1100 * time.Millisecond) // as long as the last good answer stands
		if err := db.Ready(t.Context()); usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "cannot be reached") {
			t.Errorf("Ready = %v", err)
		}
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("that took %v", took)
		}
		server.Start(t)
	}
	if err := add(t.Context(), db); err != nil {
		t.Errorf("with the server back: %v", err)
	}
	if n := count(t, db); n != 3 {
		t.Errorf("counted %d", n)
	}
}

// TestDeadlines: a write ends at its deadline though somebody holds what it
// needs, and a caller that has left is not served.
func TestDeadlines(t *testing.T) {
	db := open(t, testenv.Postgres(t), things)
	held, err := db.Read().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Rollback()
	if _, err := held.ExecContext(t.Context(), "UPDATE things SET n = 7"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := add(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the row is held: %v", err)
	}
	if err := add(ctx, db); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the deadline: %v", err)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := add(t.Context(), db); err != nil {
		t.Errorf("after it was let go: %v", err)
	}
	mine := errors.New("mine")
	if err := db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE things SET n = 9")
		return errors.Join(err, mine)
	}); !errors.Is(err, mine) || count(t, db) != 1 {
		t.Errorf("an operation that fails: %v, counted %d", err, count(t, db))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := add(t.Context(), db); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestEach reads the way that the server and what is between it and the vault
// allow.
func TestEach(t *testing.T) {
	url := testenv.Postgres(t)
	two := things + "; INSERT INTO things VALUES ('\\x\"', 9223372036854775807)"
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			db := open(t, url+"&default_query_exec_mode="+mode, two)
			var n int64
			var id, raw, none []byte
			var got []string
			into := []any{&n, &id, &raw, &none}
			query := engine.Statement{Query: `SELECT n, id, decode('005cff', 'hex'), NULL::bytea FROM things WHERE id > $1 AND n >= $2 ORDER BY n`, Args: []any{"", int64(0)}}
			row := func() { got = append(got, fmt.Sprintf("%d %s %x %t", n, id, raw, none == nil)) }
			if err := db.Each(t.Context(), query, into, row); err != nil {
				t.Fatal(err)
			}
			want := []string{"0 a 005cff true", `9223372036854775807 \x" 005cff true`}
			if !slices.Equal(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
			got = nil
			if err := engine.Each(t.Context(), db.Read(), query, into, row); err != nil || !slices.Equal(got, want) {
				t.Errorf("another engine found %q, %v", got, err)
			}
		})
	}
}

// TestEachThatFails leaves a connection that others can use.
func TestEachThatFails(t *testing.T) {
	db, err := postgres.Open(t.Context(), postgres.Config{URL: testenv.Postgres(t), Migrations: files(things), Conns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var n int64
	many := engine.Statement{Query: "SELECT n::bigint FROM generate_series(1, 1000000) n"}
	for name, test := range map[string]struct {
		query engine.Statement
		row   func()
	}{
		"no such table":   {engine.Statement{Query: "SELECT n FROM nothing"}, func() {}},
		"fails later":     {engine.Statement{Query: "SELECT 1000 / (100 - n)::bigint FROM generate_series(1, 1000) n"}, func() {}},
		"another type":    {engine.Statement{Query: "SELECT id FROM things"}, func() {}},
		"nothing in it":   {engine.Statement{Query: "SELECT NULL::bigint"}, func() {}},
		"the caller left": {many, func() { cancel() }},
	} {
		if err := db.Each(ctx, test.query, []any{&n}, test.row); err == nil {
			t.Errorf("%s: no error", name)
		}
		ctx, cancel = context.WithCancel(t.Context())
		defer cancel()
		if got := count(t, db); got != 0 {
			t.Errorf("%s: afterwards there is %d", name, got)
		}
	}
}
