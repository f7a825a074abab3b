package gcp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/gcp"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

var place = bytes.Repeat([]byte{7}, 32)

func open(t *testing.T, net *keysim.Net, url string) seal.Service {
	t.Helper()
	at, err := keyurl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	service, err := gcp.Open(t.Context(), at, net.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return service
}

// meddle lets the service answer and changes what it says on the way.
func meddle(key *keysim.GCPKey, change func(map[string]any)) {
	inside := false
	key.Answer(func(w http.ResponseWriter, r *http.Request) bool {
		if inside {
			return false
		}
		inside = true
		defer func() { inside = false }()
		answer := httptest.NewRecorder()
		key.ServeHTTP(answer, r)
		var said map[string]any
		_ = json.Unmarshal(answer.Body.Bytes(), &said)
		change(said)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(said)
		return true
	})
}

// TestChecksums: what a broken machine on the way changed is noticed before
// anything is stored or used, and asked again.
func TestChecksums(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.GCP(t)
	service := open(t, net, key.URL())
	sealed, err := service.Encrypt(t.Context(), []byte("key"), place)
	if err != nil {
		t.Fatal(err)
	}
	encrypt := func() error { _, err := service.Encrypt(t.Context(), []byte("key"), place); return err }
	decrypt := func() error { _, err := service.Decrypt(t.Context(), sealed, place); return err }
	for name, test := range map[string]struct {
		do     func() error
		change func(map[string]any)
	}{
		"another ciphertext":       {encrypt, func(said map[string]any) { said["ciphertext"] = "AAAA" }},
		"no checksum":              {encrypt, func(said map[string]any) { delete(said, "ciphertextCrc32c") }},
		"the key was not verified": {encrypt, func(said map[string]any) { delete(said, "verifiedPlaintextCrc32c") }},
		"nor the place":            {encrypt, func(said map[string]any) { said["verifiedAdditionalAuthenticatedDataCrc32c"] = false }},
		"another key":              {decrypt, func(said map[string]any) { said["plaintext"] = "AAAA" }},
		"no checksum of the key":   {decrypt, func(said map[string]any) { delete(said, "plaintextCrc32c") }},
	} {
		meddle(key, test.change)
		before := key.Asked()
		err := test.do()
		if text := usererr.Text(err, ""); !strings.Contains(text, "checksums do not fit") {
			t.Errorf("%s: %v", name, err)
		}
		if asked := key.Asked() - before; asked != 6 { // each of three tries is counted twice, by meddle too
			t.Errorf("%s: asked %d times", name, asked)
		}
		once := false
		meddle(key, func(said map[string]any) {
			if !once {
				test.change(said)
			}
			once = true
		})
		if err := test.do(); err != nil {
			t.Errorf("%s, once: %v", name, err)
		}
	}
	meddle(key, func(said map[string]any) { said["name"] = "projects/other/cryptoKeyVersions/1" })
	if err := encrypt(); !strings.Contains(usererr.Text(err, ""), "does not answer as such a service does") {
		t.Errorf("the name of another key: %v", err)
	}
}

func TestCredentialsThatDoNotWork(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"of somebody else": func(t *testing.T, file string) {
			other := keysim.NewNet(t)
			other.GCP(t) // another key of the same account
		},
		"no file": func(t *testing.T, file string) {
			t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(t.TempDir(), "none"))
		},
		"nonsense": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte(`{"type":"service_account","private_key":"CANARY"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		net := keysim.NewNet(t)
		key := net.GCP(t)
		change(t, os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"))
		_, err := open(t, net, key.URL()).Encrypt(t.Context(), []byte("key"), place)
		if text := usererr.Text(err, ""); !strings.Contains(text, "does not accept the vault's credentials") || strings.Contains(text+err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
		if key.Asked() != 0 {
			t.Errorf("%s: asked with credentials", name)
		}
	}
}

// TestCredentialsThatComeLater: a vault that started before them finds them.
func TestCredentialsThatComeLater(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.GCP(t)
	service := open(t, net, key.URL())
	file := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS")
	if err := os.Rename(file, file+".later"); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Encrypt(t.Context(), []byte("key"), place); err == nil {
		t.Error("encrypts without credentials")
	}
	if err := os.Rename(file+".later", file); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Encrypt(t.Context(), []byte("key"), place); err != nil {
		t.Error(err)
	}
}

func TestTheSignInOfGoogleThatIsDown(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.GCP(t)
	service := open(t, net, key.URL())
	net.Between("oauth2.googleapis.com", func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = io.WriteString(w, "CANARY")
		return true
	})
	_, err := service.Encrypt(t.Context(), []byte("key"), place)
	if text := usererr.Text(err, ""); !strings.Contains(text, "does not answer") || strings.Contains(text+err.Error(), "CANARY") {
		t.Errorf("Encrypt = %v", err)
	}
}

// TestWordsOfCloudKMS tells damage from a request that was damaged on the way.
func TestWordsOfCloudKMS(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.GCP(t)
	service := open(t, net, key.URL())
	for name, test := range map[string]struct {
		status     int
		body, want string
		damaged    bool
	}{
		"damage":     {400, `{"error":{"status":"INVALID_ARGUMENT","message":"Decryption failed: the ciphertext is invalid. CANARY"}}`, "", true},
		"checksum":   {400, `{"error":{"status":"INVALID_ARGUMENT","message":"The checksum CANARY did not match"}}`, "checksums do not fit", false},
		"destroyed":  {400, `{"error":{"status":"FAILED_PRECONDITION","message":"CANARY"}}`, "disabled", false},
		"quota":      {429, `{"error":{"status":"RESOURCE_EXHAUSTED","message":"CANARY"}}`, "too much to do", false},
		"odd status": {400, `{"error":{"status":"CANARY canary","message":"CANARY"}}`, "does not answer as such", false},
	} {
		key.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
			return true
		})
		_, err := service.Decrypt(t.Context(), []byte("sealed"), place)
		text := usererr.Text(err, "")
		if errors.Is(err, seal.ErrOpen) != test.damaged || !test.damaged && !strings.Contains(text, test.want) || strings.Contains(text+err.Error(), "CANARY") {
			t.Errorf("%s: %v; want %q", name, err, test.want)
		}
	}
}
