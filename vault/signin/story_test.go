package signin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	shimdevice "github.com/coatcheck-mcp/coatcheck/shim/device"
	shimsignin "github.com/coatcheck-mcp/coatcheck/shim/signin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

// TestARestartBetweenAnyTwoSteps ends the vault after every step of a login.
func TestARestartBetweenAnyTwoSteps(t *testing.T) {
	r := newRig(t, rigOptions{})
	d := r.device()
	s, other := d.shim("one"), d.shim("two")
	p := &person{r: r}
	page := s.start().URL
	r.restart(rigOptions{})
	if again := other.start(); again.URL != page || again.Open {
		t.Fatalf("after a restart another start was answered %+v, not %s", again, page)
	}
	r.restart(rigOptions{})
	_, onward := p.click(page, "continue", nil)
	address := between(onward, `class="primary" href="`, `"`)
	r.restart(rigOptions{})
	callback := p.atAtlassian(address)
	r.restart(rigOptions{})
	if status, text := p.get(callback); status != http.StatusSeeOther {
		t.Fatalf("the callback was answered %d %s", status, text)
	}
	back, err := url.Parse(p.last.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	r.restart(rigOptions{})
	var done wire.LoginFinished
	if status, problem := s.post(wire.LoginFinishPath, s.claim(back.Query()), &done); status != http.StatusOK {
		t.Fatalf("finishing was answered %d %+v", status, problem)
	}
	r.restart(rigOptions{})
	// The answer may have been lost: the same request is answered the same.
	var again wire.LoginFinished
	if status, problem := s.post(wire.LoginFinishPath, s.claim(back.Query()), &again); status != http.StatusOK || again != done {
		t.Errorf("finishing again was answered %d %+v %+v", status, problem, again)
	}
	if _, text := p.get(done.Page); !strings.Contains(text, "You are signed in") {
		t.Errorf("the last page is %s", text)
	}
	if n := len(r.sim.TokenRequests()); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	r.leaks(s.verifier)
}

// atAtlassian consents as Ada and returns where Atlassian sends the browser.
func (p *person) atAtlassian(address string) (callback string) {
	p.r.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.r.t.Fatal(err)
	}
	p.do(http.MethodPost, p.r.simURL+"/login", url.Values{"person": {"ada"}, "continue": {u.RequestURI()}}, nil)
	_, page := p.get(address)
	p.do(http.MethodPost, p.r.simURL+"/consent", url.Values{
		"request": {between(page, `name="request" value="`, `"`)}, "decision": {"allow"}, "site": {p.r.sim.CloudID("acme")},
	}, nil)
	return p.last.Header.Get("Location")
}

// TestTheShimThatBeganDies: another process of the device gets the browser.
func TestTheShimThatBeganDies(t *testing.T) {
	r := newRig(t, rigOptions{})
	d := r.device()
	dead, s := d.shim("one"), d.shim("two")
	dead.start()
	if started := s.start(); started.Open || started.URL != dead.started.URL {
		t.Fatalf("the second start was answered %+v", started)
	}
	dead.loopback.Close()
	r.streams.set("one", false)
	page := r.consent(dead.started.URL, "ada", true)
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	if text := wait(t, page); !strings.Contains(text, "You are signed in") {
		t.Errorf("the last page is %s", text)
	}
}

// TestEightAtOnce: one login and one tab, and whoever comes late is told that
// all is done.
func TestEightAtOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	first := r.device()
	var all []*shim
	for _, name := range strings.Split("abcdefgh", "") {
		all = append(all, (&device{r: r, key: first.key, id: first.id}).shim(name))
	}
	var began sync.WaitGroup
	for _, s := range all {
		began.Go(func() { s.post(wire.LoginStartPath, s.ask(), &s.started) })
	}
	began.Wait()
	var openers []*shim
	for _, s := range all {
		if s.started.URL != all[0].started.URL || s.started.URL == "" {
			t.Errorf("the answers differ: %+v", s.started)
		}
		if s.started.Open {
			openers = append(openers, s)
		}
	}
	if len(openers) != 1 {
		t.Fatalf("%d may open a tab", len(openers))
	}
	page := r.consent(all[0].started.URL, "ada", true)
	if done, problem := openers[0].finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	wait(t, page)
	late := first.shim("late")
	if started := late.start(); started.Open {
		t.Errorf("whoever comes late was told to open a tab: %+v", started)
	}
	if diff := cmp.Diff([]wire.LoginDone{{OK: true}, {OK: true}}, r.streams.told()); diff != "" {
		t.Errorf("the streams were told (-want +got):\n%s", diff)
	}
	if n := len(slices.DeleteFunc(r.events(), func(e string) bool { return e != "login.done" })); n != 1 {
		t.Errorf("%d logins are on record", n)
	}
}

