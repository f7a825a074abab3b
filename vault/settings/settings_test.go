package settings_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

const sample = `network: {listen: 127.0.0.1:8080, public_url: http://127.0.0.1:8080}
store:   {url: "sqlite:vault.db"}
keys:    {kek: "file:kek"}
tenants:
  acme:
    sites:
      wiki: {kind: cloud, base_url: "https://acme.atlassian.net"}
    oauth:
      client_id: "id"
      client_secret: "env:ACME_CLIENT_SECRET"
      scopes: ["read:page:confluence", "search:confluence"]
access:   {denied_spaces: [LEGAL]}
identity: {session: {idle: 7d}}
`

func load(t *testing.T, text string, environ ...string) (*settings.Settings, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "vault.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return settings.Load(settings.Options{Files: []string{"/does/not/exist.yaml", name}, Environ: append(environ, "ACME_CLIENT_SECRET=CANARY")})
}

func TestSample(t *testing.T) {
	s, err := load(t, sample, "COATCHECK_NETWORK_LISTEN=127.0.0.1:9090", "COATCHECK_TENANTS_ACME_OAUTH_SCOPES=a, b", "COATCHECK_VAULT_URL=x", "COATCHECK_NONSENSE=1")
	if err != nil {
		t.Fatal(err)
	}
	acme := s.Tenants["acme"]
	if s.Network.Listen != "127.0.0.1:9090" || acme.OAuth.Refresh != "lazy" || acme.OAuth.Endpoints.API != settings.AtlassianAPI ||
		s.Identity.Session.Idle != 7*24*time.Hour || acme.OAuth.Secret.Reveal() != "CANARY" {
		t.Errorf("Load = %+v", s)
	}
	if diff := cmp.Diff([]string{"a", "b"}, acme.OAuth.Scopes); diff != "" {
		t.Error(diff)
	}
	if len(s.Warnings) != 1 || !strings.Contains(s.Warnings[0], "COATCHECK_NONSENSE") {
		t.Errorf("Warnings = %q", s.Warnings)
	}
	sources := map[string]string{}
	for _, line := range s.Lines() {
		sources[line.Key] = line.Value + " | " + line.Source
		if strings.Contains(line.Value, "CANARY") {
			t.Errorf("%s shows a secret", line.Key)
		}
	}
	for key, want := range map[string]string{
		"network.listen":                   "127.0.0.1:9090 | environment COATCHECK_NETWORK_LISTEN",
		"tenants.acme.oauth.client_secret": "env:ACME_CLIENT_SECRET (set) | vault.yaml:10",
		"identity.session.idle":            "7d | vault.yaml:13",
		"identity.session.absolute":        "90d | default",
		"access.denied_spaces":             "[LEGAL] | vault.yaml:12",
	} {
		if sources[key] != want {
			t.Errorf("%s is shown as %q, want %q", key, sources[key], want)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	_, err := load(t, `network: {listen: nowhere, public_url: "http://vault.example.com"}
stor: {url: x}
store: {url: mysql://x}
store: {url: "sqlite:x"}
keys: {kek: [a]}
tenants:
  Acme:
    sites:
      wiki: {kind: server, base_url: "https://acme.atlassian.net/wiki"}
    oauth:
      client_id: {a: b}
      client_secret: "LITERALSECRET"
      refresh: sometimes
access: {denied_spaces: ["no space"]}
identity: {session: {idle: soon}}
`)
	if usererr.CodeOf(err) != usererr.Settings {
		t.Fatalf("Load = %v", err)
	}
	text := usererr.Text(err, "")
	for _, want := range []string{
		"vault.yaml:1: network.listen: must be host:port",
		"vault.yaml:1: network.public_url: must be https",
		"vault.yaml:2: stor: there is no such setting; did you mean store?",
		"vault.yaml:3: store.url: must be sqlite:FILE or postgres://USER@HOST/DATABASE?sslmode=verify-full",
		"vault.yaml:4: store: stands here a second time",
		"vault.yaml:5: keys.kek: must be one value",
		"tenants.Acme: a tenant's name has small letters",
		"sites.wiki.kind: must be cloud",
		"sites.wiki.base_url: must be an origin",
		"vault.yaml:11: tenants.Acme.oauth.client_id: must be one value",
		"vault.yaml:12: tenants.Acme.oauth.client_secret: must be a reference",
		"oauth.scopes: is needed",
		"oauth.refresh: must be lazy or proactive",
		"vault.yaml:14: access.denied_spaces",
		"vault.yaml:15: identity.session.idle: must be a time",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if strings.Contains(text, "LITERALSECRET") {
		t.Error("a secret that was written into the file is shown")
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestSecretsAreReferences(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "CANARY\n", "empty": "\n", "large": strings.Repeat("x", 20<<10)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ ref, want string }{
		{"file:" + dir + "/good", ""},
		{"file:" + dir + "/empty", "is empty"},
		{"file:" + dir + "/large", "too large"},
		{"file:" + dir + "/none", "cannot be read"},
		{"env:NOT_THERE", "the environment has no NOT_THERE"},
		{"azurekeyvault://v/s", "must be a reference"},
	} {
		_, err := load(t, strings.Replace(sample, "env:ACME_CLIENT_SECRET", tt.ref, 1))
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(usererr.Text(err, ""), tt.want) {
			t.Errorf("%s: %v, want %q", tt.ref, err, tt.want)
		}
	}
}

// TestStores: the password of a server is a reference, and only there.
func TestStores(t *testing.T) {
	for store, wrong := range map[string]string{
		`{url: "postgres://vault@db.example.com/coatcheck?sslmode=verify-full", password: "env:ACME_CLIENT_SECRET"}`: "",
		`{url: "postgresql:///coatcheck?host=/run/postgresql"}`:                                                      "",
		`{url: "postgres://vault:CANARY@db/x"}`:                                                                      "store.url: must not have the password in it",
		`{url: "postgres://vault@db/x?password=CANARY"}`:                                                             "store.url: must not have the password in it",
		`{url: "postgres://db/x", password: "env:ACME_CLIENT_SECRET"}`:                                               "store.url: needs a user",
		`{url: "postgres://vault@db/x", password: "CANARY"}`:                                                         "store.password: must be a reference",
		`{url: "postgres://vault@db/x", password: "env:NOBODY"}`:                                                     "store.password: the environment has no NOBODY",
		`{url: "sqlite:x", password: "env:ACME_CLIENT_SECRET"}`:                                                      "store.password: belongs to a postgres:// store",
		`{url: "postgres://%zz"}`:                                                                                    "store.url: must be",
	} {
		s, err := load(t, strings.Replace(sample, `{url: "sqlite:vault.db"}`, store, 1))
		text := usererr.Text(err, "")
		switch {
		case wrong == "" && err != nil, wrong != "" && !strings.Contains(text, wrong), strings.Contains(text, "CANARY"):
			t.Errorf("%s: %v", store, err)
		case wrong == "" && s.Store.Password != "" && s.Store.Address().Reveal() != "postgres://vault:CANARY@db.example.com/coatcheck?sslmode=verify-full":
			t.Errorf("%s becomes %q", store, s.Store.Address().Reveal())
		}
		if err == nil && strings.Contains(fmt.Sprintf("%+v", s), "CANARY") {
			t.Errorf("%s shows the password", store)
		}
	}
}

func TestNoSettings(t *testing.T) {
	_, err := settings.Load(settings.Options{Files: []string{"/does/not/exist.yaml"}})
	if usererr.CodeOf(err) != usererr.Settings || !strings.Contains(usererr.Text(err, ""), "coatcheck-vault demo") {
		t.Errorf("Load = %v", err)
	}
}

func TestNotYAML(t *testing.T) {
	for _, text := range []string{"a: [", "- 1", "x", "a: &b 1\nc: *b", "a: 1\n---\nb: 2", "\x00"} {
		if _, err := load(t, text); usererr.CodeOf(err) != usererr.Settings {
			t.Errorf("Load(%q) = %v", text, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(sample)
	f.Add("tenants: {a: {sites: {b: {}}}}")
	f.Add("network: *x")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := load(t, text); err != nil && usererr.CodeOf(err) != usererr.Settings {
			t.Errorf("Load = %v", err)
		}
	})
}

func TestListen(t *testing.T) {
	for listen, good := range map[string]bool{
		"127.0.0.1:8080": true, "[::1]:0": true, ":65535": true,
		"": true, "127.0.0.1": false, "127.0.0.1:": false, "127.0.0.1:65536": false, "127.0.0.1:-1": false, "[::1:8080": false, "127.0.0.1:x": false,
	} {
		_, err := load(t, sample, "COATCHECK_NETWORK_LISTEN="+listen)
		if said := strings.Contains(usererr.Text(err, ""), "network.listen (from environment COATCHECK_NETWORK_LISTEN): must be host:port"); good != (err == nil) || good == said {
			t.Errorf("%q: %v", listen, err)
		}
	}
}
