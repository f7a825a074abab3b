package visit_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/visit"
)

// memory remembers proofs.
type memory struct{ seen sync.Map }

func (m *memory) Remember(_ context.Context, id string, _ time.Time) error {
	if _, known := m.seen.LoadOrStore(id, true); known {
		return dpop.ErrReplayed
	}
	return nil
}

// open visits a vault that checks proofs and then lets talk have each link,
// behind hello.
func open(t *testing.T, talk func(v *vault, link *wsconn.Conn)) (*visit.Visit, *vault, error) {
	t.Helper()
	v := &vault{nonces: dpop.NewNonces(make([]byte, 32), time.Minute)}
	v.verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: v.nonces, Replay: &memory{}})
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		device, err := dpop.FromRequest(v.verifier, r, v.URL)
		if err != nil {
			dpop.Refuse(w, v.nonces, err)
			return
		}
		link, err := wsconn.Upgrade(w, r, wsconn.Options{})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = link.Close(wsconn.CodeGoingAway, "") }()
		_, frame, err := link.Read()
		if kind, body, bad := wire.KindOf(frame); err != nil || bad != nil || kind != wire.KindHello || wire.Decode(body, &v.hello) != nil {
			t.Errorf("the first frame is no hello: %v", err)
		}
		v.device = device
		talk(v, link)
	}))
	t.Cleanup(v.Close)
	u, err := url.Parse(v.URL)
	if err != nil {
		t.Fatal(err)
	}
	way, err := network.New(network.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(way.Close)
	keeper := device.New(device.Config{Dir: t.TempDir(), Origin: v.URL, Store: device.StoreFile})
	at, err := visit.Open(t.Context(), visit.Config{Network: way, Vault: u, Prover: keeper})
	return at, v, err
}

type vault struct {
	*httptest.Server
	nonces   *dpop.Nonces
	verifier *dpop.Verifier
	hello    wire.Hello
	device   string
}

func (v *vault) send(link *wsconn.Conn, kind wire.Kind, body any) {
	_ = link.WriteBinary(wire.Encode(kind, body))
}

func TestOpen(t *testing.T) {
	at, v, err := open(t, func(v *vault, link *wsconn.Conn) {
		v.send(link, wire.KindResume, wire.Resume{Version: "v2", SignedIn: true})
		_, _, _ = link.Read()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	if !at.SignedIn || at.Version != "v2" || at.Stream != v.hello.Stream || v.hello.KeyClass != device.ClassFile {
		t.Errorf("Visit = %+v after %+v", at, v.hello)
	}
}

func TestAVaultThatDoesNotGreet(t *testing.T) {
	tests := map[string]struct {
		talk func(v *vault, link *wsconn.Conn)
		code usererr.Code
	}{
		"goodbye": {func(v *vault, l *wsconn.Conn) {
			v.send(l, wire.KindBye, wire.Bye{Reason: wire.ByeDrain, Message: "canary"})
		}, usererr.Unavailable},
		"another version": {func(v *vault, l *wsconn.Conn) {
			v.send(l, wire.KindBye, wire.Bye{Reason: wire.ByeVersion, Message: "too old"})
		}, usererr.Version},
		"hangs up":    {func(*vault, *wsconn.Conn) {}, usererr.Version},
		"text":        {func(_ *vault, l *wsconn.Conn) { _ = l.WriteText([]byte("{}")) }, usererr.Version},
		"empty":       {func(_ *vault, l *wsconn.Conn) { _ = l.WriteBinary(nil) }, usererr.Version},
		"another one": {func(v *vault, l *wsconn.Conn) { v.send(l, wire.KindNonce, wire.Nonce{Nonce: "x"}) }, usererr.Version},
		"no JSON":     {func(_ *vault, l *wsconn.Conn) { _ = l.WriteBinary([]byte{byte(wire.KindResume), 'x'}) }, usererr.Version},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			at, _, err := open(t, tt.talk)
			if at != nil || usererr.CodeOf(err) != tt.code {
				t.Errorf("Open = %v, %v, want %s", at, err, tt.code)
			}
			if strings.Contains(usererr.Text(err, ""), "canary") {
				t.Errorf("the vault's words are in %q", usererr.Text(err, ""))
			}
		})
	}
}

// TestListen lets the vault ask for a proof, tell of a sign-in, go away, and
// tell of another one when the visitor has come back.
func TestListen(t *testing.T) {
	var mu sync.Mutex
	links, proved := 0, 0
	at, _, err := open(t, func(v *vault, link *wsconn.Conn) {
		mu.Lock()
		links++
		n := links
		mu.Unlock()
		v.send(link, wire.KindResume, wire.Resume{})
		v.send(link, wire.KindNonce, wire.Nonce{Nonce: v.nonces.Issue()})
		_, frame, err := link.Read()
		if err != nil {
			t.Errorf("no proof on link %d: %v", n, err)
			return
		}
		var proof wire.Proof
		kind, body, _ := wire.KindOf(frame)
		if kind != wire.KindProof || wire.Decode(body, &proof) != nil {
			t.Errorf("frame %v is no proof", kind)
		}
		if who, err := v.verifier.Verify(context.Background(), proof.Proof, "GET", v.URL+wire.ConnectPath); err != nil || who != v.device {
			t.Errorf("the proof is of %s: %v", who, err)
		}
		mu.Lock()
		proved++
		mu.Unlock()
		_ = link.WriteBinary([]byte{0x7f, 'x'}) // from a newer vault: ignored
		v.send(link, wire.KindLoginDone, wire.LoginDone{OK: n == 2, Message: "n"})
		if n == 1 {
			v.send(link, wire.KindBye, wire.Bye{Reason: wire.ByeDrain})
			return
		}
		_, _, _ = link.Read() // until the visitor goes
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results, ended, linked := make(chan wire.LoginDone, 4), make(chan struct{}), make(chan struct{}, 4)
	go func() {
		defer close(ended)
		at.Listen(ctx, signIn{results, linked})
	}()
	for i, want := range []bool{false, true} {
		select {
		case r := <-results:
			if r.OK != want || r.Message != "n" {
				t.Errorf("result %d = %+v", i, r)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("result %d did not come", i)
		}
	}
	if len(linked) != 1 {
		t.Errorf("it came back %d times, want once", len(linked))
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("Listen does not end with its context")
	}
	mu.Lock()
	defer mu.Unlock()
	if links != 2 || proved != 2 {
		t.Errorf("%d links and %d proofs, want 2", links, proved)
	}
}

// signIn hears what a visit tells.
type signIn struct {
	results chan wire.LoginDone
	linked  chan struct{}
}

func (s signIn) Done(result wire.LoginDone) { s.results <- result }
func (s signIn) Linked()                    { s.linked <- struct{}{} }
