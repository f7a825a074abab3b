package signin_test

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/shim/signin"
)

func TestFromQuestionToSignedIn(t *testing.T) {
	r := newRig(t)
	o := &opened{}
	p := r.process(o.open)
	p.Required(t.Context(), "acme", false)
	s := p.until(signin.Open)
	if s.URL != r.URL+"/login/abc" || time.Until(s.Expires) > time.Minute {
		t.Errorf("State = %+v", s)
	}
	res, _ := visit(t, http.MethodGet, r.home("s_1"), nil)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != r.URL+"/login/done" {
		t.Errorf("the browser got %s to %q", res.Status, res.Header.Get("Location"))
	}
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	} {
		if got := res.Header.Get(header); got != want {
			t.Errorf("%s = %q, want %q", header, got, want)
		}
	}
	end := p.until(signin.Done)
	if got := o.list(); !slices.Equal(got, []string{r.URL + "/login/abc"}) {
		t.Errorf("opened %v", got)
	}
	starts, finishes := r.asked()
	want := wire.LoginStart{Loopback: starts[0].Loopback, Challenge: starts[0].Challenge, Stream: "stream", Tenant: "acme", Host: "laptop", User: "ada"}
	if diff := cmp.Diff([]wire.LoginStart{want}, starts); diff != "" {
		t.Errorf("starts(-want +got):\n%s", diff)
	}
	if len(starts[0].Challenge) != 43 || len(finishes) != 1 || len(finishes[0].Verifier) != 43 || finishes[0].Ticket != canary || finishes[0].Start != "s_1" ||
		finishes[0].OS != runtime.GOOS || finishes[0].KeyClass == "" {
		t.Errorf("challenge %q, finishes %d", starts[0].Challenge, len(finishes))
	}
	if loop, err := url.Parse(starts[0].Loopback); err != nil || loop.Hostname() != "127.0.0.1" || len(loop.Path) != 44 {
		t.Errorf("loopback %q", starts[0].Loopback)
	}
	r.nothingLeaked(s, end, res.Header)
}

func TestOnlyTheBrowsersOwnVisitCounts(t *testing.T) {
	r := newRig(t)
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	good := r.home("s_1")
	u, err := url.Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	root := "http://" + u.Host
	knocks := map[string]struct {
		method, address string
		change          func(*http.Request)
		status          int
	}{
		"another path":    {"GET", root + "/?" + u.RawQuery, nil, 403},
		"below the path":  {"GET", root + u.Path + "/x?" + u.RawQuery, nil, 403},
		"another method":  {"POST", good, nil, 403},
		"HEAD":            {"HEAD", good, nil, 403},
		"OPTIONS":         {"OPTIONS", good, nil, 403},
		"a name":          {"GET", good, func(r *http.Request) { r.Host = "localhost:" + u.Port() }, 403},
		"a bound name":    {"GET", good, func(r *http.Request) { r.Host = "evil.example" }, 403},
		"an image":        {"GET", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "image") }, 403},
		"a frame":         {"GET", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Dest", "iframe") }, 403},
		"a script":        {"GET", good, func(r *http.Request) { r.Header.Set("Sec-Fetch-Mode", "cors") }, 403},
		"no ticket":       {"GET", root + u.Path + "?start=s_1", nil, 400},
		"no query":        {"GET", root + u.Path, nil, 400},
		"a long ticket":   {"GET", root + u.Path + "?ticket=" + strings.Repeat("x", 600), nil, 400},
		"a long start":    {"GET", good + strings.Repeat("x", 600), nil, 400},
		"a worker's eyes": {"GET", root + "/favicon.ico", nil, 403},
	}
	for name, k := range knocks {
		if res, text := visit(t, k.method, k.address, k.change); res.StatusCode != k.status || strings.Contains(text, u.Path) {
			t.Errorf("%s: %s %q, want %d", name, res.Status, text, k.status)
		}
	}
	if _, finishes := r.asked(); len(finishes) != 0 || p.State().Phase != signin.Open {
		t.Fatalf("a knock got through: %d finishes, %s", len(finishes), p.State().Phase)
	}
	navigate := func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.Header.Set("Sec-Fetch-Dest", "document")
	}
	if res, _ := visit(t, "GET", good, navigate); res.StatusCode != http.StatusSeeOther {
		t.Errorf("after all knocks the browser got %s", res.Status)
	}
	p.until(signin.Done)
}

