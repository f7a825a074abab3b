package signin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

const canary = "CNRY-ticket-7Qx"

// rig is a vault that a test may bend, and one device before it.
type rig struct {
	*httptest.Server
	t        *testing.T
	verifier *dpop.Verifier
	nonces   *dpop.Nonces
	device   *device.Keeper
	log      *buffer

	// What a test bends; set before the first sign-in.
	onStart  func(n int, ask wire.LoginStart) (int, any)
	onFinish func(n int, ask wire.LoginFinish) (int, any)

	mu       sync.Mutex
	starts   []wire.LoginStart  // guarded by mu
	finishes []wire.LoginFinish // guarded by mu
	proofs   map[string]bool    // guarded by mu
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, proofs: map[string]bool{}, log: &buffer{}, nonces: dpop.NewNonces(make([]byte, 32), time.Minute)}
	r.verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: r.nonces, Replay: r})
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+wire.LoginStartPath, r.start)
	mux.HandleFunc("POST "+wire.LoginFinishPath, r.finish)
	r.Server = httptest.NewServer(mux)
	r.device = device.New(device.Config{Dir: t.TempDir(), Origin: r.URL, Store: device.StoreFile})
	t.Cleanup(r.Server.Close)
	return r
}

// Remember implements dpop.Replay.
func (r *rig) Remember(_ context.Context, id string, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proofs[id] {
		return dpop.ErrReplayed
	}
	r.proofs[id] = true
	return nil
}

func (r *rig) start(w http.ResponseWriter, req *http.Request) {
	var ask wire.LoginStart
	if !r.admit(w, req, &ask) {
		return
	}
	r.mu.Lock()
	r.starts = append(r.starts, ask)
	n := len(r.starts)
	r.mu.Unlock()
	if r.onStart != nil {
		if status, body := r.onStart(n, ask); body != nil {
			reply(w, status, body)
			return
		}
	}
	reply(w, http.StatusOK, r.started(n == 1))
}

// started is what a good vault answers.
func (r *rig) started(open bool) wire.LoginStarted {
	return wire.LoginStarted{Login: "l_1", Start: "s_1", URL: r.URL + "/login/abc", Open: open, ExpiresInSeconds: 60}
}

func (r *rig) finish(w http.ResponseWriter, req *http.Request) {
	var ask wire.LoginFinish
	if !r.admit(w, req, &ask) {
		return
	}
	r.mu.Lock()
	r.finishes = append(r.finishes, ask)
	n := len(r.finishes)
	challenge := r.starts[0].Challenge
	r.mu.Unlock()
	if r.onFinish != nil {
		if status, body := r.onFinish(n, ask); body != nil {
			reply(w, status, body)
			return
		}
	}
	if sum := sha256.Sum256([]byte(ask.Verifier)); base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
		r.t.Errorf("the verifier does not fit the challenge %s", challenge)
	}
	reply(w, http.StatusOK, wire.LoginFinished{OK: true, Page: r.URL + "/login/done"})
}

func (r *rig) admit(w http.ResponseWriter, req *http.Request, into any) bool {
	if _, err := dpop.FromRequest(r.verifier, req, r.URL); err != nil {
		dpop.Refuse(w, r.nonces, err)
		return false
	}
	if err := json.NewDecoder(req.Body).Decode(into); err != nil {
		r.t.Errorf("%s: %v", req.URL.Path, err)
		return false
	}
	return true
}

// reply sends body, as it is if it is bytes.
func reply(w http.ResponseWriter, status int, body any) {
	if raw, ok := body.(page); ok {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, string(raw))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type page string

func (r *rig) asked() (starts []wire.LoginStart, finishes []wire.LoginFinish) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(starts, r.starts...), append(finishes, r.finishes...)
}

func (r *rig) url() *url.URL {
	u, err := url.Parse(r.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

// process is one shim process.
type process struct {
	*signin.SignIn
	t      *testing.T
	states chan signin.State
}

// process starts nothing; open is its browser.
func (r *rig) process(open func(ctx context.Context, address string) error) *process {
	r.t.Helper()
	way, err := network.New(network.Config{})
	if err != nil {
		r.t.Fatal(err)
	}
	p := &process{t: r.t, states: make(chan signin.State, 100)}
	p.SignIn = signin.New(signin.Config{
		HTTP: way.HTTP, VaultURL: r.url(), Prover: r.device, Stream: func() string { return "stream" }, Host: "laptop", User: "ada",
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), OpenBrowser: open,
		Notify: func(s signin.State) { p.states <- s },
	})
	r.t.Cleanup(func() { p.Close(); way.Close() })
	return p
}

// until waits for a phase.
func (p *process) until(phase signin.Phase) signin.State {
	p.t.Helper()
	late := time.After(15 * time.Second)
	for {
		select {
		case s := <-p.states:
			if s.Phase == phase {
				return s
			}
			if s.Phase == signin.Failed || s.Phase == signin.Done {
				p.t.Fatalf("the sign-in is %s (%s), want %s", s.Phase, s.Message, phase)
			}
		case <-late:
			p.t.Fatalf("the sign-in is %+v after 15 s, want %s", p.State(), phase)
		}
	}
}

// visit goes to an address as a browser does, without following redirects.
func visit(t *testing.T, method, address string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	res, text, err := try(t.Context(), method, address, change)
	if err != nil {
		t.Fatal(err)
	}
	return res, text
}

func try(ctx context.Context, method, address string, change func(*http.Request)) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return nil, "", err
	}
	if change != nil {
		change(req)
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	return res, string(text), err
}

// home is the address of a browser that comes back with the ticket.
func (r *rig) home(start string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts[len(r.starts)-1].Loopback + "?" + url.Values{wire.ParamTicket: {canary}, wire.ParamStart: {start}}.Encode()
}

// opened is a browser that only notes what it is given.
type opened struct {
	mu   sync.Mutex
	urls []string // guarded by mu
	err  error
}

func (o *opened) open(_ context.Context, address string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.urls = append(o.urls, address)
	return o.err
}

func (o *opened) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.urls...)
}

// buffer may be written by many.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// nothingLeaked looks for what must not be seen in the log and in texts.
func (r *rig) nothingLeaked(texts ...any) {
	r.t.Helper()
	_, finishes := r.asked()
	seen := r.log.String() + fmt.Sprint(texts...)
	needles := []string{canary, "CNRY"}
	for _, f := range finishes {
		needles = append(needles, f.Verifier)
	}
	for _, needle := range needles {
		if strings.Contains(seen, needle) {
			r.t.Errorf("%q is in %s", needle, seen)
		}
	}
}

// keeper keeps a key in a file of its own.
func keeper(t testing.TB, origin string) *device.Keeper {
	t.Helper()
	return device.New(device.Config{Dir: t.TempDir(), Origin: origin, Store: device.StoreFile})
}
