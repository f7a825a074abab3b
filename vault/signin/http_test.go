package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/atlassiansim"
	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/signin"
)

func tokenDown() atlassiansim.TokenFault {
	return atlassiansim.TokenFault{Kind: atlassiansim.TokenStatus, Status: http.StatusServiceUnavailable, Body: "down"}
}

// TestHeaders looks at what every page and answer carries, with TLS and
// without.
func TestHeaders(t *testing.T) {
	r := newRig(t, rigOptions{})
	page := r.device().shim("one").start().URL
	p := &person{r: r}
	for _, address := range []string{page, r.url + "/login/none", r.url + "/callback/acme", page + "/continue"} {
		method := http.MethodGet
		if strings.HasSuffix(address, "/continue") {
			method = http.MethodPost
		}
		p.do(method, address, nil, nil)
		head := p.last.Header
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := head.Get(name); got != want {
				t.Errorf("%s %s has %s %q, want %q", method, strings.TrimPrefix(address, r.url), name, got, want)
			}
		}
	}
	res, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	style := between(string(text), "<style>", "</style>")
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
	if got := res.Header.Get("Content-Security-Policy"); got != want {
		t.Errorf("the policy is %q, want %q", got, want)
	}
	for _, forbidden := range []string{"<script", " style=", " onclick=", "javascript:", "http://"} {
		if strings.Contains(string(text), forbidden) {
			t.Errorf("the page contains %q", forbidden)
		}
	}
}

// TestTheCookie is set by the click and not before, as strictly as the way to
// the vault allows.
func TestTheCookie(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := &person{r: r}
	p.click(r.device().shim("one").start().URL, "continue", nil)
	cookies := p.last.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the cookies are %v", cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" ||
		c.MaxAge <= 0 || c.MaxAge > 600 || strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("over plain http on loopback the cookie is %v", c)
	}
	r.public = "https://vault.example"
	r.restart(rigOptions{})
	p = &person{r: r}
	s := r.device().shim("two")
	page := strings.Replace(s.start().URL, r.public, r.server.URL, 1)
	p.click(page, "continue", nil)
	if cookies = p.last.Cookies(); len(cookies) != 1 {
		t.Fatalf("the cookies are %v", cookies)
	}
	if c := cookies[0]; !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("over https the cookie is %v", c)
	}
	if p.last.Header.Get("Strict-Transport-Security") == "" {
		t.Error("https is not asked for again")
	}
}

// TestStartsThatAreRefused is for the strict reading of what a shim sends.
func TestStartsThatAreRefused(t *testing.T) {
	r := newRig(t, rigOptions{})
	good := r.device().shim("one").ask()
	for name, test := range map[string]struct {
		edit func(*wire.LoginStart)
		code string
	}{
		"no loopback": {func(s *wire.LoginStart) { s.Loopback = "" }, "bad_input"},
		"another host": {func(s *wire.LoginStart) {
			s.Loopback = strings.Replace(s.Loopback, "127.0.0.1", "127.0.0.1.evil.test", 1)
		}, "bad_input"},
		"a name":             {func(s *wire.LoginStart) { s.Loopback = strings.Replace(s.Loopback, "127.0.0.1", "localhost", 1) }, "bad_input"},
		"no challenge":       {func(s *wire.LoginStart) { s.Challenge = "" }, "bad_input"},
		"a plain challenge":  {func(s *wire.LoginStart) { s.Challenge = "plain" }, "bad_input"},
		"a long stream":      {func(s *wire.LoginStart) { s.Stream = strings.Repeat("s", 500) }, "bad_input"},
		"an unknown tenant":  {func(s *wire.LoginStart) { s.Tenant = "other" }, "settings"},
		"a very long answer": {func(s *wire.LoginStart) { s.Host = strings.Repeat("h", 100_000) }, "too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := good
			test.edit(&ask)
			if status, problem := r.device().post(wire.LoginStartPath, ask, nil); status < 400 || problem.Code != test.code || problem.Message == "" {
				t.Errorf("answered %d %+v, want %s", status, problem, test.code)
			}
		})
	}
	if events := r.events(); len(events) != 0 {
		t.Errorf("the records are %v", events)
	}
}

// TestAMovedLoopback: where the browser goes must not change once it is known.
func TestAMovedLoopback(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().shim("one")
	s.start()
	moved := s.ask()
	moved.Start, moved.Loopback = s.started.Start, "http://127.0.0.1:9999/"+random()
	if status, problem := s.post(wire.LoginStartPath, moved, nil); status != http.StatusBadRequest {
		t.Errorf("answered %d %+v", status, problem)
	}
}