func TestATicketIsTakenOnce(t *testing.T) {
	r := newRig(t)
	hold, held := make(chan struct{}), make(chan struct{})
	r.onFinish = func(int, wire.LoginFinish) (int, any) { close(held); <-hold; return 0, nil }
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	first := make(chan string, 1)
	go func() {
		res, _, err := try(t.Context(), "GET", r.home("s_1"), nil)
		if err != nil {
			first <- err.Error()
			return
		}
		first <- res.Status
	}()
	<-held
	if res, _ := visit(t, "GET", r.home("s_1"), nil); res.StatusCode != http.StatusConflict {
		t.Errorf("the second visit got %s", res.Status)
	}
	close(hold)
	if got := <-first; got != "303 See Other" {
		t.Errorf("the first visit got %s", got)
	}
	p.until(signin.Done)
	if _, finishes := r.asked(); len(finishes) != 1 {
		t.Errorf("%d finishes, want 1", len(finishes))
	}
}

func TestKnockingForEverClosesTheDoor(t *testing.T) {
	r := newRig(t)
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	loop := r.home("s_1")
	for range signin.MaxTries + 1 {
		_, _, err := try(t.Context(), "GET", strings.Replace(loop, "?", "x?", 1), nil)
		if err != nil {
			break
		}
	}
	if s := p.until(signin.Failed); s.Code != usererr.Denied || !strings.Contains(s.Message, "kept knocking") {
		t.Errorf("State = %+v", s)
	}
	if _, _, err := try(t.Context(), "GET", loop, nil); err == nil {
		t.Error("the door is still open")
	}
}

func TestSlowCallersDoNotKeepTheBrowserOut(t *testing.T) {
	r := newRig(t)
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	u, err := url.Parse(r.home("s_1"))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * signin.MaxConnections {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = conn.Write([]byte("GET / HT"))
	}
	if res, _ := visit(t, "GET", u.String(), nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the browser got %s", res.Status)
	}
	p.until(signin.Done)
}

func TestTheVaultSaysHowItEnded(t *testing.T) {
	r := newRig(t)
	p := r.process(nil)
	p.Done(wire.LoginDone{OK: true}) // nobody waits: nothing happens
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	p.Done(wire.LoginDone{OK: true})
	p.until(signin.Done)

	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	p.Done(wire.LoginDone{Message: "You declined\x1b[2J.\u202e"})
	s := p.until(signin.Failed)
	if s.Code != usererr.Refused || s.Message != "You declined[2J. Ask again to start a new one." {
		t.Errorf("State = %q %q", s.Code, s.Message)
	}
	p.Required(t.Context(), "", false) // and again, with a loopback of its own
	p.until(signin.Open)
	if starts, _ := r.asked(); starts[0].Loopback == starts[len(starts)-1].Loopback || starts[0].Challenge == starts[len(starts)-1].Challenge {
		t.Error("two sign-ins share a loopback or a challenge")
	}
}

