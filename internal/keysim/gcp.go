package keysim

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	gcpAccount = "vault@acme-prod.iam.gserviceaccount.com"
	gcpToken   = "CANARY-gcp-token"
	gcpName    = "projects/acme-prod/locations/europe-west3/keyRings/coatcheck/cryptoKeys/kek"
)

// GCPKey is a symmetric key of Cloud KMS: what encrypt and decrypt do ("Cloud
// KMS API v1", REST), checksums included.
type GCPKey struct {
	*keyring
}

// GCP puts Cloud KMS with one key into the net, and a file with the credentials
// of a service account into the environment.
func (n *Net) GCP(t *testing.T) *GCPKey {
	t.Helper()
	account, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(account)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "acme-prod", "private_key_id": "1", "client_email": gcpAccount, "client_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "account.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file)
	k := &GCPKey{&keyring{fresh: numbered}}
	k.Rotate()
	n.handle("oauth2.googleapis.com", googleTokens{&account.PublicKey})
	n.handle("cloudkms.googleapis.com", k)
	return k
}

// googleTokens gives tokens for assertions of one account (RFC 7523 §2.1).
type googleTokens struct{ key *rsa.PublicKey }

// ServeHTTP implements [http.Handler].
func (g googleTokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if r.PostFormValue("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer" || len(parts) != 3 || !g.valid(parts) {
		reply(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant", "error_description": "Invalid JWT Signature. CANARY"})
		return
	}
	reply(w, http.StatusOK, map[string]any{"access_token": gcpToken, "token_type": "Bearer", "expires_in": 3599})
}

func (g googleTokens) valid(parts []string) bool {
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	var said struct {
		Iss, Scope, Aud string
		Exp             int64
	}
	if err != nil || err2 != nil || json.Unmarshal(claims, &said) != nil {
		return false
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return rsa.VerifyPKCS1v15(g.key, crypto.SHA256, digest[:], signature) == nil && said.Iss == gcpAccount &&
		said.Scope == "https://www.googleapis.com/auth/cloudkms" && said.Aud == "https://oauth2.googleapis.com/token" && said.Exp > time.Now().Unix()
}

// URL implements [Key].
func (k *GCPKey) URL() string { return "gcpkms://" + gcpName }

func gcpRefuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"error": map[string]any{"code": status, "message": message, "status": code}})
}

type gcpBody struct {
	Name            string `json:"name,omitempty"`
	Plaintext       []byte `json:"plaintext,omitempty"`
	PlaintextCRC    *int64 `json:"plaintextCrc32c,string,omitempty"`
	Ciphertext      []byte `json:"ciphertext,omitempty"`
	CiphertextCRC   *int64 `json:"ciphertextCrc32c,string,omitempty"`
	Place           []byte `json:"additionalAuthenticatedData,omitempty"`
	PlaceCRC        *int64 `json:"additionalAuthenticatedDataCrc32c,string,omitempty"`
	VerifiedPlain   bool   `json:"verifiedPlaintextCrc32c,omitempty"`
	VerifiedPlace   bool   `json:"verifiedAdditionalAuthenticatedDataCrc32c,omitempty"`
	UsedPrimary     bool   `json:"usedPrimary,omitempty"`
	ProtectionLevel string `json:"protectionLevel,omitempty"`
}

func crc(b []byte) *int64 {
	sum := int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return &sum
}

// fits reports whether a checksum is there and right.
func fits(sum *int64, b []byte) bool { return sum != nil && *sum == *crc(b) }

// ServeHTTP implements [http.Handler].
func (k *GCPKey) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(text)) // for the test
	if k.answered(w, r) {
		return
	}
	name, verb, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), ":")
	var in gcpBody
	switch {
	case r.Header.Get("Authorization") != "Bearer "+gcpToken:
		gcpRefuse(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Request had invalid authentication credentials. CANARY")
	case r.Method != http.MethodPost || json.Unmarshal(text, &in) != nil:
		gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Invalid JSON payload received. CANARY")
	case name != gcpName:
		gcpRefuse(w, http.StatusNotFound, "NOT_FOUND", "CryptoKey CANARY not found.")
	case !fits(in.PlaceCRC, in.Place) || verb == "encrypt" && !fits(in.PlaintextCRC, in.Plaintext) || verb == "decrypt" && !fits(in.CiphertextCRC, in.Ciphertext):
		gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "The checksum in field CANARY did not match the data.")
	default:
		k.serve(w, verb, in)
	}
}

func (k *GCPKey) serve(w http.ResponseWriter, verb string, in gcpBody) {
	number, sealed := "", in.Ciphertext
	if verb == "decrypt" {
		version, rest, ok := bytes.Cut(in.Ciphertext, []byte{0})
		if !ok {
			gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid. CANARY")
			return
		}
		number, sealed = string(version), rest
	}
	v, state := k.pick(number)
	switch {
	case state == Forbidden:
		gcpRefuse(w, http.StatusForbidden, "PERMISSION_DENIED", "Permission 'cloudkms.cryptoKeyVersions.useToDecrypt' denied on resource CANARY")
	case state == Deleted && k.is(Deleted):
		gcpRefuse(w, http.StatusNotFound, "NOT_FOUND", "CryptoKey CANARY not found.")
	case state == Deleted:
		gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Decryption failed: verify that 'name' refers to the correct CryptoKey. CANARY")
	case state == Disabled:
		gcpRefuse(w, http.StatusBadRequest, "FAILED_PRECONDITION", "CANARY/cryptoKeyVersions/1 is not enabled, current state is: DISABLED.")
	case state == Unfit:
		gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "The given CryptoKey's purpose is ASYMMETRIC_SIGN. CANARY")
	case verb == "encrypt":
		out := append([]byte(v.ID+"\x00"), newGCM(v).seal(in.Plaintext, in.Place)...)
		reply(w, http.StatusOK, gcpBody{
			Name: gcpName + "/cryptoKeyVersions/" + v.ID, Ciphertext: out, CiphertextCRC: crc(out), VerifiedPlain: true, VerifiedPlace: true, ProtectionLevel: "SOFTWARE",
		})
	case verb == "decrypt":
		plain, ok := newGCM(v).open(sealed, in.Place)
		if !ok {
			gcpRefuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid. CANARY")
			return
		}
		reply(w, http.StatusOK, gcpBody{Plaintext: plain, PlaintextCRC: crc(plain), ProtectionLevel: "SOFTWARE"})
	default:
		gcpRefuse(w, http.StatusNotFound, "NOT_FOUND", "no such method CANARY")
	}
}
