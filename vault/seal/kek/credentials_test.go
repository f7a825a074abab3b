package kek_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/kek"
)

// answer is what a server says in the place of h, which is as it should be.
type answer func(w http.ResponseWriter, r *http.Request, h http.Handler)

// giver is a server that gives credentials, and another one, which redirects
// lead to, that does so, too.
type giver struct {
	url    string // of the key
	answer atomic.Pointer[answer]
	astray atomic.Int32
}

const elsewhere = "https://elsewhere.example/token"

// giving puts both into the net; good is what they give.
func giving(net *keysim.Net, host, key, kind, good string) *giver {
	g := &giver{url: key}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		_, _ = io.WriteString(w, good)
	})
	net.Between(host, func(w http.ResponseWriter, r *http.Request) bool {
		wrong := g.answer.Load()
		switch {
		case wrong != nil:
			(*wrong)(w, r, h)
		case kind == token:
			return false // it has better ones
		default:
			h.ServeHTTP(w, r)
		}
		return true
	})
	net.Between("elsewhere.example", func(w http.ResponseWriter, r *http.Request) bool {
		g.astray.Add(1)
		h.ServeHTTP(w, r)
		return true
	})
	return g
}

const (
	token     = "application/json; charset=utf-8"
	tokenText = `{"access_token":"CANARY","token_type":"Bearer","expires_in":3599,"ext_expires_in":3599}`
)

// givers are the ways to credentials that go over the network.
func givers() map[string]func(t *testing.T, net *keysim.Net) *giver {
	return map[string]func(t *testing.T, net *keysim.Net) *giver{
		"Google": func(t *testing.T, net *keysim.Net) *giver {
			return giving(net, "oauth2.googleapis.com", net.GCP(t).URL(), token, tokenText)
		},
		"Microsoft": func(t *testing.T, net *keysim.Net) *giver {
			return giving(net, "login.microsoftonline.com", net.Azure(t).URL(), token, tokenText)
		},
		"a machine of Azure": func(t *testing.T, net *keysim.Net) *giver {
			key, id := net.Azure(t), net.AzureMachine(t)
			return giving(net, "machine.example", key.URL()+"?identity="+id, token, tokenText)
		},
		"a container of AWS": container,
		"Amazon's STS": func(t *testing.T, net *keysim.Net) *giver {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte("CANARY"), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/vault")
			return amazon(t, net, "sts.eu-central-1.amazonaws.com", "text/xml",
				`<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>`+
					`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken></SessionToken><Expiration>%s</Expiration>`+
					`</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
		},
	}
}

func container(t *testing.T, net *keysim.Net) *giver {
	t.Helper()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://container.example/")
	return amazon(t, net, "container.example", "application/json", `{"AccessKeyId":%q,"SecretAccessKey":%q,"Token":"","Expiration":%q}`)
}

// amazon gives the credentials that were in the environment.
func amazon(t *testing.T, net *keysim.Net, host, kind, form string) *giver {
	t.Helper()
	key := net.AWS(t).URL()
	good := fmt.Sprintf(form, os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	return giving(net, host, key, kind, good)
}

// TestCredentialsFromElsewhere: whoever gives credentials sends nobody on, and
// says nothing that does not end; afterwards all goes on.
func TestCredentialsFromElsewhere(t *testing.T) {
	wrong := map[string]answer{
		"elsewhere": func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		},
		"endless": func(w http.ResponseWriter, r *http.Request, h http.Handler) {
			good := httptest.NewRecorder()
			h.ServeHTTP(good, r)
			w.Header().Set("Content-Type", good.Header().Get("Content-Type"))
			text := good.Body.String()
			_, _ = io.WriteString(w, text[:len(text)-1])
			for range 300 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 10<<10)); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, text[len(text)-1:])
		},
	}
	for name, make := range givers() {
		t.Run(name, func(t *testing.T) {
			net := keysim.NewNet(t)
			g := make(t, net)
			key, err := kek.Open(t.Context(), g.url, kek.Options{Transport: net.Transport()})
			if err != nil {
				t.Fatal(err)
			}
			for what, say := range wrong {
				g.answer.Store(&say)
				_, err = key.Wrap(t.Context(), []byte("CANARY"), place)
				if usererr.CodeOf(err) != usererr.Unavailable || g.astray.Load() > 0 {
					t.Errorf("%s: %d went elsewhere, %v", what, g.astray.Load(), err)
				}
				checkSilent(t, err)
			}
			g.answer.Store(nil)
			if _, err := key.Wrap(t.Context(), []byte("CANARY"), place); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestCredentialsThatNeverCome keep nobody waiting for ever: the vendor's library
// asks once for all.
func TestCredentialsThatNeverCome(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits")
	}
	net := keysim.NewNet(t)
	g := container(t, net)
	left := make(chan struct{})
	t.Cleanup(func() { close(left) })
	hang := answer(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
		case <-left:
		}
	})
	g.answer.Store(&hang)
	key, err := kek.Open(t.Context(), g.url, kek.Options{Transport: net.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Wrap(t.Context(), []byte("CANARY"), place); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("while it hangs: %v", err)
	}
	g.answer.Store(nil)
	deadline := time.Now().Add(2 * seal.CredentialTime)
	for _, err = key.Wrap(t.Context(), []byte("CANARY"), place); err != nil && time.Now().Before(deadline); {
		_, err = key.Wrap(t.Context(), []byte("CANARY"), place)
	}
	if err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
