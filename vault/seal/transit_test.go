package seal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
)

// engine is a transit engine with one AEAD key, as its API is documented.
type engine struct {
	mu       sync.Mutex
	versions [][]byte // AES-256 keys, oldest first
	token    string
	ancient  bool // ignores associated_data, as before 1.13
	answer   func(w http.ResponseWriter) bool
	asked    []*http.Request
}

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, r)
	if e.answer != nil && e.answer(w) {
		return
	}
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {text}})
	}
	var in struct {
		Plaintext, Ciphertext string
		AssociatedData        []byte `json:"associated_data"`
	}
	switch {
	case r.Header.Get("X-Vault-Token") != e.token:
		refuse(http.StatusForbidden, "permission denied CANARY")
		return
	case r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&in) != nil:
		refuse(http.StatusMethodNotAllowed, "unsupported operation")
		return
	}
	if e.ancient {
		in.AssociatedData = nil
	}
	switch r.URL.Path {
	case "/v1/team/transit/encrypt/coatcheck":
		plain, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			refuse(http.StatusBadRequest, "failed to base64-decode plaintext")
			return
		}
		version := len(e.versions)
		nonce := make([]byte, 12)
		_, _ = rand.Read(nonce)
		out := aesGCM(e.versions[version-1]).Seal(nonce, nonce, plain, in.AssociatedData)
		respond(w, map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", version, base64.StdEncoding.EncodeToString(out)), "key_version": version})
	case "/v1/team/transit/decrypt/coatcheck":
		var version int
		var text string
		if n, _ := fmt.Sscanf(in.Ciphertext, "vault:v%d:%s", &version, &text); n != 2 || version < 1 || version > len(e.versions) {
			refuse(http.StatusBadRequest, "invalid ciphertext: no prefix")
			return
		}
		sealed, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(sealed) < 12 {
			refuse(http.StatusBadRequest, "invalid ciphertext: could not decode")
			return
		}
		plain, err := aesGCM(e.versions[version-1]).Open(nil, sealed[:12], sealed[12:], in.AssociatedData)
		if err != nil {
			refuse(http.StatusBadRequest, err.Error())
			return
		}
		respond(w, map[string]any{"plaintext": base64.StdEncoding.EncodeToString(plain)})
	default:
		refuse(http.StatusNotFound, "no handler for route")
	}
}

func respond(w http.ResponseWriter, data map[string]any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"request_id": "x", "lease_id": "", "renewable": false, "lease_duration": 0, "data": data, "warnings": nil})
}

func aesGCM(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return box
}

