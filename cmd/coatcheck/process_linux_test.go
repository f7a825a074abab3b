package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// initialize is what clients say first.
const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}` + "\n"

// shell prepares a shell script that finds this program as coatcheck.
func shell(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "COATCHECK_VAULT_URL=http://127.0.0.1:1", "COATCHECK_KEY_STORE=file"}
	return cmd
}

// started starts cmd and returns its input, and its output behind the answers
// to initialize and to a ping: before the first, signals are not watched.
func started(t *testing.T, cmd *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = in.Close(); _ = cmd.Wait() })
	if _, err := io.WriteString(in, initialize); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"id":1`) {
		t.Fatalf("the answer to initialize is %q, %v", line, err)
	}
	if _, err := io.WriteString(in, `{"jsonrpc":"2.0","id":2,"method":"ping"}`+"\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"id":2`) {
		t.Fatalf("the answer to ping is %q, %v", line, err)
	}
	return in, lines
}

// TestOneSocketBothWays starts the shim as inetd and sshd may: input and output
// are one socket. A client that writes much before it reads gets every answer.
func TestOneSocketBothWays(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	near, far := os.NewFile(uintptr(pair[0]), "near"), os.NewFile(uintptr(pair[1]), "far")
	cmd := shell(t, "exec coatcheck")
	cmd.Stdin, cmd.Stdout = far, far
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = far.Close()
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = near.Close(); _ = cmd.Wait() })
	const times = 3000
	wrote := make(chan error, 1)
	go func() {
		for i := range times {
			if _, err := io.WriteString(near, strings.Replace(initialize, `"id":1`, `"id":`+strconv.Itoa(i), 1)); err != nil {
				wrote <- err
				return
			}
		}
		wrote <- nil
	}()
	time.Sleep(500 * time.Millisecond) // the socket fills up
	lines := bufio.NewReader(near)
	for i := range times {
		if line, err := lines.ReadString('\n'); err != nil || !strings.Contains(line, `"id":`+strconv.Itoa(i)+`,`) {
			t.Fatalf("answer %d is %q, %v", i, line, err)
		}
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
}

// ends waits until out ends, which it does with the last process that has it.
func ends(t *testing.T, out io.Reader, within time.Duration) {
	t.Helper()
	done := make(chan error, 1)
	go func() { _, err := io.Copy(io.Discard, out); done <- err }()
	began := time.Now()
	select {
	case <-done:
		t.Logf("ended after %v", time.Since(began))
	case <-time.After(within + 3*time.Second): // the machine may be busy
		t.Errorf("still alive after %v", time.Since(began))
	}
}

func TestTheEndOfInputEndsIt(t *testing.T) {
	cmd := shell(t, "exec coatcheck")
	in, out := started(t, cmd)
	_ = in.Close()
	ends(t, out, 2*time.Second)
	if err := cmd.Wait(); err != nil {
		t.Errorf("coatcheck: %v", err)
	}
}

// TestAKilledShimLeavesThePipeAsItWas: the shell around it may go on reading.
func TestAKilledShimLeavesThePipeAsItWas(t *testing.T) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	in, feed := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "feed")
	t.Cleanup(func() { _ = in.Close(); _ = feed.Close() })
	cmd := shell(t, "exec coatcheck")
	cmd.Stdin = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(feed, initialize); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"id":1`) {
		t.Fatalf("the answer to initialize is %q, %v", line, err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	flags, _, failed := syscall.Syscall(syscall.SYS_FCNTL, uintptr(ends[0]), syscall.F_GETFL, 0)
	if failed != 0 || flags&syscall.O_NONBLOCK != 0 {
		t.Errorf("reads of the pipe do not wait any more (flags %#x, %v)", flags, failed)
	}
}

func TestASignalEndsItCleanly(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		cmd := shell(t, "exec coatcheck")
		_, out := started(t, cmd)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		ends(t, out, 2*time.Second)
		if err := cmd.Wait(); err != nil {
			t.Errorf("coatcheck after %v: %v", signal, err)
		}
	}
}

// TestTheClientsDeathEndsIt lets the client die while somebody else keeps the
// pipe open, as children of a client do that inherited it.
func TestTheClientsDeathEndsIt(t *testing.T) {
	cmd := shell(t, "exec 3<&0; coatcheck <&3 & wait")
	_, out := started(t, cmd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ends(t, out, 2*time.Second) // the input is still open
}

func TestNothingButTheRelayReachesStdout(t *testing.T) {
	cmd := shell(t, "exec coatcheck")
	cmd.Stderr = &strings.Builder{} // a pipe
	_, _ = started(t, cmd)
	proc := "/proc/" + strconv.Itoa(cmd.Process.Pid) + "/fd/"
	one, err := os.Readlink(proc + "1")
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.Readlink(proc + "2")
	if err != nil || one != two {
		t.Errorf("file descriptor 1 is %s, 2 is %s (%v)", one, two, err)
	}
}

func TestStderrThatNobodyReads(t *testing.T) {
	cmd := shell(t, "exec coatcheck 2>&-")
	in, lines := started(t, cmd)
	for i := range 200 { // each of which is worth a warning
		if _, err := fmt.Fprintf(in, "garbage %d\n", i); err != nil {
			t.Fatal(err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("after %d lines: %v", i, err)
		}
	}
}

func TestABrokenStderrPipe(t *testing.T) {
	cmd := shell(t, "exec coatcheck")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = w
	in, lines := started(t, cmd)
	_, _ = w.Close(), r.Close()
	for range 3 {
		if _, err := io.WriteString(in, "garbage\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("a warning to a broken pipe ended it: %v", err)
		}
	}
}

func TestAClientThatStopsReading(t *testing.T) {
	cmd := shell(t, "exec coatcheck")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = w.Close(), r.Close()
	if _, err := io.WriteString(in, initialize); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		_ = cmd.Process.Kill()
		t.Error("it lives on although nobody reads its output")
	}
}

func TestOnlyTheUserReachesWhatItLeaves(t *testing.T) {
	cmd := shell(t, "exec coatcheck")
	in, out := started(t, cmd)
	state := filepath.Join(strings.TrimPrefix(cmd.Env[0], "HOME="), ".local", "state", "coatcheck")
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if keys, _ := filepath.Glob(filepath.Join(state, "devices", "*", "device.json")); len(keys) > 0 {
			break
		}
	}
	_ = in.Close()
	ends(t, out, 2*time.Second)
	err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
