package live_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/settings/live"
)

const text = `network: {listen: 127.0.0.1:8080}
store: {url: "sqlite:vault.db"}
tenants:
  acme:
    sites: {wiki: {kind: cloud, base_url: "https://acme.atlassian.net"}}
    oauth: {client_id: "id", client_secret: "env:SECRET", scopes: ["read:page:confluence"]}
access: {denied_spaces: [LEGAL]}
`

// rig is a watch of a file; each change happens at once.
type rig struct {
	t     *testing.T
	file  string
	again chan struct{}

	mu   sync.Mutex // what follows is guarded by it
	log  bytes.Buffer
	got  []live.Change // that were put into force
	fail error         // of the next one
}

// Write implements io.Writer for the log.
func (r *rig) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(line)
}

func inTime(t *testing.T, test func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, file: filepath.Join(t.TempDir(), "vault.yaml"), again: make(chan struct{})}
		r.write(text)
		from := settings.Options{Files: []string{r.file}, Environ: []string{"SECRET=CANARY"}}
		load := func() (*settings.Settings, error) { return settings.Load(from) }
		s, err := load()
		if err != nil {
			t.Fatal(err)
		}
		w := live.New(live.Config{
			InForce: s, Stamp: from.Stamp, Load: load, Again: r.again, Log: slog.New(slog.NewTextHandler(r, nil)),
			May: func(_ *settings.Settings, key string) bool { return settings.Live(key) },
			Apply: func(_ context.Context, _ *settings.Settings, changes []live.Change) error {
				r.mu.Lock()
				defer r.mu.Unlock()
				if r.fail == nil {
					r.got = append(r.got, changes...)
				}
				return r.fail
			},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		synctest.Wait()
		test(r)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if strings.Contains(r.log.String(), "CANARY") {
			t.Errorf("the log has a secret: %s", &r.log)
		}
	})
}

func (r *rig) write(text string) {
	r.t.Helper()
	if err := os.WriteFile(r.file, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// breaks lets nothing come into force from now on, unless err is nil.
func (r *rig) breaks(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// pass lets the watch look, and wants changes and lines in the log.
func (r *rig) pass(d time.Duration, want []live.Change, lines ...string) {
	r.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if diff := cmp.Diff(want, r.got); diff != "" {
		r.t.Errorf("in force (-want +got):\n%s", diff)
	}
	logged := strings.TrimSpace(r.log.String())
	if (logged == "") != (len(lines) == 0) || logged != "" && strings.Count(logged, "\n")+1 != len(lines) {
		r.t.Errorf("the log says %s", logged)
	}
	for _, line := range lines {
		if !strings.Contains(logged, line) {
			r.t.Errorf("the log lacks %q: %s", line, logged)
		}
	}
	r.got = nil
	r.log.Reset()
}

func TestSettingsThatChange(t *testing.T) {
	inTime(t, func(r *rig) {
		r.pass(time.Minute, nil)
		more := strings.Replace(text, "[LEGAL]", "[LEGAL, HR]", 1)
		r.write(more)
		r.pass(4*time.Second, []live.Change{{"access.denied_spaces", "[LEGAL]", "[LEGAL, HR]"}}, "level=INFO")
		r.pass(time.Minute, nil)

		// What is not good changes nothing, and is said once.
		r.write(more + "colour: blue\n")
		r.pass(time.Minute, nil, "level=ERROR")
		r.write(strings.Replace(more, "HR", "no good", 1))
		r.pass(time.Minute, nil, "not a space key")
		if err := os.Remove(r.file); err != nil {
			t.Fatal(err)
		}
		r.pass(time.Minute, nil, "cannot be read")
		r.write(more)
		r.pass(time.Minute, nil)

		// What needs a restart is said so; the rest counts.
		r.write(strings.Replace(strings.Replace(more, "8080", "8081", 1), ", HR", "", 1) + "observability: {log: debug}\n")
		r.pass(time.Minute, []live.Change{{"access.denied_spaces", "[LEGAL, HR]", "[LEGAL]"}, {"observability.log", "info", "debug"}},
			"setting=network.listen", "setting=network.public_url", "setting=access.denied_spaces", "setting=observability.log")
	})
}

// TestWhatCannotComeIntoForce is tried again; a look may be asked for.
func TestWhatCannotComeIntoForce(t *testing.T) {
	inTime(t, func(r *rig) {
		r.breaks(errors.New("the record cannot be stored"))
		r.write(strings.Replace(text, "[LEGAL]", "[]", 1))
		r.pass(4*time.Second, nil, "level=ERROR")
		r.breaks(nil)
		r.pass(3*time.Second, []live.Change{{"access.denied_spaces", "[LEGAL]", "[]"}}, "level=INFO")
		r.write(text)
		r.again <- struct{}{}
		r.pass(0, []live.Change{{"access.denied_spaces", "[]", "[LEGAL]"}}, "level=INFO")
		r.write(text + "colour: blue\n")
		r.again <- struct{}{}
		r.pass(0, nil, "level=ERROR")
		r.again <- struct{}{} // whoever asks again hears it again
		r.pass(0, nil, "level=ERROR")
	})
}
