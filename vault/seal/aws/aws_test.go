package aws_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/aws"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/keyurl"
)

// place is what seal makes of a place: a hash.
var place = bytes.Repeat([]byte{7}, 32)

func open(t *testing.T, net *keysim.Net, url string) seal.Service {
	t.Helper()
	at, err := keyurl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	service, err := aws.Open(t.Context(), at, net.Transport())
	if err != nil {
		t.Fatal(err)
	}
	return service
}

func encrypt(t *testing.T, s seal.Service) []byte {
	t.Helper()
	sealed, err := s.Encrypt(t.Context(), []byte("key"), place)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// TestAnAliasThatNamesAnotherKeyNow opens what its former key wrapped, for a
// vault that has just started, too.
func TestAnAliasThatNamesAnotherKeyNow(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.AWSAlias(t)
	service := open(t, net, key.URL())
	old := encrypt(t, service)
	key.Move("99999999-12ab-34cd-56ef-1234567890ab")
	fresh := encrypt(t, service)
	if bytes.Equal(old[:80], fresh[:80]) {
		t.Error("both name one key")
	}
	for name, s := range map[string]seal.Service{"same vault": service, "started again": open(t, net, key.URL())} {
		for which, sealed := range map[string][]byte{"old": old, "fresh": fresh} {
			if got, err := s.Decrypt(t.Context(), sealed, place); err != nil || string(got) != "key" {
				t.Errorf("%s, %s: %q, %v", name, which, got, err)
			}
		}
	}
}

// TestAKeyOfSomebodyElseIsNotAsked: whoever can write into the store may name
// a key of their own account, or another one of ours.
func TestAKeyOfSomebodyElseIsNotAsked(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	for name, change := range map[string][2]string{
		"another account": {"111122223333", "999922223333"}, "another region": {"eu-central-1", "us-central-1"}, "another key": {id, strings.Replace(id, "1234", "4321", 1)},
	} {
		for _, alias := range []bool{false, true} {
			net := keysim.NewNet(t)
			key := net.AWS(t)
			if alias {
				key = net.AWSAlias(t)
			}
			service := open(t, net, key.URL())
			sealed := bytes.Replace(encrypt(t, service), []byte(change[0]), []byte(change[1]), 1)
			asked := key.Asked()
			_, err := open(t, net, key.URL()).Decrypt(t.Context(), sealed, place)
			if alias && name == "another key" { // an alias may have named it
				if !strings.Contains(usererr.Text(err, ""), "does not have this key") {
					t.Errorf("%s: %v", name, err)
				}
				continue
			}
			if !errors.Is(err, seal.ErrOpen) {
				t.Errorf("%s, alias %v: %v; want ErrOpen", name, alias, err)
			}
			if n := key.Asked() - asked; n > 1 || n == 1 && !alias {
				t.Errorf("%s, alias %v: asked %d times", name, alias, n)
			}
		}
	}
}

// TestOnlyAHashOfThePlaceIsTold, since contexts are written into CloudTrail.
func TestOnlyAHashOfThePlaceIsTold(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.AWS(t)
	var told []map[string]string
	key.Answer(func(_ http.ResponseWriter, r *http.Request) bool {
		text, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(text))
		var in struct{ EncryptionContext map[string]string }
		_ = json.Unmarshal(text, &in)
		told = append(told, in.EncryptionContext)
		return false
	})
	kek := seal.NewServiceKEK(open(t, net, key.URL()))
	aad := seal.AAD{Purpose: "grant key", Tenant: "CANARY-tenant", Person: "CANARY-person"}
	wrapped, err := kek.Wrap(t.Context(), []byte("key"), aad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kek.Unwrap(t.Context(), wrapped, aad); err != nil {
		t.Fatal(err)
	}
	if len(told) != 2 || len(told[0]) != 1 || len(told[0]["coatcheck-place"]) != 64 || told[0]["coatcheck-place"] != told[1]["coatcheck-place"] {
		t.Errorf("told %v", told)
	}
}

func TestCredentialsThatDoNotWork(t *testing.T) {
	for name, env := range map[string][2]string{
		"wrong": {"AWS_SECRET_ACCESS_KEY", "CANARY"}, "none": {"AWS_ACCESS_KEY_ID", ""},
	} {
		net := keysim.NewNet(t)
		key := net.AWS(t)
		t.Setenv(env[0], env[1])
		_, err := open(t, net, key.URL()).Encrypt(t.Context(), []byte("key"), place)
		if text := usererr.Text(err, ""); !strings.Contains(text, "does not accept the vault's credentials") || strings.Contains(text+err.Error(), "CANARY") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestADamagedConfiguration has a secret in the line that cannot be read.
func TestADamagedConfiguration(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.AWS(t)
	t.Setenv("AWS_PROFILE", "nobody")
	at, err := keyurl.Parse(key.URL())
	if err != nil {
		t.Fatal(err)
	}
	_, err = aws.Open(t.Context(), at, net.Transport())
	if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), "shared files of AWS") {
		t.Errorf("Open = %v", err)
	}
}

// TestTheOldCodesOfKMS are told apart.
func TestTheCodesOfKMS(t *testing.T) {
	net := keysim.NewNet(t)
	key := net.AWS(t)
	service := open(t, net, key.URL())
	sealed := encrypt(t, service)
	for code, want := range map[string]string{
		"KMSInvalidStateException": "waits for its deletion", "ExpiredTokenException": "credentials", "ThrottlingException": "too much to do",
		"KeyUnavailableException": "does not answer.", "DependencyTimeoutException": "does not answer.", "SomethingNewException": "does not answer as such", "UnsupportedOperationException": "kind that can wrap",
	} {
		key.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type":"com.amazon.kms#`+code+`","message":"CANARY"}`)
			return true
		})
		_, err := service.Decrypt(t.Context(), sealed, place)
		if text := usererr.Text(err, ""); !strings.Contains(text, want) || strings.Contains(text+err.Error(), "CANARY") || errors.Is(err, seal.ErrOpen) {
			t.Errorf("%s: %v; want %q", code, err, want)
		}
	}
}
