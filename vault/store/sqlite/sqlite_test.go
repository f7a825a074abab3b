package sqlite_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/store/engine"
	"github.com/coatcheck-mcp/coatcheck/vault/store/sqlite"
)

const things = "CREATE TABLE things (name TEXT PRIMARY KEY, size BIGINT NOT NULL);"

func files(texts ...string) fs.FS {
	all := fstest.MapFS{}
	for i, text := range texts {
		all[fmt.Sprintf("%04d_x.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func open(t testing.TB, cfg sqlite.Config) *sqlite.DB {
	t.Helper()
	if cfg.Migrations == nil {
		cfg.Migrations = files(things)
	}
	db, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("opening: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return db
}

func add(db *sqlite.DB, name string) error {
	return db.Write(context.Background(), func(ctx context.Context, tx *sql.Tx) error {
		return insert(ctx, tx, name)
	})
}

func insert(ctx context.Context, tx *sql.Tx, name string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO things (name, size) VALUES ($1, $2)", name, len(name))
	return err
}

func count(t testing.TB, db *sqlite.DB) (n int) {
	t.Helper()
	if err := db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM things").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// hold keeps the writer busy until the function that it returns is called.
func hold(t testing.TB, db *sqlite.DB) (release func()) {
	t.Helper()
	begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		var once sync.Once
		done <- db.Write(context.Background(), func(context.Context, *sql.Tx) error {
			once.Do(func() { close(begun) })
			<-end
			return nil
		})
	}()
	<-begun
	return sync.OnceFunc(func() {
		close(end)
		if err := <-done; err != nil {
			t.Errorf("the holding write: %v", err)
		}
	})
}

// together starts the writes while the writer is busy, so that they share a
// group, and returns their errors.
func together(t testing.TB, db *sqlite.DB, ops ...func(context.Context, *sql.Tx) error) []error {
	t.Helper()
	release := hold(t, db)
	errs := make([]error, len(ops))
	var wg sync.WaitGroup
	for i, op := range ops {
		wg.Go(func() { errs[i] = db.Write(context.Background(), op) })
	}
	time.Sleep(50 * time.Millisecond) // for them to stand in the queue
	release()
	wg.Wait()
	return errs
}

func TestOneFailureIsUndoneAlone(t *testing.T) {
	db := open(t, sqlite.Config{})
	failure := errors.New("no")
	errs := together(t, db,
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "a") },
		func(ctx context.Context, tx *sql.Tx) error { return errors.Join(insert(ctx, tx, "b"), failure) },
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "c") },
		func(ctx context.Context, tx *sql.Tx) error { _ = insert(ctx, tx, "d"); panic("oh") },
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "e") },
	)
	for i, want := range []bool{true, false, true, false, true} {
		if ok := errs[i] == nil; ok != want {
			t.Errorf("write %d: %v", i, errs[i])
		}
	}
	if !errors.Is(errs[1], failure) || !strings.Contains(fmt.Sprint(errs[3]), "panic") {
		t.Errorf("errors = %v", errs)
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d rows, want 3", n)
	}
}

// TestManyShareACommit looks at the write-ahead log, which grows with commits.
func TestManyShareACommit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := open(t, sqlite.Config{File: file})
	size := func() int64 {
		at, err := os.Stat(file + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return at.Size()
	}
	before := size()
	if err := add(db, "single"); err != nil {
		t.Fatal(err)
	}
	single := size() - before
	ops := make([]func(context.Context, *sql.Tx) error, 50)
	for i := range ops {
		ops[i] = func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, fmt.Sprint(i)) }
	}
	before = size()
	if err := errors.Join(together(t, db, ops...)...); err != nil {
		t.Fatal(err)
	}
	if group := size() - before; single == 0 || group > 10*single {
		t.Errorf("50 writes made the log grow by %d bytes, one by %d", group, single)
	}
	if n := count(t, db); n != 51 {
		t.Errorf("%d rows", n)
	}
}

func TestACallerMayLeave(t *testing.T) {
	db := open(t, sqlite.Config{})
	t.Run("before its turn: never run", func(t *testing.T) {
		release := hold(t, db)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.Write(ctx, func(context.Context, *sql.Tx) error { t.Error("run after its caller had left"); return nil })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write = %v", err)
		}
		release()
		if err := add(db, "next"); err != nil {
			t.Error(err)
		}
	})
	t.Run("while it runs: not before it has", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, out := make(chan struct{}), 0
		go func() { <-begun; cancel() }()
		err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			close(begun)
			time.Sleep(30 * time.Millisecond)
			out++ // the race detector sees it if the caller does not wait
			return ctx.Err()
		})
		if out != 1 || err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("out = %d, err = %v", out, err)
		}
	})
	t.Run("before it asks", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := db.Write(ctx, func(context.Context, *sql.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("Write = %v", err)
		}
	})
}

func TestReadersCannotWrite(t *testing.T) {
	db := open(t, sqlite.Config{File: filepath.Join(t.TempDir(), "vault.db")})
	if _, err := db.Read().ExecContext(t.Context(), "INSERT INTO things (name, size) VALUES ('x', 1)"); err == nil {
		t.Error("a reader wrote")
	}
}

