package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/bench/role"
)

// mover moves one file between a folder and the simulated Confluence.
type mover struct {
	name string
	up   func(ctx context.Context, file string) error
	down func(ctx context.Context, name, folder string) error
}

// moving measures a large file on its way up and down, beside a plain HTTP
// upload and download of the same file to the same simulated Confluence, and
// what memory the vault and the shim take for it.
func moving(ctx context.Context, a *arena, of func(measure, string) *series) error {
	if a.opt.File <= 0 {
		return nil
	}
	// Here bytes are moved; one thread would hold up the plain contender.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.NumCPU()))
	ready, _, end, err := a.play(ctx, role.Whole, a.opt.Bin, filepath.Join(a.dir, "files-stage"))
	if err != nil {
		return err
	}
	defer end()
	work := filepath.Join(a.dir, "files")
	if err := os.MkdirAll(filepath.Join(work, "down"), 0o700); err != nil {
		return err
	}
	shim := exec.CommandContext(ctx, a.coatcheck, "--vault", ready.URL, "--file-folders", work)
	shim.Env, shim.Dir = ready.Env, ready.Home
	vault, _, err := spawnTalker(ctx, wholeVault, shim)
	if err != nil {
		return err
	}
	defer vault.end()
	// What the vault takes for other things is there before: it fills its memory
	// up to what the collector lets it.
	vault.tool = wholeTool
	if _, err := vault.flood(16, 4*a.opt.Calls, 0); err != nil {
		return err
	}
	file := filepath.Join(work, "file.bin")
	if err := noise(file, a.opt.File); err != nil {
		return err
	}
	movers := []mover{through(vault, ready.Page), plainly(ready)}
	watched := []*memory{{name: wholeVault, pid: ready.PID}, {name: coatcheck, pid: vault.pid}}
	if err := begin(watched); err != nil {
		a.note("%s: %v", moveMemory, err)
		watched = nil
	}
	for round := range a.opt.Moves {
		for i := range movers {
			if err := a.move(ctx, movers[(i+round)%len(movers)], file, round, of); err != nil {
				return err
			}
		}
	}
	return grown(watched, of)
}

// move moves the file up, under a name of its own, and down again.
func (a *arena) move(ctx context.Context, m mover, file string, round int, of func(measure, string) *series) error {
	name := fmt.Sprintf("%s-%d.bin", strings.ReplaceAll(m.name, " ", ""), round)
	folder := filepath.Dir(file)
	up, down := filepath.Join(folder, name), filepath.Join(folder, "down")
	if err := os.Link(file, up); err != nil {
		return err
	}
	megabytes := float64(a.opt.File) / 1e6
	if err := warm(folder, a.opt.File); err != nil {
		return err
	}
	began := time.Now()
	if err := m.up(ctx, up); err != nil {
		return fmt.Errorf("%s, up: %w", m.name, err)
	}
	of(moveUp, m.name).add(round, megabytes/time.Since(began).Seconds())
	if err := warm(folder, a.opt.File); err != nil {
		return err
	}
	began = time.Now()
	if err := m.down(ctx, name, down); err != nil {
		return fmt.Errorf("%s, down: %w", m.name, err)
	}
	of(moveDown, m.name).add(round, megabytes/time.Since(began).Seconds())
	came := filepath.Join(down, name)
	if info, err := os.Stat(came); err != nil || info.Size() != a.opt.File {
		return fmt.Errorf("%s: what came down is not what went up: %w", m.name, errors.Join(err, errNothing))
	}
	return errors.Join(os.Remove(up), os.Remove(came))
}

func tools(id int, tool string, arguments map[string]any) []byte {
	data, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": map[string]any{"name": tool, "arguments": arguments},
	})
	if err != nil {
		panic("bench: " + err.Error()) // impossible: texts
	}
	return data
}

