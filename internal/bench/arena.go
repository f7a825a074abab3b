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
	opt    Options
	dir    string
	direct string // the program of that contender
	notes  []string
	ends   []func() // of what was started
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

// build makes the direct server, with the settings of our own programs.
func (a *arena) build(ctx context.Context) error {
	a.direct = filepath.Join(a.dir, "direct")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", a.direct,
		"github.com/coatcheck-mcp/coatcheck/internal/bench/direct")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the direct server: %w: %s", err, out)
	}
	return nil
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
	return a.command(ctx, home, a.program("coatcheck"), "--vault", vault)
}

func (a *arena) program(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(a.opt.Bin, name)
}

// bridge returns the file that node runs for a bridge, or "" with a note.
func (a *arena) bridge(name, file string) string {
	path := filepath.Join(a.opt.NPM, "node_modules", name, filepath.FromSlash(file))
	if _, err := exec.LookPath("node"); err != nil {
		a.note("%s, as node is not here", name)
		return ""
	}
	if _, err := os.Stat(path); a.opt.NPM == "" || err != nil {
		a.note("%s, as npm could not get it (make testenv says why); its targets cannot be judged", name)
		return ""
	}
	return path
}
