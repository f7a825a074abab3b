package keysim

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	azureTenant = "11111111-2222-3333-4444-555555555555"
	azureClient = "99999999-8888-7777-6666-555555555555"
	azureSecret = "CANARY-azure-secret"
	azureToken  = "CANARY-azure-token"
)

// AzureKey is a key of a Key Vault or a Managed HSM: what wrapKey and
// unwrapKey do, and the sign-in before it ("Key Vault REST API 2025-07-01").
type AzureKey struct {
	*keyring
	host, name string
	hsm        bool
}

// Azure puts a Key Vault with one RSA key into the net, and sets the
// environment by which the vendor's client finds its credentials.
func (n *Net) Azure(t *testing.T) *AzureKey {
	return n.azure(t, "acme.vault.azure.net", func(int) version {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err) // rand never fails
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		return version{hex.EncodeToString(randomBytes(16)), der}
	})
}

// AzureHSM puts a Managed HSM with one symmetric key into the net.
func (n *Net) AzureHSM(t *testing.T) *AzureKey {
	return n.azure(t, "acme.managedhsm.azure.net", func(int) version { return version{hex.EncodeToString(randomBytes(16)), randomBytes(32)} })
}

func (n *Net) azure(t *testing.T, host string, fresh func(int) version) *AzureKey {
	t.Helper()
	for name, value := range map[string]string{"AZURE_TENANT_ID": azureTenant, "AZURE_CLIENT_ID": azureClient, "AZURE_CLIENT_SECRET": azureSecret, "AZURE_TOKEN_CREDENTIALS": "prod"} {
		t.Setenv(name, value)
	}
	k := &AzureKey{keyring: &keyring{fresh: fresh}, host: host, name: "kek", hsm: strings.Contains(host, "managedhsm")}
	k.Rotate()
	n.handle(host, k)
	n.handle("login.microsoftonline.com", http.HandlerFunc(entra))
	return k
}

// URL implements [Key].
func (k *AzureKey) URL() string {
	if k.hsm {
		return "azurekeyvault://" + k.host + "/" + k.name + "?algorithm=A256KW"
	}
	return "azurekeyvault://" + k.host + "/" + k.name
}

// Version is the id of the newest version.
func (k *AzureKey) Version() string {
	v, _ := k.pick("")
	return v.ID
}

// entra is the part of Microsoft's authorization server that a client with a
// secret needs.
func entra(w http.ResponseWriter, r *http.Request) {
	const origin = "https://login.microsoftonline.com/" + azureTenant
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		reply(w, http.StatusOK, map[string]string{
			"issuer": origin + "/v2.0", "authorization_endpoint": origin + "/oauth2/v2.0/authorize", "token_endpoint": origin + "/oauth2/v2.0/token",
		})
	case strings.HasSuffix(r.URL.Path, "/discovery/instance"):
		reply(w, http.StatusOK, map[string]any{
			"tenant_discovery_endpoint": origin + "/v2.0/.well-known/openid-configuration",
			"metadata": []map[string]any{{
				"preferred_network": "login.microsoftonline.com", "preferred_cache": "login.windows.net",
				"aliases": []string{"login.microsoftonline.com", "login.windows.net"},
			}},
		})
	case r.Method == http.MethodPost && r.URL.Path == "/"+azureTenant+"/oauth2/v2.0/token":
		if r.PostFormValue("client_id") != azureClient || r.PostFormValue("client_secret") != azureSecret || r.PostFormValue("grant_type") != "client_credentials" ||
			!strings.HasPrefix(r.PostFormValue("scope"), "https://vault.azure.net/.default") && !strings.HasPrefix(r.PostFormValue("scope"), "https://managedhsm.azure.net/.default") {
			reply(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided. CANARY"})
			return
		}
		reply(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": azureToken})
	default:
		http.NotFound(w, r)
	}
}

// AzureMachine makes this a machine of App Service with one managed identity,
// whose id it returns ("How to use managed identities": IDENTITY_ENDPOINT).
func (n *Net) AzureMachine(t *testing.T) string {
	const id, header = "abababab-8888-7777-6666-555555555555", "CANARY-azure-header"
	t.Setenv("IDENTITY_ENDPOINT", "https://machine.example/msi/token")
	t.Setenv("IDENTITY_HEADER", header)
	n.handle("machine.example", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Identity-Header") != header || r.URL.Query().Get("resource") != "https://vault.azure.net" || r.URL.Query().Get("client_id") != id {
			reply(w, http.StatusBadRequest, map[string]any{"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found. CANARY"})
			return
		}
		reply(w, http.StatusOK, map[string]string{
			"access_token": azureToken, "expires_on": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), "resource": "https://vault.azure.net", "token_type": "Bearer",
		})
	}))
	return id
}

