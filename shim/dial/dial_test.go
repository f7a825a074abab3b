package dial_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/internal/wsconn"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
	"github.com/coatcheck-mcp/coatcheck/shim/dial"
)

type prover struct {
	key *ecdsa.PrivateKey
	err error
}

func (p prover) Device(context.Context) (*device.DeviceKey, error) {
	return &device.DeviceKey{Key: p.key, Class: device.ClassFile}, p.err
}

func newProver(t *testing.T) prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return prover{key: key}
}

type memory map[string]bool

func (m memory) Remember(_ context.Context, id string, _ time.Time) error {
	if m[id] {
		return dpop.ErrReplayed
	}
	m[id] = true
	return nil
}

func dialer(t *testing.T, address string) *dial.Dialer {
	t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &dial.Dialer{Vault: at, Prover: newProver(t)}
}

// TestDialProves dials twice; only the first time the vault must name its
// nonce.
func TestDialProves(t *testing.T) {
	nonces := dpop.NewNonces([]byte("0123456789abcdef0123456789abcdef"), time.Minute)
	verifier := dpop.NewVerifier(dpop.VerifierConfig{Nonces: nonces, Replay: memory{}})
	var asked atomic.Int32
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if _, err := dpop.FromRequest(verifier, r, server.URL); err != nil {
			dpop.Refuse(w, nonces, err)
			return
		}
		if r.URL.Path != wire.ConnectPath || r.Header.Get("Origin") != "" || r.Header.Get("Sec-WebSocket-Extensions") != "" {
			t.Errorf("request %v %v", r.URL, r.Header)
		}
		if conn, err := wsconn.Upgrade(w, r, wsconn.Options{}); err == nil {
			_ = conn.Close(wsconn.CodeNormal, "")
		}
	}))
	defer server.Close()
	d := dialer(t, server.URL)
	for i, want := range []int32{2, 3} {
		conn, key, err := d.Dial(t.Context())
		if err != nil || key.Class != device.ClassFile {
			t.Fatalf("Dial = %v", err)
		}
		_ = conn.Close(wsconn.CodeNormal, "")
		if n := asked.Load(); n != want {
			t.Errorf("%d requests after dial %d", n, i)
		}
	}
}

func TestDialExplains(t *testing.T) {
	answer := func(status int, header map[string]string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for name, value := range header {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	problem := `{"code":"denied","message":"not this\u001b[31m device.\n","hint":"ask IT"}`
	nonce := 0
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		code    usererr.Code
		want    string
		after   time.Duration
	}{
		"a refusal":        {answer(403, nil, problem), usererr.Denied, "refuses: not this[31m device. ask IT.", 0},
		"a vault at rest":  {answer(503, map[string]string{"Retry-After": "7"}, `{"code":"unavailable","message":"starting"}`), usererr.Unavailable, "says: starting", 7 * time.Second},
		"too long a rest":  {answer(429, map[string]string{"Retry-After": "999999"}, `{"code":"rate_limited","message":"slowly"}`), usererr.Unavailable, "says: slowly", 5 * time.Minute},
		"a bad proof":      {answer(401, nil, `{"code":"unauthorized","message":"x"}`), usererr.Unauthorized, "does not accept the proof", 0},
		"a load balancer":  {answer(502, nil, "<html>SECRET</html>"), usererr.Unavailable, "the vault is away (502)", 0},
		"a captive portal": {answer(302, map[string]string{"Location": "http://login.example"}, ""), usererr.Version, "sends visitors elsewhere", 0},
		"a web page":       {answer(200, nil, "<html>SECRET</html>"), usererr.Version, "status 200", 0},
		"another program":  {answer(404, nil, "SECRET"), usererr.Version, "status 404", 0},
		"endless nonces": {func(w http.ResponseWriter, r *http.Request) {
			nonce++
			answer(401, map[string]string{dpop.NonceHeader: strings.Repeat("n", nonce)}, `{"code":"unauthorized","message":"x"}`)(w, r)
		}, usererr.Unauthorized, "does not accept the proof", 0},
		"another websocket": {func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Sec-WebSocket-Protocol", wire.Subprotocol)
			w.Header().Set("Sec-WebSocket-Protocol", "other")
			w.WriteHeader(400)
		}, usererr.Version, "status 400", 0},
		"a vault that is newer": {answer(400, map[string]string{"Retry-After": "60"}, `{"code":"version","message":"it speaks version 2, this program only version 1","hint":"Update Coatcheck"}`),
			usererr.Version, "do not fit together: it speaks version 2, this program only version 1. Update Coatcheck.", time.Minute},
		"a newer one that says no more": {answer(400, map[string]string{"Sec-WebSocket-Protocol": "coatcheck.v2"}, "SECRET"),
			usererr.Version, "it speaks version 2 of the connection between the two, this program only version 1. Update Coatcheck on this computer", 0},
		"one that upgrades all the same": {upgrade("coatcheck.v3"), usererr.Version, "it speaks version 3 of the connection", 0},
		"one that upgrades to nothing":   {upgrade(""), usererr.Version, "it is of another version, or something else answers there", 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(test.handler)
			defer server.Close()
			_, _, err := dialer(t, server.URL).Dial(t.Context())
			text := usererr.Text(err, "")
			if usererr.CodeOf(err) != test.code || !strings.Contains(text, test.want) || strings.Contains(text, "SECRET") {
				t.Errorf("%s: %s", usererr.CodeOf(err), text)
			}
			if refused, ok := errors.AsType[*dial.Refused](err); test.after != 0 && (!ok || refused.After != test.after) {
				t.Errorf("Dial = %v, want to come back after %v", err, test.after)
			}
		})
	}
	if nonce > 3 {
		t.Errorf("%d tries with nonces", nonce)
	}
}

