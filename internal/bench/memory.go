package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

// Fields of /proc/PID/status.
const (
	resident = "VmRSS"
	peak     = "VmHWM"
)

var errNoMemory = errors.New("the memory of a process can only be read on Linux")

// memoryOf reads a field of a process's memory, in bytes.
func memoryOf(pid int, field string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, errNoMemory
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kilobytes, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			return kilobytes * 1024, err
		}
	}
	return 0, errNoMemory
}

// sizes notes how large the programs are.
func sizes(_ context.Context, a *arena, of func(measure, string) *series) error {
	files := map[string]string{coatcheck: a.coatcheck, direct: a.direct}
	if a.node != "" {
		files[node] = a.node
	}
	for name, path := range files {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		of(size, name).add(0, float64(info.Size())/(1<<20))
	}
	return nil
}

// idle measures a vault full of streams that do nothing, each signed in on a
// device of its own.
func idle(ctx context.Context, a *arena, of func(measure, string) *series) error {
	if _, err := memoryOf(os.Getpid(), resident); err != nil {
		a.note("%s: %v", streams, err)
		return nil
	}
	for _, count := range a.opt.Idle {
		if err := a.crowd(ctx, count, of); err != nil {
			return fmt.Errorf("%d idle streams: %w", count, err)
		}
	}
	return nil
}

func (a *arena) crowd(ctx context.Context, count int, of func(measure, string) *series) error {
	vault, pid, endVault, err := a.play(ctx, role.Vault)
	if err != nil {
		return err
	}
	defer endVault()
	// One stream first, so that what is there once is not counted.
	_, _, endFirst, err := a.play(ctx, role.Idlers, vault.URL, "1")
	if err != nil {
		return err
	}
	defer endFirst()
	before, err := collected(ctx, vault.URL, pid)
	if err != nil {
		return err
	}
	_, _, endCrowd, err := a.play(ctx, role.Idlers, vault.URL, strconv.Itoa(count))
	if err != nil {
		return err
	}
	defer endCrowd()
	after, err := collected(ctx, vault.URL, pid)
	if err != nil {
		return err
	}
	of(streams, streamsOf(count)).add(0, (after-before)/float64(count)/1024)
	return nil
}

// collected is the resident memory of a vault after a forced collection.
func collected(ctx context.Context, url string, pid int) (float64, error) {
	for range 2 { // what the first one finalizes, the second one frees
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+role.CollectPath, nil)
		if err != nil {
			return 0, err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		_ = res.Body.Close()
	}
	return memoryOf(pid, resident)
}