// ServeHTTP implements [http.Handler].
func (k *AzureKey) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") == "" {
		resource := "https://" + k.host[strings.IndexByte(k.host, '.')+1:]
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.microsoftonline.com/`+azureTenant+`", resource="`+resource+`"`)
		azureRefuse(w, http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.", "")
		return
	}
	if k.answered(w, r) {
		return
	}
	parts := strings.Split(r.URL.Path, "/") // "", keys, NAME, VERSION, verb; without the version it is the newest
	if len(parts) == 4 {
		parts = slices.Insert(parts, 3, "")
	}
	var in struct{ Alg, Value string }
	switch {
	case r.Header.Get("Authorization") != "Bearer "+azureToken:
		azureRefuse(w, http.StatusUnauthorized, "Unauthorized", "AKV10022: Invalid audience. CANARY", "")
	case r.Method != http.MethodPost || len(parts) != 5 || parts[1] != "keys" || r.URL.Query().Get("api-version") == "" || json.NewDecoder(r.Body).Decode(&in) != nil:
		azureRefuse(w, http.StatusBadRequest, "BadParameter", "CANARY", "")
	case parts[2] != k.name:
		azureRefuse(w, http.StatusNotFound, "KeyNotFound", "A key with (name/id) CANARY was not found in this key vault.", "")
	default:
		k.serve(w, serving{version: parts[3], verb: parts[4], algorithm: in.Alg, value: in.Value})
	}
}

type serving struct{ version, verb, algorithm, value string }

func (k *AzureKey) serve(w http.ResponseWriter, s serving) {
	v, state := k.pick(s.version)
	want := "RSA-OAEP-256"
	if k.hsm {
		want = "A256KW"
	}
	value, err := base64.RawURLEncoding.DecodeString(s.value)
	switch {
	case state == Deleted:
		azureRefuse(w, http.StatusNotFound, "KeyNotFound", "A key with (name/id) CANARY was not found in this key vault.", "")
	case state == Disabled:
		azureRefuse(w, http.StatusForbidden, "Forbidden", "Operation "+s.verb+" is not allowed on a disabled key.", "KeyDisabled")
	case state == Forbidden:
		azureRefuse(w, http.StatusForbidden, "Forbidden", "Caller is not authorized to perform action on resource. CANARY", "ForbiddenByRbac")
	case state == Unfit, s.algorithm != want, err != nil:
		azureRefuse(w, http.StatusBadRequest, "BadParameter", "Key and signing algorithm are incompatible. CANARY", "")
	default:
		out, ok := k.compute(v, s.verb, value)
		if !ok {
			azureRefuse(w, http.StatusBadRequest, "BadParameter", "The parameter is incorrect. CANARY", "")
			return
		}
		reply(w, http.StatusOK, map[string]string{"kid": "https://" + k.host + "/keys/" + k.name + "/" + v.ID, "value": base64.RawURLEncoding.EncodeToString(out)})
	}
}

func azureRefuse(w http.ResponseWriter, status int, code, message, inner string) {
	said := map[string]any{"code": code, "message": message}
	if inner != "" {
		said["innererror"] = map[string]string{"code": inner}
	}
	reply(w, status, map[string]any{"error": said})
}

func (k *AzureKey) compute(v version, verb string, value []byte) ([]byte, bool) {
	if k.hsm {
		if verb == "wrapkey" {
			return wrapAES(v.Material, value)
		}
		return unwrapAES(v.Material, value)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(v.Material)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, false
	}
	var out []byte
	if verb == "wrapkey" {
		out, err = rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.PublicKey, value, nil)
	} else {
		out, err = rsa.DecryptOAEP(sha256.New(), nil, key, value, nil)
	}
	return out, err == nil
}

// keyWrapIV is the initial value of RFC 3394 §2.2.3.1.
const keyWrapIV = 0xA6A6A6A6A6A6A6A6

// wrapAES is AES Key Wrap (RFC 3394 §2.2.1).
func wrapAES(key, plain []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	n := len(plain) / 8
	if err != nil || len(plain)%8 != 0 || n < 2 {
		return nil, false
	}
	out := binary.BigEndian.AppendUint64(nil, keyWrapIV)
	out = append(out, plain...)
	b := make([]byte, 16)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(b, out[:8])
			copy(b[8:], out[8*i:])
			block.Encrypt(b, b)
			binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(b)^uint64(n*j+i))
			copy(out[8*i:], b[8:])
		}
	}
	return out, true
}

// unwrapAES is its reverse (RFC 3394 §2.2.2).
func unwrapAES(key, wrapped []byte) ([]byte, bool) {
	block, err := aes.NewCipher(key)
	n := len(wrapped)/8 - 1
	if err != nil || len(wrapped)%8 != 0 || n < 2 {
		return nil, false
	}
	out := bytes.Clone(wrapped)
	b := make([]byte, 16)
	for j := 5; j >= 0; j-- {
		for i := n; i > 0; i-- {
			binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(out)^uint64(n*j+i))
			copy(b[8:], out[8*i:8*i+8])
			block.Decrypt(b, b)
			copy(out, b[:8])
			copy(out[8*i:], b[8:])
		}
	}
	return out[8:], binary.BigEndian.Uint64(out) == keyWrapIV
}
