package logs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/shim/logs"
)

// linesEnv makes this test program write lines as another process would.
const linesEnv = "COATCHECK_TEST_LOG_LINES"

func TestMain(m *testing.M) {
	if count, err := strconv.Atoi(os.Getenv(linesEnv)); err == nil {
		writeLines(os.Args[1], count)
		return
	}
	os.Exit(m.Run())
}

func writeLines(dir string, count int) {
	for i := range count {
		// A log of its own for each line, so that none is lost to a full queue.
		l := logs.Open(logs.Config{Dir: dir, MaxSize: 4 << 10})
		l.Logger().Info("line", "n", i)
		l.Close()
	}
}

func read(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it got another name meanwhile
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

func TestWarningsGoToStderrAndAllToTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by", "the", "log")
	var stderr bytes.Buffer
	l := logs.Open(logs.Config{Dir: dir, Stderr: &stderr, Level: slog.LevelInfo})
	l.Logger().With("link", 1).WithGroup("g").Info("connected", "a", 1)
	l.Logger().Debug("too much")
	l.Logger().Warn("lost", "why", "cable\nforged level=INFO")
	l.Close()
	if got := stderr.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `msg=lost why="cable\nforged level=INFO"`) {
		t.Errorf("stderr = %q", got)
	}
	got := read(t, dir)
	if !regexp.MustCompile(`^time=\S+ level=INFO msg=connected pid=\d+ link=1 g.a=1\ntime=\S+ level=WARN msg=lost pid=\d+ .*\n$`).MatchString(got) {
		t.Errorf("file = %q", got)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, logs.Path(dir): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestAPersonSeesMore(t *testing.T) {
	var stderr bytes.Buffer
	l := logs.Open(logs.Config{Stderr: &stderr, Talk: true, Level: slog.LevelDebug})
	l.Logger().Debug("detail")
	l.Close()
	l.Close() // twice is fine
	l.Logger().Debug("afterwards")
	if got := stderr.String(); !strings.Contains(got, "msg=detail") || strings.Contains(got, "afterwards") {
		t.Errorf("stderr = %q", got)
	}
}

// awaitLine waits until a line is in a file, which another goroutine writes.
func awaitLine(t *testing.T, dir, line string) {
	t.Helper()
	for late := time.Now().Add(10 * time.Second); !strings.Contains(read(t, dir), line); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("the line %q was not written", line)
		}
	}
}

func TestTheFileStaysSmall(t *testing.T) {
	dir := t.TempDir()
	l := logs.Open(logs.Config{Dir: dir, MaxSize: 1 << 10})
	for i := range 200 {
		l.Logger().Info("a line of some length", "n", i)
		if i%50 == 49 { // the queue holds less than all
			awaitLine(t, dir, fmt.Sprintf("n=%d\n", i))
		}
	}
	l.Close()
	names, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	if len(names) != 4 {
		t.Errorf("files: %v, want the current one and three older", names)
	}
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || info.Size() > 1200 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	if newest, err := os.ReadFile(filepath.Join(dir, "coatcheck.1.log")); err != nil || !strings.Contains(read(t, dir), "n=199") {
		t.Errorf("the newest lines are gone; the file before the current one: %s, %v", newest, err)
	}
}

func TestSeveralProcessesShareTheFile(t *testing.T) {
	dir := t.TempDir()
	const writers, each = 4, 40
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			cmd := exec.Command(os.Args[0], dir)
			cmd.Env = append(os.Environ(), linesEnv+"="+strconv.Itoa(each))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	all.Wait()
	got := read(t, dir)
	whole := regexp.MustCompile(`^time=\S+ level=INFO msg=line pid=\d+ n=\d+$`)
	for line := range strings.Lines(got) {
		if !whole.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("a torn line: %q", line)
		}
	}
	// 160 lines of some 75 bytes fill three files of 4 KiB: all are kept.
	if n := strings.Count(got, "\n"); n != writers*each {
		t.Errorf("%d lines, want %d", n, writers*each)
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	l := logs.Open(logs.Config{Dir: filepath.Join(dir, "below"), Stderr: &stderr})
	l.Logger().Error("still said")
	l.Close()
	if !strings.Contains(stderr.String(), "still said") {
		t.Errorf("stderr = %q", stderr.String())
	}
}

func TestAFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.Symlink(other, logs.Path(dir)); err != nil {
		t.Skip(err)
	}
	l := logs.Open(logs.Config{Dir: dir})
	l.Logger().Error("not through a link")
	l.Close()
	if _, err := os.Lstat(other); err == nil {
		t.Error("the log followed a link out of its folder")
	}
}

func TestAFullPipeCostsLinesAndNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe() // nobody reads
		l := logs.Open(logs.Config{Stderr: w})
		began := time.Now()
		for i := range 1000 {
			l.Logger().Warn("line", "n", i)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("logging waited for %v", took)
		}
		l.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("closing waited for %v", took)
		}
		text, _ := io.ReadAll(io.LimitReader(r, 1))
		_ = r.Close()
		if len(text) != 1 {
			t.Error("nothing was written at all")
		}
	})
}

func TestLostLinesAreCounted(t *testing.T) {
	gate, out := make(chan struct{}), &bytes.Buffer{}
	l := logs.Open(logs.Config{Stderr: writer(func(p []byte) (int, error) { <-gate; return out.Write(p) })})
	for i := range 400 {
		l.Logger().Warn("line", "n", i)
	}
	for range 20 {
		gate <- struct{}{}
	}
	time.Sleep(10 * time.Millisecond)
	l.Logger().Warn("last")
	close(gate)
	l.Close()
	if got := out.String(); !regexp.MustCompile(`msg=last\nmsg="lines were lost" count=14\d\n$`).MatchString(got) {
		t.Errorf("the end of the log is %q", got[max(0, len(got)-200):])
	}
}

func TestLongLinesAreCut(t *testing.T) {
	var stderr bytes.Buffer
	l := logs.Open(logs.Config{Stderr: &stderr})
	l.Logger().Error(strings.Repeat("x", 1<<20))
	l.Logger().Error("next")
	l.Close()
	lines := strings.SplitAfter(stderr.String(), "\n")
	if len(lines) != 3 || len(lines[0]) > 8<<10 || !strings.HasSuffix(lines[0], "x…\n") || !strings.Contains(lines[1], "next") {
		t.Errorf("%d lines, the first of %d bytes", len(lines), len(lines[0]))
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func ExampleOpen() {
	l := logs.Open(logs.Config{}) // nowhere: nothing is written, nothing fails
	defer l.Close()
	l.Logger().Error("unheard")
	fmt.Println("ok")
	// Output: ok
}