func TestARefusedFinishIsShown(t *testing.T) {
	tests := map[string]struct {
		problem wire.Problem
		where   string // behind the vault's origin; "" is a page of the shim's own
	}{
		"a page of the vault":   {wire.Problem{Code: "denied", Message: "Not for you", Page: "VAULT/login/failed"}, "/login/failed"},
		"a page of another":     {wire.Problem{Code: "denied", Message: "Not for you", Page: "https://evil.example/"}, ""},
		"a page with a trick":   {wire.Problem{Code: "denied", Message: "Not <b>for</b> you", Page: "VAULT/login/\r\nSet-Cookie: a=b"}, ""},
		"no page":               {wire.Problem{Code: "denied", Message: "Not for you"}, ""},
		"a page that is script": {wire.Problem{Code: "denied", Message: "Not for you", Page: "javascript:alert(1)"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			tt.problem.Page = strings.Replace(tt.problem.Page, "VAULT", r.URL, 1)
			r.onFinish = func(int, wire.LoginFinish) (int, any) { return http.StatusForbidden, tt.problem }
			p := r.process(nil)
			p.Required(t.Context(), "", false)
			p.until(signin.Open)
			res, text := visit(t, "GET", r.home("s_1"), nil)
			if at := res.Header.Get("Location"); tt.where != "" && at != r.URL+tt.where || tt.where == "" && at != "" {
				t.Errorf("the browser was sent to %q", at)
			}
			if tt.where == "" && (res.StatusCode != 200 || !strings.Contains(text, "Sign-in did not complete") || strings.Contains(text, "<b>")) {
				t.Errorf("the browser got %s %q", res.Status, text)
			}
			s := p.until(signin.Failed)
			if s.Code != usererr.Denied || !strings.HasPrefix(s.Message, "Not ") {
				t.Errorf("State = %+v", s)
			}
			r.nothingLeaked(s, text, res.Header)
		})
	}
}

func TestAVaultThatRestartsWhileTheTicketIsHandedIn(t *testing.T) {
	r := newRig(t)
	r.onFinish = func(n int, _ wire.LoginFinish) (int, any) {
		if n == 1 {
			return http.StatusServiceUnavailable, wire.Problem{Code: "unavailable", Message: "starting"}
		}
		return 0, nil
	}
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	if res, _ := visit(t, "GET", r.home("s_1"), nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the browser got %s", res.Status)
	}
	p.until(signin.Done)
}

func TestAnotherLoginsTicket(t *testing.T) {
	r := newRig(t)
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	_, text := visit(t, "GET", r.home("s_evil"), nil)
	s := p.until(signin.Failed)
	if _, finishes := r.asked(); len(finishes) != 0 || s.Code != usererr.Denied || !strings.Contains(text, "another sign-in") {
		t.Errorf("%d finishes, State %+v, page %q", len(finishes), s, text)
	}
}

func TestTheBrowserIsNeverGivenAnAddressOffTheOrigin(t *testing.T) {
	r := newRig(t)
	host := strings.TrimPrefix(r.URL, "http://")
	bad := []string{
		"", "/login/abc", "https://evil.example/login/abc", "http://" + host + ".evil.example/login/abc", "http://" + host + "@evil.example/login/abc",
		"http://evil.example#" + r.URL + "/login/abc", "file:///login/abc", "javascript:alert(1)//" + r.URL + "/login/", r.URL + "/other/abc", r.URL + "/login/../x",
		r.URL + "/login//evil", r.URL + "/login/a b", r.URL + "/login/a;b", r.URL + "/login/$(id)", r.URL + "/login/`id`", r.URL + "/login/a|b", r.URL + `/login/a"b`,
		r.URL + "/login/a%00", r.URL + "/login/a\n", r.URL + "/login/a#b", r.URL + "/login/a?b=%26calc", strings.ToUpper(r.URL) + "/login/abc",
		r.URL + "/login/" + strings.Repeat("x", 3000), " " + r.URL + "/login/abc", "-" + r.URL + "/login/abc", r.URL + "\\login/abc", r.URL + "/login/abc\u202e",
	}
	o := &opened{}
	for _, address := range bad {
		r.onStart = func(int, wire.LoginStart) (int, any) {
			started := r.started(true)
			started.URL = address
			return http.StatusOK, started
		}
		p := r.process(o.open)
		p.Required(t.Context(), "", false)
		s := p.until(signin.Failed)
		if s.Code != usererr.Denied || s.URL != "" {
			t.Errorf("%q: State = %+v", address, s)
		}
	}
	if got := o.list(); len(got) != 0 {
		t.Errorf("opened %q", got)
	}
}