func TestAFullDisk(t *testing.T) {
	db := open(t, sqlite.Config{File: filepath.Join(t.TempDir(), "vault.db"), MaxPages: 12})
	big := strings.Repeat("x", 30_000)
	errs := together(t, db,
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "small") },
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, big) },
		func(ctx context.Context, tx *sql.Tx) error { return insert(ctx, tx, "small too") },
	)
	if errs[0] != nil || errs[2] != nil || !errors.Is(errs[1], engine.ErrFull) {
		t.Fatalf("errors = %v", errs)
	}
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = add(db, fmt.Sprint(i, strings.Repeat("y", 500)))
	}
	if !errors.Is(err, engine.ErrFull) {
		t.Fatalf("filling up: %v", err)
	}
	before := count(t, db) // reading goes on
	err = db.Write(t.Context(), func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "PRAGMA max_page_count = 1000") // room again
		return err
	})
	if err == nil {
		err = add(db, big)
	}
	if n := count(t, db); err != nil || n != before+1 {
		t.Errorf("with room again: %v, %d rows after %d", err, n, before)
	}
}

func TestALockOfAnotherProcess(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := open(t, sqlite.Config{File: file, Patience: 100 * time.Millisecond})
	other := raw(t, file)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := add(db, "a"); !errors.Is(err, engine.ErrLocked) {
		t.Errorf("Write = %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Write waited %v", took)
	}
	if _, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Patience: 100 * time.Millisecond, Migrations: files(things)}); !refused(err, "locked") {
		t.Errorf("Open = %v", err)
	}
	if err := db.Ready(t.Context()); usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "locked") {
		t.Errorf("Ready = %v", err)
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(add(db, "a"), db.Ready(t.Context())); err != nil {
		t.Errorf("after the lock: %v", err)
	}
}

// raw opens file as another program would; one connection.
func raw(t testing.TB, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func refused(err error, words string) bool {
	return usererr.CodeOf(err) == usererr.Settings && strings.Contains(usererr.Text(err, ""), words)
}

func TestCloseEndsWritesAndRefusesMore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	db := open(t, sqlite.Config{File: file})
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for i := range 20 {
		wg.Go(func() {
			for j := 0; ; j++ {
				err := add(db, fmt.Sprint(i, " ", j))
				if err != nil {
					if !errors.Is(err, engine.ErrClosed) {
						t.Errorf("Write = %v", err)
					}
					return
				}
				mu.Lock()
				stored++
				mu.Unlock()
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	if err := db.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	wg.Wait()
	if err := db.Close(); err != nil {
		t.Errorf("Close again = %v", err)
	}
	if _, err := os.Stat(file + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the log was not folded back: %v", err)
	}
	again := open(t, sqlite.Config{File: file})
	if n := count(t, again); n != stored || n == 0 {
		t.Errorf("%d rows, %d were confirmed", n, stored)
	}
}

// TestKilled kills a process that writes, again and again: all that it
// confirmed is there, and the file is sound.
func TestKilled(t *testing.T) {
	if file := os.Getenv("COATCHECK_TEST_WRITE_UNTIL_KILLED"); file != "" {
		writeUntilKilled(t, file)
		return
	}
	file := filepath.Join(t.TempDir(), "vault.db")
	confirmed := map[string]bool{}
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), "COATCHECK_TEST_WRITE_UNTIL_KILLED="+file)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; n < 100 && lines.Scan(); n++ {
			confirmed[lines.Text()] = true
		}
		_ = cmd.Process.Kill()
		for lines.Scan() { // said before it died
			if name := lines.Text(); strings.HasSuffix(name, ".") {
				confirmed[name] = true
			}
		}
		_ = cmd.Wait()
	}
	db := open(t, sqlite.Config{File: file})
	for name := range confirmed {
		var size int
		if err := db.Read().QueryRowContext(t.Context(), "SELECT size FROM things WHERE name = $1", name).Scan(&size); err != nil {
			t.Errorf("%s was confirmed and is lost: %v", name, err)
		}
	}
	var verdict string
	if err := db.Read().QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

func writeUntilKilled(t *testing.T, file string) {
	db := open(t, sqlite.Config{File: file})
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100_000 {
				name := fmt.Sprintf("%d-%d-%d.", os.Getpid(), i, j)
				if err := add(db, name); err != nil {
					return
				}
				mu.Lock()
				fmt.Println(name)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestTwoProcessesWriteAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			db, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: files(things), Patience: 20 * time.Second})
			if err != nil {
				t.Errorf("opening a new file at once: %v", err)
				return
			}
			defer db.Close()
			for i := range 50 {
				if err := add(db, fmt.Sprint(p, "-", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := count(t, open(t, sqlite.Config{File: file})); n != 200 {
		t.Errorf("%d rows, want 200", n)
	}
}

func TestTheFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are inherited from the folder there")
	}
	file := filepath.Join(t.TempDir(), "odd name? #%20.db")
	db := open(t, sqlite.Config{File: file})
	if err := add(db, "a"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, file + "-wal", file + "-shm"} {
		at, err := os.Stat(name)
		if err != nil || at.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, at, err)
		}
	}
}

