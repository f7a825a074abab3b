package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/network"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

func mustURL(t testing.TB, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://Vault.Example.com/x":   "https://vault.example.com",
		"https://vault.example.com:443": "https://vault.example.com",
		"https://vault.example.com:444": "https://vault.example.com:444",
		"http://127.0.0.1:80":           "http://127.0.0.1",
		"http://[::1]:8080":             "http://[::1]:8080",
	} {
		if got := signin.Origin(mustURL(t, text)); got != want {
			t.Errorf("Origin(%s) = %s, want %s", text, got, want)
		}
	}
}

func TestAVaultWithoutTLSIsOnThisComputer(t *testing.T) {
	if _, err := signin.CheckPage(mustURL(t, "http://vault.example.com"), "http://vault.example.com/login/abc", "/login/"); err == nil {
		t.Error("a page without TLS may be opened")
	}
	for _, origin := range []string{"https://vault.example.com", "https://vault.example.com:8443", "http://localhost:8080", "http://[::1]:8080"} {
		if _, err := signin.CheckPage(mustURL(t, origin), origin+"/login/abc?x=y", "/login/"); err != nil {
			t.Errorf("CheckPage on %s: %v", origin, err)
		}
	}
}

// FuzzCheckPage wants that what is let through is on the vault's origin for
// every reader, and has no character that a shell or an opener acts on.
func FuzzCheckPage(f *testing.F) {
	for _, seed := range []string{
		"https://vault.example.com/login/abc", "https://vault.example.com/login/abc?x=y", "https://vault.example.com:443/login/abc",
		"https://vault.example.com@evil.example/login/abc", "https://vault.example.com/login/../../x", "https://vault.example.com/login/%2e%2e/x",
		"https://vault.example.com\\@evil.example/login/", "https:/vault.example.com/login/", "https://vault.example.com/login/\x00",
	} {
		f.Add(seed)
	}
	vault := mustURL(f, "https://vault.example.com")
	f.Fuzz(func(t *testing.T, address string) {
		page, err := signin.CheckPage(vault, address, wire.LoginPagePrefix)
		if err != nil {
			return
		}
		u, err := url.Parse(page)
		if err != nil || page != address || u.Scheme != "https" || u.Host != "vault.example.com" || u.User != nil || u.Fragment != "" ||
			!strings.HasPrefix(u.Path, "/login/") || u.Path != u.EscapedPath() {
			t.Errorf("CheckPage(%q) = %q", address, page)
		}
		if strings.ContainsAny(page, " \t\r\n\\\"'`$;|<>(){}[]!*^%#,@") || strings.Contains(page, "..") || !ascii(page) {
			t.Errorf("CheckPage lets %q through", page)
		}
	})
}

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// FuzzClean wants that no text of a vault can do more than be read.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"Not for you.", "\x1b[31mred", "a\r\nb", "\u202eevil", strings.Repeat("é", 1000), "\xff\xfe", "…"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := signin.Clean(text)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > 401 || strings.ContainsFunc(got, unicode.IsControl) || strings.ContainsAny(got, "\u202e\u200b\ufeff") {
			t.Errorf("Clean(%q) = %q", text, got)
		}
	})
}

// FuzzAnswer is a vault that answers anything to a POST: an error for people,
// or nothing wrong, but never a crash and never its bytes in an error.
func FuzzAnswer(f *testing.F) {
	f.Add(200, "application/json", `{"url":"x"}`)
	f.Add(403, "application/json", `{"code":"denied","message":"No","page":"https://evil"}`)
	f.Add(200, "text/html", "<html>")
	f.Add(401, "", "")
	f.Add(599, "\x7f", "\xff")
	r := newFuzzVault(f)
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		if status < 200 || status > 599 {
			t.Skip()
		}
		r.status, r.kind, r.body = status, kind, body
		var started wire.LoginStarted
		err := r.client.Post(t.Context(), wire.LoginStartPath, wire.LoginStart{}, &started)
		if err == nil && status/100 != 2 {
			t.Errorf("%d is no error", status)
		}
		if err != nil {
			if _, ok := usererr.From(err); !ok {
				t.Errorf("%v is no user error", err)
			}
			if text := usererr.Text(err, ""); len(text) > 4000 || strings.ContainsAny(text, "\r\n\x1b") {
				t.Errorf("the error says %q", text)
			}
		}
	})
}

type fuzzVault struct {
	client     *signin.Client
	status     int
	kind, body string
}

func newFuzzVault(f *testing.F) *fuzzVault {
	f.Helper()
	v := &fuzzVault{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{v.kind}
		w.WriteHeader(v.status)
		_, _ = w.Write([]byte(v.body))
	}))
	f.Cleanup(server.Close)
	way, err := network.New(network.Config{})
	if err != nil {
		f.Fatal(err)
	}
	v.client = &signin.Client{HTTP: way.HTTP, Vault: mustURL(f, server.URL), Prover: keeper(f, server.URL)}
	return v
}

func TestAVaultThatAlwaysWantsAnotherNonce(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		dpop.Challenge(w, dpop.NewNonces(make([]byte, 32), 1))
	}))
	t.Cleanup(server.Close)
	way, err := network.New(network.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(way.Close)
	client := &signin.Client{HTTP: way.HTTP, Vault: mustURL(t, server.URL), Prover: keeper(t, server.URL)}
	err = client.Post(t.Context(), wire.LogoutPath, struct{}{}, nil)
	if usererr.CodeOf(err) != usererr.Unauthorized || asked != 3 {
		t.Errorf("Post = %v after %d tries, want 3", err, asked)
	}
}