// through is the shim with the whole vault behind it.
func through(t *talker, page string) mover {
	call := func(tool string, arguments map[string]any) error {
		t.next++
		_, err := t.ask(tools(t.next, tool, arguments))
		return err
	}
	return mover{
		wholeVault,
		func(_ context.Context, file string) error {
			return call("confluence_upload_attachment", map[string]any{"page": page, "path": file})
		},
		func(_ context.Context, name, folder string) error {
			return call("confluence_download_attachment", map[string]any{"page": page, "file": name, "folder": folder})
		},
	}
}

// plainly is one HTTP request for each way, as a program would make that has a
// token of its own.
func plainly(ready role.Ready) mover {
	client := &http.Client{Transport: &http.Transport{WriteBufferSize: 128 << 10, ReadBufferSize: 128 << 10}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		r.Header.Del("Authorization")
		return nil
	}}
	attachments := ready.API + "/rest/api/content/" + ready.Page + "/child/attachment"
	ids := map[string]string{}
	return mover{
		plain,
		func(ctx context.Context, file string) error {
			id, err := post(ctx, client, attachments, ready.Token, file)
			ids[filepath.Base(file)] = id
			return err
		},
		func(ctx context.Context, name, folder string) error {
			return save(ctx, client, attachments+"/"+ids[name]+"/download", ready.Token, filepath.Join(folder, name))
		},
	}
}

// post uploads a file and returns the attachment's id.
func post(ctx context.Context, client *http.Client, address, token, file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	var form bytes.Buffer
	parts := multipart.NewWriter(&form)
	if _, err := parts.CreateFormFile("file", filepath.Base(file)); err != nil {
		return "", err
	}
	head := form.Len()
	if err := parts.Close(); err != nil {
		return "", err
	}
	body := io.MultiReader(bytes.NewReader(form.Bytes()[:head]), f, bytes.NewReader(form.Bytes()[head:]))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, io.NopCloser(body))
	if err != nil {
		return "", err
	}
	req.ContentLength = int64(form.Len()) + info.Size()
	req.Header.Set("Content-Type", parts.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Atlassian-Token", "nocheck")
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Results []struct {
			ID string `json:"id"`
		} `json:"results"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || len(answer.Results) != 1 {
		return "", fmt.Errorf("answered with status %d: %w", res.StatusCode, errors.Join(err, errNothing))
	}
	return answer.Results[0].ID, nil
}

// save downloads into a file that is on the disk when it returns.
func save(ctx context.Context, client *http.Client, address, token, file string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("answered with status %d", res.StatusCode)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Sync(), f.Close())
}

// warm takes memory for a file and gives it back, so that the file that comes
// next finds memory that the machine has at hand. Where that is a virtual one,
// the first use of a page costs it more than all that is measured here, and
// falls upon whoever comes first.
func warm(folder string, size int64) error {
	file := filepath.Join(folder, "warm")
	return errors.Join(noise(file, size), os.Remove(file))
}

// noise writes a file that no two places of are alike.
func noise(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.LimitReader(rand.NewChaCha8([32]byte{}), size), make([]byte, 1<<20))
	return errors.Join(err, f.Close())
}

// memory is a process whose memory is watched.
type memory struct {
	name   string
	pid    int
	before float64
}

// begin notes what the processes have, and forgets what they had at most.
func begin(all []*memory) (err error) {
	for _, m := range all {
		if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", m.pid), []byte("5"), 0); err != nil {
			return errNoMemory
		}
		if m.before, err = memoryOf(m.pid, resident); err != nil {
			return err
		}
	}
	return nil
}

// grown notes how much more they had at most.
func grown(all []*memory, of func(measure, string) *series) error {
	sum := 0.0
	for _, m := range all {
		most, err := memoryOf(m.pid, peak)
		if err != nil {
			return err
		}
		more := (most - m.before) / (1 << 20)
		of(moveMemory, m.name).add(0, more)
		sum += more
	}
	if len(all) > 0 {
		of(moveMemory, bothHalves).add(0, sum)
	}
	return nil
}