func TestAStartThatFails(t *testing.T) {
	tests := map[string]struct {
		status int
		body   any
		code   usererr.Code
		words  string
	}{
		"refused":      {http.StatusForbidden, wire.Problem{Code: "denied", Message: "Not this device", Hint: "Ask IT"}, usererr.Denied, "Not this device. Ask IT."},
		"not a vault":  {http.StatusOK, page("<html>CNRY sign in to the hotel</html>"), usererr.Unavailable, "Something that is not a vault answers"},
		"a redirect":   {http.StatusFound, page("CNRY"), usererr.Unavailable, "Something that is not a vault answers"},
		"a proxy":      {http.StatusProxyAuthRequired, page("CNRY"), usererr.Unavailable, "The proxy on the way to the vault wants"},
		"a crash":      {http.StatusInternalServerError, map[string]string{"x": "CNRY"}, usererr.Unavailable, "is not well"},
		"not JSON":     {http.StatusOK, "CNRY", usererr.Version, "does not understand"},
		"too long":     {http.StatusOK, wire.LoginStarted{URL: strings.Repeat("CNRY", 50_000)}, usererr.Version, "does not understand"},
		"a long error": {http.StatusForbidden, wire.Problem{Message: strings.Repeat("CNRY", 50_000)}, usererr.Version, "does not understand"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.onStart = func(int, wire.LoginStart) (int, any) { return tt.status, tt.body }
			p := r.process(nil)
			p.Required(t.Context(), "", false)
			s := p.until(signin.Failed)
			if s.Code != tt.code || !strings.Contains(s.Message, tt.words) {
				t.Errorf("State = %s %q, want %s %q", s.Code, s.Message, tt.code, tt.words)
			}
			r.nothingLeaked(s)
		})
	}
}

func TestNobodyAnswers(t *testing.T) {
	r := newRig(t)
	r.Server.Close()
	p := r.process(nil)
	p.Required(t.Context(), "", false)
	if s := p.until(signin.Failed); s.Code != usererr.Unavailable || !strings.Contains(s.Message, "Nothing answers") {
		t.Errorf("State = %+v", s)
	}
}

func TestItExpires(t *testing.T) {
	r := newRig(t)
	r.onStart = func(int, wire.LoginStart) (int, any) {
		started := r.started(true)
		started.ExpiresInSeconds = 1
		return http.StatusOK, started
	}
	p := r.process((&opened{}).open)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	if s := p.until(signin.Failed); s.Code != usererr.Timeout || !strings.Contains(s.Message, "not completed in time") {
		t.Errorf("State = %+v", s)
	}
	if _, _, err := try(t.Context(), "GET", r.home("s_1"), nil); err == nil {
		t.Error("the loopback is still open")
	}
}

func TestAnOpenerThatFailsHandsTheTabOn(t *testing.T) {
	r := newRig(t)
	r.onStart = func(n int, ask wire.LoginStart) (int, any) {
		return http.StatusOK, r.started(n == 1 || n == 3)
	}
	broken, works := &opened{err: errors.New("no display")}, &opened{}
	first, second := r.process(broken.open), r.process(works.open)
	first.Required(t.Context(), "", false)
	for s := first.until(signin.Open); !s.Unopened; s = first.until(signin.Open) {
		if s.URL == "" {
			t.Error("the address is not shown while the tab opens")
		}
	}
	waitFor(t, func() bool { starts, _ := r.asked(); return len(starts) == 2 })
	starts, _ := r.asked()
	if !starts[1].OpenFailed || starts[1].Start != "s_1" || starts[1].Loopback != starts[0].Loopback {
		t.Errorf("the tab was handed on with %+v", starts[1])
	}
	second.Required(t.Context(), "", false)
	second.until(signin.Open)
	waitFor(t, func() bool { return len(works.list()) == 1 })
	if len(broken.list()) != 1 {
		t.Errorf("the broken browser was asked %d times", len(broken.list()))
	}
}

