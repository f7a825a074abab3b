package browser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim/browser"
)

// web is what a test's pages answer, by path.
type web map[string]http.HandlerFunc

func (w web) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	page, ok := w[r.URL.Path]
	if !ok {
		http.NotFound(rw, r)
		return
	}
	page(rw, r)
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// echo answers with method, path and form.
func echo(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	_, _ = fmt.Fprintf(w, "<p>%s %s %s origin=%s site=%s</p>", r.Method, r.URL.Path, r.Form.Encode(), r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site"))
}

func serve(t *testing.T, pages web) string {
	t.Helper()
	s := httptest.NewServer(pages)
	t.Cleanup(s.Close)
	return s.URL
}

func consent(t *testing.T, b *browser.Browser, address string, c browser.Choose) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	body, err := b.Consent(ctx, address, c)
	if err != nil {
		t.Fatalf("%v after %v", err, b.Pages())
	}
	return body
}

// The whole walk: Continue, a page that goes on by itself, the account, the
// answer, the way back.
func TestConsentClicksThrough(t *testing.T) {
	pages := web{
		"/start": say(`<form method=post action=/continue><input type=hidden name=form value="t&amp;1"><button>Continue</button><button formaction=/cancel>Cancel</button></form>`),
		"/continue": func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost || r.PostFormValue("form") != "t&1" {
				t.Errorf("continue got %s %v", r.Method, r.PostForm)
			}
			_, _ = io.WriteString(w, `<meta http-equiv=refresh content="0; url=/login"><a href=/login>Go on</a>`)
		},
		"/login": say(`<form method=post action=/in><button name=person value=ben>Ben</button><button name=person value=ada>Ada</button></form>`),
		"/in": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/ask?person="+r.PostFormValue("person"), http.StatusSeeOther)
		},
		"/ask": func(w http.ResponseWriter, r *http.Request) {
			_, _ = fmt.Fprintf(w, `<p>%s</p><form method=post action=/answer><input type=checkbox name=site value=1 checked><input type=checkbox name=site value=2>
				<button class=plain name=decision value=deny>Cancel</button><button class=primary name=decision value=allow>Accept</button></form>`, r.FormValue("person"))
		},
		"/answer": echo,
	}
	address := serve(t, pages)
	for allow, decision := range map[bool]string{true: "allow", false: "deny"} {
		b := browser.New()
		got := consent(t, b, address+"/start", browser.Choose{Person: "ada", Allow: allow})
		if want := "<p>POST /answer decision=" + decision + "&site=1 origin=" + address + " site=same-origin</p>"; got != want {
			t.Errorf("ended with %s, want %s", got, want)
		}
		var paths []string
		for _, p := range b.Pages() {
			paths = append(paths, strings.TrimPrefix(p.URL, address))
		}
		if diff := cmp.Diff([]string{"/start", "/continue", "/login", "/ask?person=ada", "/answer"}, paths); diff != "" {
			t.Error(diff)
		}
	}
}

func TestFormsAreFilledAsTheyStand(t *testing.T) {
	address := serve(t, web{"/": say(`<form action=/to?dropped=1>
		<input name=text value=v><input name=off value=v disabled><input value=nameless><input type=radio name=r value=1><input type=radio name=r value=2 checked>
		<input type=radio name=tenant value=acme required><input type=radio name=tenant value=beta required>
		<input type=checkbox name=c checked><select name=s><option>a<option selected value=b>B</select><textarea name=a>long
		text</textarea><input type=submit name=go value=Continue><button type=button>No</button></form>`), "/to": echo})
	got := consent(t, browser.New(), address+"/", browser.Choose{Allow: true})
	if want := "<p>GET /to a=long+text&c=on&go=Continue&r=2&s=b&tenant=acme&text=v origin= site=same-origin</p>"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestClick(t *testing.T) {
	address := serve(t, web{"/": say(`<form method=post action=/a><button>Continue</button><button formaction=/b name=x value=1>Cancel</button></form>`), "/a": echo, "/b": echo})
	b := browser.New()
	p, err := b.Open(t.Context(), address+"/")
	if err != nil {
		t.Fatal(err)
	}
	next, err := b.Click(t.Context(), p, "cancel")
	if err != nil || !strings.Contains(next.Body, "POST /b x=1") {
		t.Errorf("%+v, %v", next, err)
	}
	if _, err := b.Click(t.Context(), p, "Delete"); !errors.Is(err, browser.ErrNoButton) {
		t.Errorf("%v", err)
	}
}

// Somebody else is signed in: the person switches accounts first.
func TestSwitchesAccounts(t *testing.T) {
	address := serve(t, web{
		"/ask":    say(`<form action=/login><button data-person=ben name=switch value=1>Not you?</button></form><form method=post action=/wrong><button name=decision value=allow>Accept</button></form>`),
		"/login":  say(`<form method=post action=/answer><button name=person value=ada>Ada</button></form>`),
		"/answer": echo,
	})
	if got := consent(t, browser.New(), address+"/ask", browser.Choose{Person: "ada", Allow: true}); !strings.Contains(got, "person=ada") {
		t.Errorf("ended with %s", got)
	}
}

func TestRedirects(t *testing.T) {
	to := func(status int, location string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(status)
		}
	}
	address := serve(t, web{
		"/302": to(302, "/echo"), "/303": to(303, "echo"), "/307": to(307, "/echo"), "/308": to(308, "/echo"), "/echo": echo,
		"/header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Refresh", "0;url=/echo") },
		"/slow":   say(`<meta http-equiv=refresh content="600;url=/echo">here`),
		"/loop":   to(302, "/loop"), "/self": say(`<meta http-equiv=refresh content=0>`), "/again": say(`<form action=/again><button>Continue</button></form>`),
		"/file": to(302, "file:///etc/passwd"), "/script": to(302, "javascript:alert(1)"), "/bad": to(302, "http://[::1"),
	})
	for path, want := range map[string]string{"/302": "GET /echo  ", "/303": "GET /echo  ", "/307": "POST /echo a=1 ", "/308": "POST /echo a=1 ", "/header": "GET /echo", "/slow": "here"} {
		form := serve(t, web{"/": say(`<form method=post action="` + address + path + `"><input type=hidden name=a value=1><button>Continue</button></form>`)})
		if got := consent(t, browser.New(), form+"/", browser.Choose{Allow: true}); !strings.Contains(got, want) {
			t.Errorf("%s ended with %s", path, got)
		}
	}
	for _, path := range []string{"/loop", "/self", "/again"} {
		if _, err := browser.New().Consent(t.Context(), address+path, browser.Choose{}); !errors.Is(err, browser.ErrLost) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, start := range []string{address + "/file", address + "/script", address + "/bad", "", "file:///etc/passwd", "nonsense"} {
		if _, err := browser.New().Consent(t.Context(), start, browser.Choose{}); err == nil {
			t.Errorf("%s was opened", start)
		}
	}
}