// upgrade answers with a websocket of another subprotocol.
func upgrade(subprotocol string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §4.2.2
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		head := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
		if subprotocol != "" {
			head += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n"
		}
		_, _ = conn.Write([]byte(head + "\r\n"))
	}
}

func TestGoodbye(t *testing.T) {
	for _, test := range []struct {
		bye  wire.Bye
		code usererr.Code
		want string
	}{
		{wire.Bye{Reason: wire.ByeVersion}, usererr.Version, "The vault at V and this program do not fit together. Update Coatcheck on this computer, then restart the client; if there is no update, ask"},
		{wire.Bye{Reason: wire.ByeVersion, Message: "too old.", Hint: "Ask\nIT"}, usererr.Version, "do not fit together: too old. Ask IT."},
		{wire.Bye{Reason: wire.ByeLimit, Message: "full"}, usererr.Unavailable, "does not take this connection now: full. It is tried again by itself."},
		{wire.Bye{Reason: wire.ByeDrain, Message: "x"}, usererr.Unavailable, "is restarting. Ask again in a moment."},
		{wire.Bye{Reason: "of a newer vault"}, usererr.Unavailable, "is restarting. Ask again in a moment."},
	} {
		err := dial.Goodbye(test.bye, "V")
		if text := usererr.Text(err, ""); err.Code != test.code || !strings.Contains(text, test.want) {
			t.Errorf("%+v: %s: %s", test.bye, err.Code, text)
		}
	}
}

func TestDialWithoutNetwork(t *testing.T) {
	d := dialer(t, "http://127.0.0.1:1")
	if _, _, err := d.Dial(t.Context()); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("Dial = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
	if _, _, err := d.Dial(ctx); err == nil {
		t.Error("dialled though the context had ended")
	}
	locked := usererr.New(usererr.Unauthorized, "locked", "")
	d.Prover = prover{err: locked}
	if _, _, err := d.Dial(t.Context()); !errors.Is(err, locked) {
		t.Errorf("Dial = %v", err)
	}
}

// TestDialThroughAProxyThatIsAway says that it is the proxy.
func TestDialThroughAProxyThatIsAway(t *testing.T) {
	d := dialer(t, "https://vault.example")
	for _, proxy := range []string{"http://ada:SECRET@127.0.0.1:1", "socks5://127.0.0.1:1"} {
		d.Proxy = func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }
		_, _, err := d.Dial(t.Context())
		if text := usererr.Text(err, ""); !strings.Contains(text, "The proxy on the way to the vault does not answer (127.0.0.1:1)") || strings.Contains(text, "SECRET") {
			t.Errorf("%s: %s", proxy, text)
		}
	}
}

// TestDialTrustsNobodyElse dials a vault whose certificate is unknown.
func TestDialTrustsNobodyElse(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	d := dialer(t, server.URL)
	_, _, err := d.Dial(t.Context())
	if text := usererr.Text(err, ""); !strings.Contains(text, "does not trust") {
		t.Errorf("Dial = %s", text)
	}
	d.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	if _, _, err = d.Dial(t.Context()); usererr.CodeOf(err) != usererr.Version {
		t.Errorf("Dial = %v", err)
	}
}

func TestSafe(t *testing.T) {
	for address, want := range map[string]bool{
		"https://vault.example.com": true, "http://127.0.0.1:8080": true, "http://localhost": true, "http://[::1]:1": true,
		"http://vault.example.com": false, "http://127.0.0.1.example.com": false, "ftp://127.0.0.1": false, "https://": false, "": false,
	} {
		at, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := dial.Safe(at); got != want {
			t.Errorf("Safe(%q) = %v", address, got)
		}
		if _, _, err := (&dial.Dialer{Vault: at, Prover: newProver(t)}).Dial(t.Context()); !want && usererr.CodeOf(err) != usererr.Settings {
			t.Errorf("Dial(%q) = %v", address, err)
		}
	}
	if dial.Safe(nil) {
		t.Error("Safe(nil)")
	}
}