// newEngine starts an engine and returns it with its host and the folder of
// its token.
func newEngine(t testing.TB) (e *engine, host, dir string) {
	t.Helper()
	e = &engine{versions: [][]byte{bytes.Repeat([]byte{7}, 32)}, token: "CANARY-token"}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(e.token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return e, strings.TrimPrefix(server.URL, "http://"), dir
}

func openTransit(t testing.TB, host, dir string) seal.KEK {
	t.Helper()
	kek, err := seal.OpenKEK(t.Context(), "vault-transit://"+host+"/team/transit/coatcheck?token=file:token&namespace=acme", dir, false)
	if err != nil {
		t.Fatal(err)
	}
	return kek
}

func TestTransitWrapsForOnePlace(t *testing.T) {
	for name, ancient := range map[string]bool{"bound by the service": false, "bound inside": true} {
		t.Run(name, func(t *testing.T) {
			e, host, dir := newEngine(t)
			e.ancient = ancient
			kek := openTransit(t, host, dir)
			box, wrapped, err := seal.NewKey(t.Context(), kek, place)
			if err != nil {
				t.Fatal(err)
			}
			if got := seal.WrappedBy(wrapped); got != kek.Names()[0] || got != "vault-transit://"+host+"/team/transit/coatcheck" {
				t.Errorf("WrappedBy = %q", got)
			}
			sealed, err := box.Seal([]byte("plain"), place)
			if err != nil {
				t.Fatal(err)
			}
			e.versions = append(e.versions, bytes.Repeat([]byte{8}, 32)) // rotated inside the service
			again, err := seal.OpenKey(t.Context(), kek, wrapped, place)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := again.Open(sealed, place); err != nil || string(plain) != "plain" {
				t.Errorf("Open = %q, %v", plain, err)
			}
			for name, other := range elsewhere() {
				if _, err := seal.OpenKey(t.Context(), kek, wrapped, other); !errors.Is(err, seal.ErrOpen) {
					t.Errorf("%s: %v; want ErrOpen", name, err)
				}
			}
			for i := range wrapped {
				changed := bytes.Clone(wrapped)
				changed[i] ^= 1
				if _, err := seal.OpenKey(t.Context(), kek, changed, place); err == nil {
					t.Errorf("opens with byte %d changed", i)
				}
			}
			if got := e.asked[0].Header.Get("X-Vault-Namespace"); got != "acme" {
				t.Errorf("namespace %q", got)
			}
		})
	}
}

func TestTransitThatDoesNotAnswerAsItShould(t *testing.T) {
	say := func(status int, text string) func(http.ResponseWriter) bool {
		return func(w http.ResponseWriter) bool {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	for name, test := range map[string]struct {
		answer func(http.ResponseWriter) bool
		want   string
	}{
		"sealed":        {say(503, `{"errors":["Vault is sealed CANARY"]}`), "does not answer. The service may be sealed: unseal it"},
		"no key":        {say(400, `{"errors":["encryption key not found CANARY"]}`), "does not have this key"},
		"busy":          {say(429, `{"errors":["request path quota exceeded CANARY"]}`), "too much to do"},
		"elsewhere":     {say(307, "CANARY"), "does not answer as such a service does"},
		"not JSON":      {say(200, "CANARY"), "does not answer as such a service does"},
		"nothing in it": {say(200, `{"data":{}}`), "does not answer as such a service does"},
		"endless": {func(w http.ResponseWriter) bool {
			_, _ = io.WriteString(w, `{"data":{"ciphertext":"`)
			for range 200 {
				_, _ = io.WriteString(w, strings.Repeat("A", 10<<10))
			}
			return true
		}, "does not answer as such a service does"},
		"broken off": {func(w http.ResponseWriter) bool {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
			return true
		}, "broke off"},
		"garbage instead of HTTP":   {raw(t, "CANARY CANARY\r\n\r\n"), "does not answer"},
		"garbage instead of chunks": {raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nCANARY\r\n"), "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			e, host, dir := newEngine(t)
			e.answer = test.answer
			_, err := openTransit(t, host, dir).Wrap(t.Context(), []byte("CANARY"), place)
			if usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), test.want) || strings.Contains(fmt.Sprint(err), "CANARY") {
				t.Errorf("Wrap = %v; want a user error with %q", err, test.want)
			}
			if len(e.asked) != 1 {
				t.Errorf("asked %d times", len(e.asked))
			}
		})
	}
}

// raw answers with bytes as they are.
func raw(t *testing.T, answer string) func(http.ResponseWriter) bool {
	return func(w http.ResponseWriter) bool {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return true
		}
		_, _ = io.WriteString(conn, answer) // the asker may have gone
		_ = conn.Close()
		return true
	}
}

func TestTransitTokenIsReadForEachRequest(t *testing.T) {
	e, host, dir := newEngine(t)
	kek := openTransit(t, host, dir)
	e.token = "another"
	_, err := kek.Wrap(t.Context(), []byte("key"), place)
	if text := usererr.Text(err, ""); !strings.Contains(text, "may not use this key") || !strings.Contains(text, "policy of the token") || strings.Contains(fmt.Sprint(err), "CANARY") {
		t.Errorf("Wrap with an old token = %v", err)
	}
	write(t, filepath.Join(dir, "token"), []byte("another"))
	if _, err := kek.Wrap(t.Context(), []byte("key"), place); err != nil {
		t.Errorf("Wrap with the new token = %v", err)
	}
	for name, text := range map[string]string{"empty": " \n", "two lines": "a\nb"} {
		write(t, filepath.Join(dir, "token"), []byte(text))
		if _, err := kek.Wrap(t.Context(), []byte("key"), place); !strings.Contains(usererr.Text(err, ""), "token for the key service") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "token")); err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Wrap(t.Context(), []byte("key"), place); !strings.Contains(usererr.Text(err, ""), "token for the key service") {
		t.Errorf("no file: %v", err)
	}
}

func TestTransitThatIsDownOrSlow(t *testing.T) {
	t.Parallel() // it waits for the timeout
	dir := t.TempDir()
	write(t, filepath.Join(dir, "token"), []byte("t"))
	kek := openTransit(t, "127.0.0.1:1", dir)
	if _, err := kek.Wrap(t.Context(), []byte("key"), place); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("down: %v", err)
	}
	e, host, dir := newEngine(t)
	release := make(chan struct{})
	e.answer = func(http.ResponseWriter) bool { <-release; return false }
	defer close(release)
	start := time.Now()
	_, err := openTransit(t, host, dir).Wrap(t.Context(), []byte("key"), place)
	if took := time.Since(start); usererr.CodeOf(err) != usererr.Unavailable || took > 20*time.Second {
		t.Errorf("slow: %v after %v", err, took)
	}
}

