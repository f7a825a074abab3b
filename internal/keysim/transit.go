package keysim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const transitToken = "CANARY-transit-token"

// TransitKey is a key of the transit engine of HashiCorp Vault or OpenBao,
// mounted at team/transit ("Transit secrets engine (API)"). It stands outside
// of the net, on this machine and without TLS.
type TransitKey struct {
	*keyring
	host, tokenFile string
}

// Transit starts an engine with one key. It ends with the test.
func Transit(t testing.TB) *TransitKey {
	t.Helper()
	k := &TransitKey{keyring: &keyring{fresh: numbered}, tokenFile: filepath.Join(t.TempDir(), "token")}
	k.Rotate()
	if err := os.WriteFile(k.tokenFile, []byte(transitToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(k)
	t.Cleanup(server.Close)
	k.host = strings.TrimPrefix(server.URL, "http://")
	return k
}

// URL implements [Key].
func (k *TransitKey) URL() string {
	return "vault-transit://" + k.host + "/team/transit/kek?token=file:" + k.tokenFile
}

// ServeHTTP implements [http.Handler].
func (k *TransitKey) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k.answered(w, r) {
		return
	}
	refuse := func(status int, text string) { reply(w, status, map[string][]string{"errors": {text}}) }
	verb, ok := strings.CutPrefix(r.URL.Path, "/v1/team/transit/")
	var in struct {
		Plaintext  []byte
		Ciphertext string
		Place      []byte `json:"associated_data"`
	}
	if r.Method != http.MethodPost || !ok || json.NewDecoder(r.Body).Decode(&in) != nil {
		refuse(http.StatusMethodNotAllowed, "unsupported operation")
		return
	}
	var number string
	var sealed []byte
	if verb == "decrypt/kek" {
		prefix, text, _ := strings.Cut(strings.TrimPrefix(in.Ciphertext, "vault:v"), ":")
		var err error
		if sealed, err = base64.StdEncoding.DecodeString(text); err != nil {
			refuse(http.StatusBadRequest, "invalid ciphertext: could not decode base64 CANARY")
			return
		}
		number = prefix
	}
	v, state := k.pick(number)
	switch {
	case r.Header.Get("X-Vault-Token") != transitToken || state == Forbidden:
		refuse(http.StatusForbidden, "1 error occurred: permission denied CANARY")
	case number != "" && v.ID == "" && state == Deleted && !k.is(Deleted):
		refuse(http.StatusBadRequest, "invalid ciphertext: version is too new CANARY")
	case state == Deleted:
		refuse(http.StatusBadRequest, "encryption key not found CANARY")
	case state == Disabled:
		refuse(http.StatusBadRequest, "ciphertext or signature version is disallowed by policy (too old) CANARY")
	case state == Unfit:
		refuse(http.StatusBadRequest, "message encryption not supported for key type ed25519 CANARY")
	case verb == "encrypt/kek":
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{
			"ciphertext": fmt.Sprintf("vault:v%s:%s", v.ID, base64.StdEncoding.EncodeToString(newGCM(v).seal(in.Plaintext, in.Place))),
		}})
	case verb == "decrypt/kek":
		plain, ok := newGCM(v).open(sealed, in.Place)
		if !ok {
			refuse(http.StatusBadRequest, "cipher: message authentication failed CANARY")
			return
		}
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"plaintext": plain}})
	default:
		refuse(http.StatusNotFound, "no handler for route CANARY")
	}
}