// TestFinishingTwiceAtOnce: several finish at once, as a shim does
// that got no answer in time.
func TestFinishingTwiceAtOnce(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.sim.SetLatency(100 * time.Millisecond)
	d := r.device()
	s := d.shim("one")
	page := r.consent(s.start().URL, "ada", true)
	q := <-s.arrived
	var all sync.WaitGroup
	for range 4 {
		twin := &shim{device: &device{r: r, key: d.key, id: d.id}, verifier: s.verifier}
		all.Go(func() {
			var done wire.LoginFinished
			if status, problem := twin.post(wire.LoginFinishPath, twin.claim(q), &done); status != http.StatusOK || !done.OK {
				t.Errorf("answered %d %+v %+v", status, done, problem)
			}
		})
	}
	all.Wait()
	s.answer <- s.started.URL
	wait(t, page)
	if n := len(r.sim.TokenRequests()); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

// TestAShimThatHangsUp does not wait for the answer; what Atlassian gave is
// stored all the same, once.
func TestAShimThatHangsUp(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.sim.SetLatency(200 * time.Millisecond)
	s := r.device().shim("one")
	page := r.consent(s.start().URL, "ada", true)
	q := <-s.arrived
	proof, err := dpop.Prove(s.key, dpop.Claims{Method: http.MethodPost, URL: r.url + wire.LoginFinishPath, Nonce: s.nonce})
	if err != nil {
		t.Fatal(err)
	}
	body, _ := json.Marshal(s.claim(q))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.url+wire.LoginFinishPath, bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(dpop.Header, proof)
	if res, err := http.DefaultClient.Do(req); err == nil {
		_ = res.Body.Close()
		t.Fatal("the vault was faster than this test")
	}
	var done wire.LoginFinished
	if status, problem := s.post(wire.LoginFinishPath, s.claim(q), &done); status != http.StatusOK {
		t.Errorf("finishing again was answered %d %+v", status, problem)
	}
	s.answer <- done.Page
	wait(t, page)
	if n := len(r.sim.TokenRequests()); n != 1 {
		t.Errorf("the token endpoint was asked %d times", n)
	}
	if diff := cmp.Diff([]string{"login.started", "grant.issued", "login.done"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

// TestAShimThatHangsUpAtTheEnd: between the session and its record the request
// is given up. The session does not stay without the record.
func TestAShimThatHangsUpAtTheEnd(t *testing.T) {
	for _, stored := range []bool{true, false} {
		var hangUp context.CancelFunc
		r := newRig(t, rigOptions{before: func(e audit.Entry) error {
			if e.Event != "login.done" {
				return nil
			}
			hangUp()
			if stored {
				return nil
			}
			return errors.New("disk full")
		}})
		r.mu.Lock()
		inner := r.vault
		r.vault = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == wire.LoginFinishPath {
				ctx, cancel := context.WithCancel(req.Context())
				defer cancel()
				hangUp, req = cancel, req.WithContext(ctx)
			}
			inner.ServeHTTP(w, req)
		})
		r.mu.Unlock()
		d := r.device()
		s := d.shim("one")
		page := r.consent(s.start().URL, "ada", true)
		q := <-s.arrived
		status, _ := s.post(wire.LoginFinishPath, s.claim(q), nil)
		s.answer <- r.url + "/login/none"
		wait(t, page)
		now, err := r.keeper.Current(t.Context(), d.id)
		want := []string{"login.started", "grant.issued", "login.done"}
		if !stored {
			want = want[:2]
		}
		if diff := cmp.Diff(want, r.events()); diff != "" {
			t.Errorf("the records (-want +got):\n%s", diff)
		}
		if live := err == nil; live != stored || (status == http.StatusOK) != stored {
			t.Errorf("record stored: %t; the answer was %d, the session %q, %v", stored, status, now.ID, err)
		}
	}
}

// TestAtlassianComesBack: what is merely unavailable is tried again.
func TestAtlassianComesBack(t *testing.T) {
	r := newRig(t, rigOptions{})
	r.sim.FailToken(2, tokenDown())
	s := r.device().shim("one")
	page := r.consent(s.start().URL, "ada", true)
	if done, problem := s.finish(); !done.OK {
		t.Fatalf("finishing said %+v", problem)
	}
	if text := wait(t, page); !strings.Contains(text, "You are signed in") {
		t.Errorf("the last page is %s", text)
	}
}

// prover is a device's key for the real shim.
type prover struct{ *device }

func (p prover) Device(context.Context) (*shimdevice.DeviceKey, error) {
	return &shimdevice.DeviceKey{Key: p.key, Thumbprint: string(p.id), Class: shimdevice.ClassFile}, nil
}

// TestTheRealShim signs in with the shim's own half.
func TestTheRealShim(t *testing.T) {
	for _, allow := range []bool{true, false} {
		r := newRig(t, rigOptions{})
		vault, err := url.Parse(r.url)
		if err != nil {
			t.Fatal(err)
		}
		d := r.device()
		r.streams.set("real", true)
		pages := make(chan string, 1)
		ended := make(chan shimsignin.State, 1)
		in := shimsignin.New(shimsignin.Config{
			HTTP: &http.Client{Timeout: 30 * time.Second}, VaultURL: vault, Prover: prover{d}, Stream: func() string { return "real" }, Log: slog.New(slog.DiscardHandler),
			OpenBrowser: func(_ context.Context, address string) error {
				pages <- wait(t, r.consent(address, "ada", allow))
				return nil
			},
			Notify: func(s shimsignin.State) {
				if s.Phase == shimsignin.Done || s.Phase == shimsignin.Failed {
					ended <- s
				}
			},
			Host: "ada-laptop", User: "ada",
		})
		r.streams.forward(in.Done)
		in.Required(t.Context(), "", false)
		state, page := <-ended, <-pages
		in.Close()
		if allow != (state.Phase == shimsignin.Done) || allow != strings.Contains(page, "You are signed in") || allow == strings.Contains(state.Message, "declined") {
			t.Errorf("with consent %t the shim says %+v and the page %s", allow, state, page)
		}
	}
}