func TestErrorPages(t *testing.T) {
	address := serve(t, web{"/no": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "declined", http.StatusForbidden) }})
	body, err := browser.New().Consent(t.Context(), address+"/no?code=hidden", browser.Choose{Allow: true})
	if !errors.Is(err, browser.ErrRefused) || !strings.Contains(body, "declined") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("%q, %v", body, err)
	}
	if body, err := browser.New().Consent(t.Context(), address+"/no", browser.Choose{}); err != nil || !strings.Contains(body, "declined") {
		t.Errorf("who declines sees %q, %v", body, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := browser.New().Consent(ctx, address+"/no", browser.Choose{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// net is a transport that answers for any host, so that cookies can be seen
// at https and at several sites.
type network struct{ pages map[string]http.HandlerFunc }

func (n network) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if page, ok := n.pages[r.URL.Scheme+"://"+r.URL.Host+r.URL.Path]; ok {
		page(w, r)
	} else {
		_, _ = io.WriteString(w, "cookies: "+r.Header.Get("Cookie"))
	}
	return w.Result(), nil
}

func TestCookies(t *testing.T) {
	set := func(lines ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for _, line := range lines {
				w.Header().Add("Set-Cookie", line)
			}
		}
	}
	b := browser.New()
	b.Transport = network{map[string]http.HandlerFunc{
		"https://vault.example/set": set("__Host-flow=1; Secure; Path=/", "__Host-domain=1; Secure; Path=/; Domain=vault.example", "__Host-path=1; Secure; Path=/x",
			"__Host-open=1; Path=/", "__Secure-ok=1; Secure; Path=/", "__Secure-open=1; Path=/", "plain=1; Path=/", "short=1; Path=/only", "gone=1; Path=/; Max-Age=60",
			"strict=1; Path=/; SameSite=Strict", "none=1; Path=/; Secure; SameSite=None", "open=1; Path=/; SameSite=None", "foreign=1; Path=/; Domain=other.example"),
		"https://vault.example/forget": set("gone=; Path=/; Max-Age=0"),
		"http://vault.example/set":     set("secure=1; Secure; Path=/", "__Host-http=1; Secure; Path=/"),
		"http://127.0.0.1:1/set":       set("port=1; Path=/"),
		"https://other.example/link": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Refresh", "0;url=https://vault.example/see")
		},
		"https://other.example/form": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `<form method=post action=https://vault.example/see><button>Continue</button></form>`)
		},
	}}
	open := func(address string) string {
		t.Helper()
		body, err := b.Consent(t.Context(), address, browser.Choose{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(body, "cookies: ")
	}
	open("https://vault.example/set")
	open("http://vault.example/set")
	open("http://127.0.0.1:1/set")
	for _, c := range []struct{ name, address, want string }{
		{"its own", "https://vault.example/see", "__Host-flow=1; __Secure-ok=1; plain=1; gone=1; strict=1; none=1"},
		{"below a path", "https://vault.example/only/x", "__Host-flow=1; __Secure-ok=1; plain=1; short=1; gone=1; strict=1; none=1"},
		{"beside a path", "https://vault.example/onlyx", "__Host-flow=1; __Secure-ok=1; plain=1; gone=1; strict=1; none=1"},
		{"without TLS", "http://vault.example/see", "plain=1; gone=1; strict=1"},
		{"below the host", "https://sub.vault.example/see", ""},
		{"a link from elsewhere", "https://other.example/link", "__Host-flow=1; __Secure-ok=1; plain=1; gone=1; none=1"},
		{"a form from elsewhere", "https://other.example/form", "none=1"},
		{"another port", "http://127.0.0.1:2/see", "port=1"},
	} {
		if got := open(c.address); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	open("https://vault.example/forget")
	if got := open("https://vault.example/see"); strings.Contains(got, "gone") {
		t.Errorf("a cookie that was taken back is sent: %q", got)
	}
}