func TestReady(t *testing.T) {
	db := open(t, sqlite.Config{File: filepath.Join(t.TempDir(), "vault.db")})
	for range 3 {
		if err := db.Ready(t.Context()); err != nil {
			t.Errorf("Ready = %v", err)
		}
	}
	_ = db.Close()
	time.Sleep(1100 * time.Millisecond) // a good answer stands for a second
	if err := db.Ready(t.Context()); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("Ready of a closed database = %v", err)
	}
}

// TestARefusedFileIsLeftAsItWas covers every way in which a file can be wrong.
func TestARefusedFileIsLeftAsItWas(t *testing.T) {
	good := func(t *testing.T, file string) []byte {
		db, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: files(things)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			if err := add(db, strconv.Itoa(i)+strings.Repeat("z", 400)); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, test := range []struct {
		name, words string
		spoil       func(t *testing.T, file string) []byte
		migrations  fs.FS
	}{
		{"text", "is not a SQLite database", func(*testing.T, string) []byte { return []byte(strings.Repeat("dear diary\n", 1000)) }, nil},
		{"another program's", "belongs to another program", func(t *testing.T, file string) []byte {
			if _, err := raw(t, file).ExecContext(t.Context(), "CREATE TABLE recipes (name TEXT)"); err != nil {
				t.Fatal(err)
			}
			data, _ := os.ReadFile(file)
			return data
		}, nil},
		{"a page overwritten", "is damaged", func(t *testing.T, file string) []byte {
			data := good(t, file)
			copy(data[5*4096:], bytes.Repeat([]byte{0xee}, 4096))
			return data
		}, nil},
		{"cut off", "is damaged", func(t *testing.T, file string) []byte { data := good(t, file); return data[:len(data)/2] }, nil},
		{"newer", "newer version of the vault (schema 2, this version knows 1)", func(t *testing.T, file string) []byte {
			db, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: files(things, "CREATE TABLE more (a TEXT)")})
			if err == nil {
				err = db.Close()
			}
			data, _ := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}, nil},
		{"of another branch", "does not match", good, files("CREATE TABLE other (a TEXT);")},
		{"read-only", "cannot be written", func(t *testing.T, file string) []byte {
			data := good(t, file)
			data[18] = 9 // a write version that this SQLite does not know
			return data
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "vault.db")
			data := test.spoil(t, file)
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if test.migrations == nil {
				test.migrations = files(things)
			}
			db, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: test.migrations})
			if err == nil {
				_ = db.Close()
			}
			if !refused(err, test.words) {
				t.Errorf("Open = %v (%s)", err, usererr.Text(err, ""))
			}
			if now, _ := os.ReadFile(file); !bytes.Equal(now, data) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestNoPlaceForAFile(t *testing.T) {
	dir := t.TempDir()
	for file, words := range map[string]string{
		filepath.Join(dir, "missing", "vault.db"): "folder of the database",
		dir: "is not a file",
	} {
		if _, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: files(things)}); !refused(err, words) {
			t.Errorf("Open(%s) = %v", file, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "missing")); err == nil {
		t.Error("the folder was made")
	}
}

func TestMigrations(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vault.db")
	at := func(files fs.FS) (engine.Migrated, error) {
		db, err := sqlite.Open(t.Context(), sqlite.Config{File: file, Migrations: files})
		if err != nil {
			return engine.Migrated{}, err
		}
		defer db.Close()
		return db.Migrated(), add(db, fmt.Sprint(db.Migrated(), time.Now().UnixNano()))
	}
	if got, err := at(files(things)); err != nil || got != (engine.Migrated{From: 0, To: 1}) {
		t.Fatalf("new: %v, %v", got, err)
	}
	if got, err := at(files(strings.ReplaceAll(things, "\n", "\r\n"))); err != nil || got != (engine.Migrated{From: 1, To: 1}) {
		t.Fatalf("again: %v, %v", got, err)
	}
	// A step that fails leaves nothing behind, of itself and those before it.
	if _, err := at(files(things, "CREATE TABLE more (a TEXT);", "INSERT INTO nowhere VALUES (1);")); err == nil {
		t.Fatal("a wrong migration passes")
	}
	if got, err := at(files(things, "CREATE TABLE more (a TEXT); ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT '';")); err != nil || got != (engine.Migrated{From: 1, To: 2}) {
		t.Fatalf("one step: %v, %v", got, err)
	}
	for name, bad := range map[string]fs.FS{
		"none":      fstest.MapFS{},
		"no number": fstest.MapFS{"x_y.sql": &fstest.MapFile{}},
		"twice":     fstest.MapFS{"1_a.sql": &fstest.MapFile{}, "0001_b.sql": &fstest.MapFile{}},
	} {
		if _, err := sqlite.Open(t.Context(), sqlite.Config{Migrations: bad}); err == nil {
			t.Errorf("%s: passes", name)
		}
	}
}
