package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Laptop is a home folder on which shims run.
type Laptop struct {
	Home string
	// VaultURL is the stage's vault, or something between it and the laptop.
	VaultURL string
	// Display shows the person's own screen to the shim, so that a real browser
	// opens.
	Display bool
	// Env is added to what the shim gets from its client.
	Env []string

	user  string
	stage *Stage
}

// Laptop returns a laptop with a fresh home folder.
func (s *Stage) Laptop(name string) (*Laptop, error) {
	home := filepath.Join(s.Dir, "laptop-"+name)
	if err := os.MkdirAll(home, dirMode); err != nil {
		return nil, err
	}
	return &Laptop{Home: home, VaultURL: s.VaultURL, user: name, stage: s}, nil
}

// Shim prepares a run of the shim's program, with the little environment that
// MCP clients pass on.
func (l *Laptop) Shim(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(l.stage.bin, "coatcheck"), append(args, "--vault", l.VaultURL)...)
	cmd.Dir = l.Home
	cmd.Env = l.Environment()
	return cmd
}

// Environment is what a shim on this laptop gets from its client.
func (l *Laptop) Environment() []string {
	env := []string{"HOME=" + l.Home, "USER=" + l.user, "PATH=" + l.stage.openerDir() + ":/usr/bin:/bin"}
	if !l.Display {
		return append(append(env, "DISPLAY=:99"), l.Env...)
	}
	env[2] = "PATH=" + os.Getenv("PATH")
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, l.Env...)
}

// opened lists process ids and addresses, in turn.
func (s *Stage) opened() ([]string, error) {
	text, err := os.ReadFile(s.openedFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(text)), err
}

// Opened lists the addresses that shims asked the stage's browser to open.
func (s *Stage) Opened() ([]string, error) {
	words, err := s.opened()
	var addresses []string
	for i := 1; i < len(words); i += 2 {
		addresses = append(addresses, words[i])
	}
	return addresses, err
}

// OpenerPID is the process id of the shim that asked for the n-th page.
func (s *Stage) OpenerPID(n int) (int, error) {
	words, err := s.opened()
	if err != nil {
		return 0, err
	}
	if len(words) < 2*n {
		return 0, fmt.Errorf("%d pages were opened, not %d", len(words)/2, n)
	}
	return strconv.Atoi(words[2*n-2])
}

// WaitOpened waits until the stage's browser was asked for its n-th page and
// returns that page's address.
func (s *Stage) WaitOpened(ctx context.Context, n int) (string, error) {
	for {
		opened, err := s.Opened()
		if err != nil {
			return "", err
		}
		if len(opened) >= n {
			return opened[n-1], nil
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for page %d to be opened: %w", n, ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Files lists the regular files in the laptop's home, relative to it.
func (l *Laptop) Files() ([]string, error) {
	var files []string
	err := filepath.WalkDir(l.Home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(l.Home, path)
		files = append(files, name)
		return err
	})
	return files, err
}
