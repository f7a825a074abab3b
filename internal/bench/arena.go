package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

// arena is where contenders meet: the servers at their far ends and what is
// needed to start them.
type arena struct {
	opt   Options
	dir   string
	notes []string
	ends  []func() // of what was started

	// Programs: the direct server, the shim, and what runs the bridges, "" where
	// that is not here.
	direct, coatcheck, node string
}

func (a *arena) note(format string, args ...any) {
	a.notes = append(a.notes, "left out: "+fmt.Sprintf(format, args...))
}

// close ends everything, the latest first.
func (a *arena) close() {
	for i := range a.ends {
		a.ends[len(a.ends)-1-i]()
	}
	a.ends = nil
}

// build makes the direct server, with the settings of our own programs, and
// puts a copy of every program that is measured into a folder.
//
// A linker leaves its output in the page cache in single pages, of which each
// costs a fault when the program starts; what was installed lies there in larger
// pieces. That is a tenth of a start, and would be the difference between
// contenders that were built a moment ago and those that were not.
func (a *arena) build(ctx context.Context) error {
	a.direct = filepath.Join(a.dir, "direct")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "nethttpomithttp2", "-ldflags", "-s -w", "-o", a.direct,
		"github.com/coatcheck-mcp/coatcheck/internal/bench/direct")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the direct server: %w: %s", err, out)
	}
	a.coatcheck = filepath.Join(a.opt.Bin, "coatcheck")
	if runtime.GOOS == "windows" {
		a.coatcheck += ".exe"
	}
	if node, err := exec.LookPath("node"); err == nil {
		a.node = node
	}
	for _, program := range []*string{&a.direct, &a.coatcheck, &a.node} {
		installed, err := a.install(*program)
		if err != nil {
			return err
		}
		*program = installed
	}
	return nil
}

// install writes a program in one piece, as an installer does.
func (a *arena) install(program string) (string, error) {
	if program == "" {
		return "", nil
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(a.dir, "programs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	installed := filepath.Join(dir, filepath.Base(program))
	return installed, os.WriteFile(installed, content, 0o700)
}

// play starts a role in a process of its own and waits until it is ready. end
// ends it; if the caller does not, close does.
func (a *arena) play(ctx context.Context, args ...string) (ready role.Ready, pid int, end func(), err error) {
	cmd := exec.CommandContext(ctx, a.opt.Self, append([]string{"role"}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return ready, 0, nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return ready, 0, nil, err
	}
	if err := cmd.Start(); err != nil {
		return ready, 0, nil, err
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			finish(cmd, stdin)
		}
	}
	a.ends = append(a.ends, end)
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		end()
		return ready, 0, nil, errors.Join(fmt.Errorf("the role %v did not get ready", args), err)
	}
	return ready, cmd.Process.Pid, end, nil
}

// environment is what clients pass on, for a home folder of the contender's
// own. The device key goes into a file: a keychain would be the user's.
func (a *arena) environment(name string) []string {
	home := filepath.Join(a.dir, name)
	_ = os.MkdirAll(home, 0o700) // else the contender says so
	return []string{"HOME=" + home, "USER=bench", "PATH=" + os.Getenv("PATH"), "COATCHECK_KEY_STORE=file", "COATCHECK_NO_BROWSER=true"}
}

// command is a run of a contender.
func (a *arena) command(ctx context.Context, home, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = a.environment(home)
	cmd.Dir = filepath.Join(a.dir, home)
	return cmd
}

func (a *arena) shim(ctx context.Context, home, vault string) *exec.Cmd {
	return a.command(ctx, home, a.coatcheck, "--vault", vault)
}

// bridge returns the file that node runs for a bridge, or "" with a note.
func (a *arena) bridge(name, file string) string {
	path := filepath.Join(a.opt.NPM, "node_modules", name, filepath.FromSlash(file))
	if a.node == "" {
		a.note("%s, as node is not here", name)
		return ""
	}
	if _, err := os.Stat(path); a.opt.NPM == "" || err != nil {
		a.note("%s, as npm could not get it (make testenv says why); its targets cannot be judged", name)
		return ""
	}
	return path
}
