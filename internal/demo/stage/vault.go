package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Vault is one of a stage's vaults, which may run or not. Its methods may be
// called from several goroutines.
type Vault struct {
	stage   *Stage
	number  int
	address string

	mu    sync.Mutex
	cmd   *exec.Cmd     // guarded by mu; nil while it does not run
	ended chan struct{} // guarded by mu; closed when cmd has ended
	last  *exec.Cmd     // guarded by mu; the process that ended last
}

// Address is where it listens, host:port.
func (v *Vault) Address() string { return v.address }

// Log is the file with everything that it said.
func (v *Vault) Log() string {
	name := "vault.log"
	if v.number > 0 {
		name = "vault-" + strconv.Itoa(v.number) + ".log"
	}
	return filepath.Join(v.stage.vaultDir(), name)
}

// Start starts it, with more in its environment if need be, and waits until it
// is ready.
func (v *Vault) Start(ctx context.Context, environment ...string) error {
	log, err := os.OpenFile(v.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := v.stage.VaultCommand(context.WithoutCancel(ctx), "serve")
	cmd.Env = append(append(cmd.Env, "COATCHECK_NETWORK_LISTEN="+v.address), environment...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the vault: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // ends with the vault, which Stop or Kill end
	v.mu.Lock()
	v.cmd, v.ended = cmd, ended
	v.mu.Unlock()
	return v.ready(ctx, ended)
}

func (v *Vault) ready(ctx context.Context, ended <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	client := &http.Client{Transport: v.stage.Transport()}
	defer client.CloseIdleConnections()
	url := v.stage.VaultURL
	if len(v.stage.Vaults) > 1 {
		url = "http://" + v.address
	}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/readyz", nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && running(ended) {
				return nil
			}
		}
		select {
		case <-ended:
			said, _ := os.ReadFile(v.Log())
			return fmt.Errorf("the vault ended at once: %s", said)
		case <-ctx.Done():
			return errors.New("the vault did not get ready within 20 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// running says whether what answers can be the vault that was started.
func running(ended <-chan struct{}) bool {
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

// Ended is closed when the process that was started last has ended.
func (v *Vault) Ended() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.ended
}

// Stop asks it to drain and waits for its end.
func (v *Vault) Stop() error { return v.end(os.Interrupt) }

// Kill ends it as a crash would.
func (v *Vault) Kill() error { return v.end(os.Kill) }

func (v *Vault) end(signal os.Signal) error {
	v.mu.Lock()
	cmd, ended := v.cmd, v.ended
	v.cmd = nil
	if cmd != nil {
		v.last = cmd
	}
	v.mu.Unlock()
	if cmd == nil {
		return nil
	}
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(40 * time.Second):
		_ = cmd.Process.Kill()
		<-ended
		return errors.New("the vault did not end within 40 s")
	}
}

// Status is the exit status of the process that Stop or Kill ended last: -1
// after a kill, or if there was none.
func (v *Vault) Status() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.last == nil {
		return -1
	}
	return v.last.ProcessState.ExitCode()
}

// PID is the id of the running process, 0 if there is none.
func (v *Vault) PID() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cmd == nil {
		return 0
	}
	return v.cmd.Process.Pid
}

// Said counts the lines of its log with words in them.
func (v *Vault) Said(words string) int {
	text, _ := os.ReadFile(v.Log())
	return strings.Count(string(text), words)
}
