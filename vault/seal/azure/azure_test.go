package azure_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/azure"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

func open(t *testing.T, net *keysim.Net, url string) seal.Service {
	t.Helper()
	at, err := keyurl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	service, err := azure.Open(t.Context(), at, net.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func encrypt(t *testing.T, s seal.Service) []byte {
	t.Helper()
	sealed, err := s.Encrypt(t.Context(), []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// TestAPinnedVersion wraps and opens with that version only.
func TestAPinnedVersion(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.Azure(t)
	first := key.Version()
	free, pinned := open(t, net, key.URL()), open(t, net, key.URL()+"/"+first)
	if pinned.Name() == free.Name() {
		t.Errorf("both are named %s", free.Name())
	}
	key.Rotate()
	old, fresh := encrypt(t, pinned), encrypt(t, free)
	if !bytes.Contains(old, []byte(first)) || !bytes.Contains(fresh, []byte(key.Version())) {
		t.Error("the version is not named")
	}
	if _, err := pinned.Decrypt(t.Context(), old, nil); err != nil {
		t.Error(err)
	}
	if _, err := pinned.Decrypt(t.Context(), fresh, nil); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another version: %v; want ErrOpen", err)
	}
	key.Set(keysim.OldSwitch)
	for name, do := range map[string]func() error{
		"wrap":   func() error { _, err := pinned.Encrypt(t.Context(), []byte("key"), nil); return err },
		"unwrap": func() error { _, err := pinned.Decrypt(t.Context(), old, nil); return err },
	} {
		if err := do(); !strings.Contains(usererr.Text(err, ""), "is disabled") {
			t.Errorf("%s with a disabled version: %v", name, err)
		}
	}
}

func TestCredentialsThatDoNotWork(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"wrong": {"AZURE_CLIENT_SECRET": "CANARY"},
		"none":  {"AZURE_CLIENT_SECRET": "", "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"},
	} {
		net := keysim.NewNet(t)
		key := net.Azure(t)
		for name, value := range env {
			t.Setenv(name, value)
		}
		at, err := keyurl.Parse(key.URL())
		if err != nil {
			t.Fatal(err)
		}
		service, err := azure.Open(t.Context(), at, net.Transport())
		if err == nil {
			_, err = service.Encrypt(t.Context(), []byte("key"), nil)
		}
		if text := usererr.Text(err, ""); !strings.Contains(text, "credentials") || strings.Contains(text+err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
		if key.Asked() != 0 {
			t.Errorf("%s: asked with credentials", name)
		}
	}
}

// TestATokenIsOnlyForAKeyVault: what answers in the place of one cannot have
// a token made for elsewhere.
func TestATokenIsOnlyForAKeyVault(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.Azure(t)
	service := open(t, net, key.URL())
	net.Between("acme.vault.azure.net", func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			t.Error("a token was sent")
		}
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.microsoftonline.com/common", resource="https://graph.microsoft.com"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	_, err := service.Encrypt(t.Context(), []byte("key"), nil)
	if !strings.Contains(usererr.Text(err, ""), "what answers is no Key Vault") {
		t.Errorf("Encrypt = %v", err)
	}
}

// TestReasonsOfARefusal are told apart.
func TestReasonsOfARefusal(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.Azure(t)
	service := open(t, net, key.URL())
	sealed := encrypt(t, service)
	for inner, want := range map[string]string{
		"ForbiddenByPolicy": "Crypto Service Encryption User", "ForbiddenByFirewall": "through the firewall", "KeyNotYetValidOrExpired": "is disabled",
		"SomethingNew": "Crypto Service Encryption User", "": "Crypto Service Encryption User",
	} {
		key.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error":{"code":"Forbidden","message":"CANARY","innererror":{"code":"` + inner + `"}}}`))
			return true
		})
		_, err := service.Decrypt(t.Context(), sealed, nil)
		if text := usererr.Text(err, ""); !strings.Contains(text, want) || strings.Contains(text+err.Error(), "CANARY") || errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: %v; want %q", inner, err, want)
		}
	}
}

// TestAManagedIdentity asks the machine, not the environment.
func TestAManagedIdentity(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.Azure(t)
	id := net.AzureMachine(t)
	service := open(t, net, key.URL()+"?identity="+id)
	sealed := encrypt(t, service)
	if got, err := service.Decrypt(t.Context(), sealed, nil); err != nil || string(got) != "key" {
		t.Errorf("Decrypt = %q, %v", got, err)
	}
	_, err := open(t, net, key.URL()+"?identity=00000000-0000-0000-0000-000000000000").Encrypt(t.Context(), []byte("key"), nil)
	if text := usererr.Text(err, ""); !strings.Contains(text, "credentials") {
		t.Errorf("with an identity that the machine does not have: %v", err)
	}
}