func TestEightProcessesShareOneLoginAndOneTab(t *testing.T) {
	r := newRig(t)
	o := &opened{}
	processes := make([]*process, 8)
	for i := range processes {
		processes[i] = r.process(o.open)
		processes[i].Required(t.Context(), "", false)
		processes[i].Required(t.Context(), "", false) // another call waits too
	}
	for _, p := range processes {
		p.until(signin.Open)
	}
	starts, _ := r.asked()
	loops := map[string]bool{}
	for _, s := range starts {
		loops[s.Loopback] = true
	}
	if len(loops) != 8 || len(starts) != 8 {
		t.Errorf("%d starts with %d loopbacks, want 8", len(starts), len(loops))
	}
	if res, _ := visit(t, "GET", starts[0].Loopback+"?ticket="+canary, nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the browser got %s", res.Status)
	}
	for _, p := range processes { // the vault tells the others
		p.Done(wire.LoginDone{OK: true})
	}
	for _, p := range processes {
		p.until(signin.Done)
	}
	if got := o.list(); len(got) != 1 {
		t.Errorf("%d tabs were opened", len(got))
	}
}

func TestTheTabIsTakenOverWhenTheVaultSaysSo(t *testing.T) {
	r := newRig(t)
	r.onStart = func(n int, _ wire.LoginStart) (int, any) { return http.StatusOK, r.started(n == 2) }
	o := &opened{}
	p := r.process(o.open)
	p.Required(t.Context(), "", true)
	p.until(signin.Open)
	time.Sleep(1100 * time.Millisecond) // questions in a row become one
	p.Required(t.Context(), "", false)
	waitFor(t, func() bool { return len(o.list()) == 1 })
	starts, _ := r.asked()
	if !starts[0].Force || starts[1].Force {
		t.Errorf("force was sent %v and %v, want only at first", starts[0].Force, starts[1].Force)
	}
	if starts[1].Start != "s_1" || starts[1].Loopback != starts[0].Loopback {
		t.Errorf("the second question is another start: %+v", starts[1])
	}
}

// TestAnotherLink: the vault that the shim came back to may know nothing of it,
// and another login has another page.
func TestAnotherLink(t *testing.T) {
	r := newRig(t)
	r.onStart = func(n int, _ wire.LoginStart) (int, any) {
		started := r.started(true)
		if n == 3 {
			started.Login, started.Start, started.URL = "l_2", "s_2", r.URL+"/login/def"
		}
		return http.StatusOK, started
	}
	o := &opened{}
	p := r.process(o.open)
	p.Linked() // nobody signs in
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	p.Linked()
	p.until(signin.Open)
	waitFor(t, func() bool { return len(o.list()) == 1 })
	p.Linked()
	p.until(signin.Open)
	waitFor(t, func() bool { return len(o.list()) == 2 })
	starts, _ := r.asked()
	if len(starts) != 3 || starts[1].Start != "s_1" || starts[1].Loopback != starts[0].Loopback {
		t.Errorf("the vault was asked %+v", starts)
	}
	if got := o.list(); got[0] != r.URL+"/login/abc" || got[1] != r.URL+"/login/def" {
		t.Errorf("the tabs are %q", got)
	}
	if res, _ := visit(t, "GET", r.home("s_2"), nil); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the browser got %s", res.Status)
	}
	p.until(signin.Done)
}

func TestCloseEndsASignIn(t *testing.T) {
	r := newRig(t)
	p := r.process((&opened{}).open)
	p.Required(t.Context(), "", false)
	p.until(signin.Open)
	began := time.Now()
	p.Close()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Close took %v", took)
	}
	p.Required(t.Context(), "", false)
	if starts, _ := r.asked(); len(starts) != 1 {
		t.Error("a sign-in began after Close")
	}
	if _, _, err := try(t.Context(), "GET", r.home("s_1"), nil); err == nil {
		t.Error("the loopback is still open")
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come true within 5 s")
}