// TestTransitNeedsTLS listens without it where others can reach this machine.
func TestTransitNeedsTLS(t *testing.T) {
	e, _, dir := newEngine(t)
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Skip(err)
	}
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		if !ok || !network.IP.IsGlobalUnicast() || network.IP.To4() == nil {
			continue
		}
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", network.IP.String()+":0")
		if err != nil {
			continue
		}
		server := httptest.NewUnstartedServer(e)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.Listener = listener
		server.Start()
		defer server.Close()
		if _, err := openTransit(t, listener.Addr().String(), dir).Wrap(t.Context(), []byte("key"), place); usererr.CodeOf(err) != usererr.Unavailable {
			t.Errorf("Wrap = %v", err)
		}
		if len(e.asked) != 0 {
			t.Error("a request without TLS arrived")
		}
		return
	}
	t.Skip("this machine has no address but its own")
}

func TestTransitTrustsOnlyItsAuthorities(t *testing.T) {
	e, _, dir := newEngine(t)
	server := httptest.NewUnstartedServer(e)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "https://")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	write(t, filepath.Join(dir, "ca.pem"), certificate)
	url := "vault-transit://" + host + "/team/transit/coatcheck?token=file:token&ca=file:ca.pem"
	kek, err := seal.OpenKEK(t.Context(), url, dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Wrap(t.Context(), []byte("key"), place); err != nil {
		t.Errorf("Wrap = %v", err)
	}
	asked := len(e.asked)
	other := "vault-transit://" + strings.Replace(host, "127.0.0.1", "localhost", 1) + "/team/transit/coatcheck?token=file:token&ca=file:ca.pem"
	if kek, err = seal.OpenKEK(t.Context(), other, dir, false); err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Wrap(t.Context(), []byte("key"), place); usererr.CodeOf(err) != usererr.Unavailable || len(e.asked) != asked {
		t.Errorf("Wrap under a name that the certificate does not have = %v", err)
	}
}

func TestTransitURLsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bad.pem"), []byte("no certificate"))
	for _, rest := range []string{
		"", "//", "//host", "//host/transit?token=file:t", "//host/transit/?token=file:t", "///transit/key?token=file:t", "//host/transit/key",
		"//host/transit/key?token=CANARY", "//host/transit/key?token=file:", "//joe:CANARY@host/transit/key?token=file:t", "//host/../key?token=file:t",
		"//host/transit/key?token=file:t&colour=blue", "//host/transit/key?token=file:t&ca=file:bad.pem", "//host/transit/key?token=file:t#x",
		"//host/transit/" + strings.Repeat("k", 65) + "?token=file:t", "//" + strings.Repeat("h", 250) + "/transit/key?token=file:t", "transit/key", "//%zz/",
	} {
		_, err := seal.OpenKEK(t.Context(), "vault-transit:"+rest, dir, true)
		if usererr.CodeOf(err) != usererr.Settings || strings.Contains(fmt.Sprint(err), "CANARY") {
			t.Errorf("%q: %v; want a user error with the code settings", rest, err)
		}
	}
}

// TestWhatTransitWrappedOpensForEver has the key of the engine, what it
// answered, and what the vault stored.
func TestWhatTransitWrappedOpensForEver(t *testing.T) {
	const file = "testdata/transit.txtar"
	e, host, dir := newEngine(t)
	kek := openTransit(t, host, dir)
	const lasting = "vault-transit://vault.example:8200/team/transit/coatcheck"
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) && *update {
		wrapped, err := kek.Wrap(t.Context(), []byte("a key that protects nothing"), place)
		if err != nil {
			t.Fatal(err)
		}
		archive := &txtar.Archive{
			Comment: []byte("What a key of a transit engine has wrapped. It opens for ever: never changed.\n\n"),
			Files: []txtar.File{
				{Name: "engine", Data: []byte(encode(e.versions[0]) + "\n")},
				{Name: "wrapped", Data: []byte(encode(renamed(wrapped, lasting)) + "\n")},
			},
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := func(i int) []byte { return decode(t, strings.TrimSpace(string(archive.Files[i].Data))) }
	e.versions = [][]byte{part(0)}
	if got := seal.WrappedBy(part(1)); got != lasting {
		t.Errorf("WrappedBy = %q", got)
	}
	plain, err := kek.Unwrap(t.Context(), renamed(part(1), kek.Names()[0]), place)
	if err != nil || string(plain) != "a key that protects nothing" {
		t.Errorf("Unwrap = %q, %v", plain, err)
	}
}

// renamed is what another service of the same key would have answered.
func renamed(wrapped []byte, name string) []byte {
	rest := wrapped[2+int(wrapped[1]):]
	return append(append([]byte{2, byte(len(name))}, name...), rest...)
}