// TestWhoIsCalling: without a proof of the device nothing is done.
func TestWhoIsCalling(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, path := range []string{wire.LoginStartPath, wire.LoginFinishPath, wire.LogoutPath} {
		for name, proof := range map[string]string{"none": "", "garbage": "a.b.c"} {
			req, _ := http.NewRequest(http.MethodPost, r.url+path, strings.NewReader("{}"))
			req.Header.Set("Content-Type", "application/json")
			if proof != "" {
				req.Header.Set(dpop.Header, proof)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s with proof %s is answered %d", path, name, res.StatusCode)
			}
		}
	}
}

// TestNames that a machine gives itself are shown and can do no harm.
func TestNames(t *testing.T) {
	r := newRig(t, rigOptions{})
	s := r.device().shim("one")
	ask := s.ask()
	ask.Host = "<script>alert(1)</script>\u202Egro.live\x1b[31m" + strings.Repeat("x", 300)
	ask.User = "ada\r\nX-Evil: 1\u200b"
	s.post(wire.LoginStartPath, ask, &s.started)
	_, text := (&person{r: r}).get(s.started.URL)
	for _, bad := range []string{"<script", "\u202E", "\x1b", "\u200b", strings.Repeat("x", 101)} {
		if strings.Contains(text, bad) {
			t.Errorf("the page contains %q", bad)
		}
	}
	if !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "ada X-Evil: 1") {
		t.Errorf("the page is %s", text)
	}
}

// TestTooMuch asks more often than anybody needs to.
func TestTooMuch(t *testing.T) {
	r := newRig(t, rigOptions{})
	d := r.device()
	codes := map[string]int{}
	for range 14 {
		s := d.shim("one")
		ask := s.ask()
		ask.Force = true
		if _, problem := s.post(wire.LoginStartPath, ask, &s.started); problem.Code != "" {
			codes[problem.Code]++
			continue
		}
		(&person{r: r}).click(s.started.URL, "cancel", nil)
	}
	if codes["rate_limited"] == 0 {
		t.Errorf("one device may begin any number of logins: %v", codes)
	}
	if status, problem := r.device().post(wire.LoginStartPath, d.shim("two").ask(), nil); status != http.StatusOK {
		t.Errorf("then another device was answered %d %+v", status, problem)
	}
	status := 0
	for range 200 {
		if status, _ = d.post(wire.LogoutPath, struct{}{}, nil); status == http.StatusTooManyRequests {
			break
		}
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("one device may ask as often as it likes: %d", status)
	}
}

// TestHostHeaders: what a proxy or a caller says about our name changes
// nothing.
func TestHostHeaders(t *testing.T) {
	r := newRig(t, rigOptions{})
	p := &person{r: r}
	_, onward := p.click(r.device().shim("one").start().URL, "continue", http.Header{
		"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=evil.example"},
	})
	u, err := url.Parse(between(onward, `class="primary" href="`, `"`))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("redirect_uri") != r.url+"/callback/acme" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 ||
		q.Get("prompt") != "consent" || q.Get("audience") != "api.atlassian.com" || q.Get("response_type") != "code" || q.Has("response_mode") ||
		q.Get("scope") != strings.Join(scopes, " ")+" read:me offline_access" {
		t.Errorf("the way to Atlassian is %v", q)
	}
}

// TestExpiry ends what nobody finished.
func TestExpiry(t *testing.T) {
	r := newRig(t, rigOptions{})
	never := r.device().shim("two").start() // nobody looks at it, so it leaves no record
	page := r.device().shim("one").start().URL
	(&person{r: r}).click(page, "continue", nil)
	r.age(11 * time.Minute)
	if status, text := (&person{r: r}).get(page); status != http.StatusGone || !strings.Contains(text, "expired") {
		t.Errorf("the page of an old login is %d %s", status, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.signin.Run(ctx) }()
	for range 100 {
		if len(r.events()) > 1 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if diff := cmp.Diff([]string{"login.started", "login.failed"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
	if text := r.log.String(); strings.Count(text, "a login ended") != 2 || !strings.Contains(text, never.Login) {
		t.Error("the log does not tell of both")
	}
	if told := r.streams.told(); len(told) != 2 || !strings.Contains(told[0].Message, "in time") {
		t.Errorf("the streams were told %+v", told)
	}
	if status, text := (&person{r: r}).get(page); status != http.StatusGone || !strings.Contains(text, "expired") {
		t.Errorf("then the page of an old login is %d %s", status, text)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, address := range []string{"", "vault.example", "https://vault.example/path", "ftp://vault.example"} {
		if _, err := signin.New(signin.Config{PublicURL: address, Log: slog.New(slog.DiscardHandler)}); err == nil {
			t.Errorf("a handler was made for %q", address)
		}
	}
}
