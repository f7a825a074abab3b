package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Server is a throw-away PostgreSQL in a folder of its own, which listens on a
// socket there and, if asked, on a port of the loopback. It ends with its
// process at the latest.
type Server struct {
	dir  string
	bin  string
	port int // 0 for the socket alone
	more []string

	mu   sync.Mutex
	stop func(os.Signal) // guarded by mu; nil while it does not run
	next int             // guarded by mu; number of the next database
}

// postgresBin returns the folder with the programs of PostgreSQL.
func postgresBin(t testing.TB) string {
	t.Helper()
	dirs := []string{os.Getenv("COATCHECK_POSTGRES")}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // Debian keeps them off the path
	for _, dir := range slices.Concat(dirs, found) {
		if whole(dir) {
			return dir
		}
	}
	Missing(t, "PostgreSQL")
	return ""
}

// whole reports whether dir has all the programs that are needed.
func whole(dir string) bool {
	for _, program := range []string{"initdb", "postgres", "psql", "pg_dump"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); dir == "" || err != nil {
			return false
		}
	}
	return true
}

// Durable are the settings of a server that keeps what it has committed, as one
// is set up unless somebody wants otherwise.
func Durable() []string { return []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on"} }

// NewPostgres makes a server and starts it. port is for those who stop it and
// start it again behind an address; 0 is none. It does not wait for the disk,
// unless settings ("fsync=on") say so; see [Durable].
func NewPostgres(t testing.TB, port int, settings ...string) *Server {
	t.Helper()
	s := &Server{bin: postgresBin(t), port: port, next: 1, more: settings}
	var err error
	// The name of a socket is at most some 100 bytes long.
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		t.Fatal(err)
	}
	if err := give(s.dir); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	cmd := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &said, &said
	become(cmd)
	if err := cmd.Run(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, &said)
	}
	s.Start(t)
	return s
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Start starts the server, anew if it was stopped.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "max_connections=200"}
	if s.port == 0 {
		args = append(args, "-c", "listen_addresses=")
	} else {
		args = append(args, "-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(s.port))
	}
	for _, setting := range s.more { // what comes later counts
		args = append(args, "-c", setting)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	become(cmd)
	stop, err := launch(cmd)
	_ = log.Close()
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.stop = stop
	s.mu.Unlock()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		err := s.psql("SELECT 1", "postgres")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("PostgreSQL does not start: %v\n%s", err, said)
		}
	}
}

// Stop stops the server as an administrator would, without waiting for clients.
func (s *Server) Stop() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop(os.Interrupt)
	}
}

// Remove stops the server and takes its folder away.
func (s *Server) Remove() error {
	s.Stop()
	return os.RemoveAll(s.dir)
}

// Database makes an empty database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	name := "t" + strconv.Itoa(s.next)
	s.next++
	s.mu.Unlock()
	if err := s.psql("CREATE DATABASE "+name, "postgres"); err != nil {
		t.Fatal(err)
	}
	return s.URL(name)
}

// URL is the address of a database.
func (s *Server) URL(database string) string {
	if s.port != 0 {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
	}
	return "postgres:///" + database + "?" + url.Values{"host": {s.dir}, "user": {"postgres"}, "sslmode": {"disable"}}.Encode()
}

// Dump returns what pg_dump says of a database.
func (s *Server) Dump(t testing.TB, address string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), filepath.Join(s.bin, "pg_dump"), address).CombinedOutput()
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, out)
	}
	return out
}

// Restore runs a dump in an empty database.
func (s *Server) Restore(t testing.TB, address string, dump []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", address)
	cmd.Stdin = bytes.NewReader(dump)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}

func (s *Server) psql(command, database string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	port := 5432
	if s.port != 0 {
		port = s.port
	}
	out, err := exec.CommandContext(ctx, filepath.Join(s.bin, "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1",
		"-h", s.dir, "-p", strconv.Itoa(port), "-U", "postgres", "-d", database, "-c", command).CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	return nil
}

// shared is the server that the tests of one program share.
var shared struct {
	once   sync.Once
	server *Server
}

// Postgres returns the address of a new, empty database on a server that all
// tests of a program share. Its TestMain calls [StopPostgres] at the end.
func Postgres(t testing.TB) string {
	t.Helper()
	postgresBin(t) // which may leave the test out
	shared.once.Do(func() { shared.server = NewPostgres(t, 0) })
	if shared.server == nil {
		t.Fatal("PostgreSQL did not start for an earlier test")
	}
	return shared.server.Database(t)
}

// SharedPostgres is the server of [Postgres], once that was called.
func SharedPostgres() *Server { return shared.server }

// StopPostgres ends the server that tests shared, if there was one.
func StopPostgres() {
	if shared.server != nil {
		_ = shared.server.Remove()
	}
}
