package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/gateway"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

func TestAGuestMayLookAndASignedInPersonIsKnown(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	if got := s.connect(); got.Resumed || got.SignedIn {
		t.Errorf("the first answer = %+v", got)
	}
	s.initialize()
	s.send(`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	if a := s.next(); len(a.Result.Tools) != 7 {
		t.Errorf("tools/list = %+v", a)
	}
	s.send(`{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"a:b"}}`)
	if a := s.next(); a.Error == nil || !strings.Contains(a.Error.Message, "not signed in") {
		t.Errorf("a guest's resources/subscribe = %+v", a)
	}

	s2 := r.shim(t)
	want := r.sessions.signIn(s2.device, "p_ada")
	if got := s2.connect(); !got.SignedIn {
		t.Errorf("the first answer = %+v", got)
	}
	s2.initialize()
	s2.send(toolCall(`"c1"`, "echo", `{"text":"hi"}`))
	if a := s2.next(); a.text() != "hi" || string(a.ID) != `"c1"` {
		t.Errorf("echo = %+v", a)
	}
	who := <-r.callers
	if who.Person != "p_ada" || who.Session != want.ID || who.Device != s2.device || string(who.Stream) != s2.stream ||
		who.Call != `"c1"` || who.Replayed || who.Address != "127.0.0.1" || who.Tenant != "acme" {
		t.Errorf("caller = %+v", who)
	}
	if !r.Alive(s2.device, identity.StreamID(s2.stream)) || r.Alive(s.device, identity.StreamID(s2.stream)) {
		t.Error("Alive is wrong")
	}
}

func TestTheDoor(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	get := func(change func(*http.Request)) *http.Response {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+wire.ConnectPath, nil)
		change(req)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res
	}
	for _, origin := range []string{"https://evil.test", "null", r.server.URL} {
		if res := get(func(q *http.Request) { q.Header.Set("Origin", origin) }); res.StatusCode != http.StatusForbidden {
			t.Errorf("Origin %s: status %d", origin, res.StatusCode)
		}
	}
	if res := get(func(*http.Request) {}); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("no proof: status %d", res.StatusCode)
	}
	res := get(func(q *http.Request) { q.Header.Set(dpop.Header, s.proof("")) })
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get(dpop.NonceHeader) == "" || !strings.Contains(res.Header.Get("WWW-Authenticate"), "use_dpop_nonce") {
		t.Errorf("no nonce: status %d, header %v", res.StatusCode, res.Header)
	}
	proof := s.proof(res.Header.Get(dpop.NonceHeader))
	if res := get(func(q *http.Request) { q.Header.Set(dpop.Header, proof) }); res.StatusCode != http.StatusBadRequest {
		t.Errorf("not an upgrade: status %d", res.StatusCode)
	}
	if res := get(func(q *http.Request) { q.Header.Set(dpop.Header, proof) }); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a proof used twice: status %d", res.StatusCode)
	}
	r.sessions.fail(errors.New("disk on fire"))
	if _, err := s.dial(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("store down: %v", err)
	}
}

// TestAShimOfAnotherVersion is told so, and which of the two is behind, before
// anything else of it is looked at.
func TestAShimOfAnotherVersion(t *testing.T) {
	r := newRig(t, nil)
	for offers, want := range map[string]string{
		"coatcheck.v0":               "status 401 ", // no version at all: what it wants shows later
		"coatcheck.v2, coatcheck.v1": "status 401 ",
		"mcp":                        "status 401 ",
		"coatcheck.v2":               "status 400 version: it speaks version 1 of the connection between the two, this program only version 2. Ask the vault's administrator",
		"coatcheck.v7, coatcheck.v9": "status 400 version: it speaks version 1 of the connection between the two, this program only version 9. Ask the vault's administrator",
	} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+wire.ConnectPath, nil)
		req.Header.Set("Sec-WebSocket-Protocol", offers)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var said wire.Problem
		_ = json.NewDecoder(res.Body).Decode(&said)
		_ = res.Body.Close()
		got := fmt.Sprintf("status %d %s: %s. %s", res.StatusCode, said.Code, said.Message, said.Hint)
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", offers, got)
		}
		if speaks := res.Header.Get("Sec-WebSocket-Protocol"); res.StatusCode == http.StatusBadRequest && speaks != wire.Subprotocol {
			t.Errorf("%s: it says that it speaks %q", offers, speaks)
		}
	}
}

// TestCutsDuringTraffic cuts the link while a thousand calls are made: each is
// run once and answered once.
func TestCutsDuringTraffic(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	const calls = 1000
	stop := make(chan struct{})
	cuts := make(chan int)
	go func() {
		n := 0
		defer func() { cuts <- n }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(15 * time.Millisecond):
			}
			s.cut()
			n++
			for {
				got, err := s.tryConnect()
				if err == nil && !got.Resumed {
					t.Error("the stream was not resumed")
				}
				if err == nil {
					break
				}
			}
		}
	}()
	seen := map[string]int{}
	sent := 0
	for len(seen) < calls {
		for sent-len(seen) < 64 && sent < calls {
			s.send(toolCall(fmt.Sprint(sent), "echo", fmt.Sprintf(`{"text":"t%d","size":%d}`, sent, sent*7%5000)))
			sent++
		}
		a := s.next()
		if want := "t" + string(a.ID); !strings.HasPrefix(strings.TrimRight(a.text(), "x"), want) {
			t.Fatalf("answer to %s is %.40q", a.ID, a.text())
		}
		seen[string(a.ID)]++
	}
	close(stop)
	if n := <-cuts; n < 5 {
		t.Errorf("only %d cuts", n)
	} else {
		t.Logf("%d cuts", n)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("call %s was answered %d times", id, n)
		}
	}
	r.calls.Range(func(name, n any) bool {
		if ran := n.(*atomic.Int32).Load(); ran != 1 {
			t.Errorf("call %v ran %d times", name, ran)
		}
		return true
	})
	select {
	case data := <-s.texts:
		t.Errorf("one answer too many: %s", data)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestAnUnknownStreamStartsAnew(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.received, s.sent = 57, 12 // of a vault that is no more
	s.setup = [][]byte{[]byte(`{"jsonrpc":"2.0","id":"init","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`),
		[]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}`)}
	s.open["7"] = []byte(toolCall("7", "echo", `{"text":"again"}`))
	if got := s.connect(); got.Resumed {
		t.Fatal("resumed what it cannot know")
	}
	_ = s.next()
	if a := s.next(); a.text() != "again" {
		t.Errorf("replayed call = %+v", a)
	}
	if who := <-r.callers; !who.Replayed || who.Call != "7" {
		t.Errorf("caller = %+v", who)
	}
	s.send(toolCall("8", "echo", `{"text":"new"}`))
	_ = s.next()
	if who := <-r.callers; who.Replayed {
		t.Errorf("caller of a new call = %+v", who)
	}
}

func TestACallWaitsForTheSignIn(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	s.send(toolCall("1", "private", `{"text":""}`))
	s.send(toolCall("2", "private", `{"text":""}`))
	var required wire.LoginRequired
	s.frame(wire.KindLoginRequired, &required)
	r.sessions.signIn(s.device, "p_ada")
	r.LoginDone(s.device, wire.LoginDone{OK: true})
	for range 2 {
		if a := s.next(); a.text() != "hello p_ada" {
			t.Errorf("after the sign-in: %+v", a)
		}
	}
	var done wire.LoginDone
	s.frame(wire.KindLoginDone, &done)
	if !done.OK {
		t.Error("the shim was told that the sign-in failed")
	}
	select {
	case f := <-s.frames:
		if wire.Kind(f[0]) == wire.KindLoginRequired {
			t.Error("two calls asked for two sign-ins")
		}
	case <-time.After(100 * time.Millisecond):
	}
}

func TestARefusedAndAnOpenSignIn(t *testing.T) {
	r := newRig(t, func(c *gateway.Config) { c.SignInWait = 300 * time.Millisecond })
	s := r.shim(t)
	s.connect()
	s.initialize()
	s.send(toolCall("1", "private", `{"text":""}`))
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	r.LoginDone(s.device, wire.LoginDone{Message: "You declined"})
	if a := s.next(); !a.Result.IsError || !strings.Contains(a.text(), "You declined") {
		t.Errorf("refused: %+v", a)
	}
	s.send(toolCall("2", "private", `{"text":""}`))
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	if a := s.next(); !a.Result.IsError || !strings.Contains(a.text(), "still open in your browser") {
		t.Errorf("open: %+v", a)
	}
	// The sign-in ends after all: the next call needs none.
	r.sessions.signIn(s.device, "p_ada")
	r.LoginDone(s.device, wire.LoginDone{OK: true})
	s.send(toolCall("3", "private", `{"text":""}`))
	if a := s.next(); a.text() != "hello p_ada" {
		t.Errorf("signed in: %+v", a)
	}
}

// TestALinkLostDuringTheSignIn loses the link with LoginRequired and LoginDone.
func TestALinkLostDuringTheSignIn(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	s.connect()
	s.initialize()
	s.send(toolCall("1", "private", `{"text":""}`))
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	s.cut()
	s.connect()
	s.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	s.cut()
	<-s.gone
	r.sessions.signIn(s.device, "p_ada")
	if got := s.connect(); !got.Resumed || !got.SignedIn {
		t.Fatalf("resumed = %+v", got)
	}
	if a := s.next(); a.text() != "hello p_ada" {
		t.Errorf("after the sign-in: %+v", a)
	}
}

func TestRevokedMeansNow(t *testing.T) {
	r := newRig(t, nil)
	s, other := r.shim(t), r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	r.sessions.signIn(other.device, "p_bob")
	for _, x := range []*shim{s, other} {
		x.connect()
		x.initialize()
	}
	s.send(toolCall("1", "slow", `{"text":"too late"}`))
	time.Sleep(50 * time.Millisecond)
	r.sessions.revoke(s.device)
	start := time.Now()
	var bye wire.Bye
	s.frame(wire.KindBye, &bye)
	if bye.Reason != wire.ByeRevoked {
		t.Errorf("bye = %+v", bye)
	}
	<-s.gone
	if took := time.Since(start); took > time.Second {
		t.Errorf("the link was closed after %v", took)
	}
	close(r.release)
	if got := s.connect(); got.Resumed || got.SignedIn {
		t.Errorf("after the revocation: %+v", got)
	}
	select {
	case data := <-s.texts:
		if strings.Contains(string(data), "too late") {
			t.Errorf("an answer came after the revocation: %s", data)
		}
	case <-time.After(100 * time.Millisecond):
	}
	other.send(toolCall("1", "echo", `{"text":"still here"}`))
	if a := other.next(); a.text() != "still here" {
		t.Errorf("the other person: %+v", a)
	}
}

func TestRevokedWhileTheLinkIsLost(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	s.send(toolCall("1", "slow", `{"text":"private answer"}`))
	time.Sleep(20 * time.Millisecond)
	s.cut()
	close(r.release)
	time.Sleep(20 * time.Millisecond)
	r.sessions.revoke(s.device)
	delete(s.open, "1")
	if got := s.connect(); got.Resumed {
		t.Errorf("after the revocation: %+v", got)
	}
	for {
		select {
		case data := <-s.texts:
			if strings.Contains(string(data), "private answer") {
				t.Errorf("an answer came after the revocation: %s", data)
			}
			continue
		case <-time.After(100 * time.Millisecond):
		}
		break
	}
}

// TestSomebodyElseSignsInOnTheDevice must get a conversation of their own.
func TestSomebodyElseSignsInOnTheDevice(t *testing.T) {
	for name, notice := range map[string]func(*rig, *shim){
		"the sign-in ended here": func(r *rig, s *shim) { r.LoginDone(s.device, wire.LoginDone{OK: true}) },
		"seen by the epoch":      func(r *rig, _ *shim) { r.sessions.move() },
		"the link was lost":      func(_ *rig, s *shim) { s.cut() },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			s := r.shim(t)
			r.sessions.signIn(s.device, "p_ada")
			s.connect()
			s.initialize()
			s.send(toolCall("1", "slow", `{"text":"for Ada"}`))
			time.Sleep(20 * time.Millisecond)
			r.sessions.signIn(s.device, "p_bob")
			notice(r, s)
			<-s.gone
			close(r.release)
			delete(s.open, "1")
			if got := s.connect(); got.Resumed || !got.SignedIn {
				t.Errorf("resumed = %+v", got)
			}
			for s.send(toolCall("2", "private", `{"text":""}`)); ; {
				a := s.next()
				if strings.Contains(a.text(), "Ada") {
					t.Errorf("an answer for somebody else: %+v", a)
				}
				if string(a.ID) == "2" {
					if a.text() != "hello p_bob" {
						t.Errorf("the new person: %+v", a)
					}
					return
				}
			}
		})
	}
}

func TestADeafStoreAnswersNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 6 s")
	}
	r := newRig(t, nil)
	s := r.shim(t)
	now := r.sessions.signIn(s.device, "p_ada")
	who := identity.Caller{Person: now.Person, Tenant: now.Tenant, Device: s.device, Session: now.ID, Stream: identity.StreamID(s.stream)}
	s.connect()
	s.initialize()
	if err := r.Live(t.Context(), who); err != nil {
		t.Errorf("Live = %v", err)
	}
	r.sessions.fail(errors.New("no such table"))
	time.Sleep(6 * time.Second)
	s.send(toolCall("1", "echo", `{"text":"no"}`))
	if a := s.next(); !a.Result.IsError || !strings.Contains(a.text(), "cannot check") {
		t.Errorf("blind: %+v", a)
	}
	if err := r.Live(t.Context(), who); usererr.CodeOf(err) != usererr.Unavailable {
		t.Errorf("Live = %v", err)
	}
	r.sessions.fail(nil)
	time.Sleep(400 * time.Millisecond)
	s.send(toolCall("2", "echo", `{"text":"yes"}`))
	if a := s.next(); a.text() != "yes" {
		t.Errorf("seeing again: %+v", a)
	}
}

func TestDrain(t *testing.T) {
	r := newRig(t, nil)
	idle, busy, waits := r.shim(t), r.shim(t), r.shim(t)
	for _, s := range []*shim{idle, busy, waits} {
		if s != waits {
			r.sessions.signIn(s.device, "p_ada")
		}
		s.connect()
		s.initialize()
	}
	busy.send(toolCall("1", "slow", `{"text":"finished"}`))
	waits.send(toolCall("1", "private", `{"text":""}`))
	waits.frame(wire.KindLoginRequired, &wire.LoginRequired{})
	time.Sleep(50 * time.Millisecond)
	drained := make(chan struct{})
	go func() { r.Drain(t.Context()); close(drained) }()
	for _, s := range []*shim{idle, busy, waits} {
		var bye wire.Bye
		s.frame(wire.KindBye, &bye)
		if bye.Reason != wire.ByeDrain || bye.RetryAfterMillis == 0 {
			t.Errorf("bye = %+v", bye)
		}
	}
	<-waits.gone
	<-idle.gone
	if _, err := idle.dial(); err == nil {
		t.Error("a draining vault lets shims in")
	}
	select {
	case <-drained:
		t.Error("drained while a call is under way")
	case <-time.After(100 * time.Millisecond):
	}
	close(r.release)
	if a := busy.next(); a.text() != "finished" {
		t.Errorf("the call under way: %+v", a)
	}
	if err := busy.conn.WriteBinary(wire.EncodeAck(2)); err != nil {
		t.Error(err)
	}
	select {
	case <-drained:
	case <-time.After(3 * time.Second):
		t.Error("not drained")
	}
	if got := len(waits.texts); got != 0 {
		t.Error("the call that waits for a sign-in was answered; its shim cannot ask again elsewhere")
	}
}

func TestAQuestionOfTheVault(t *testing.T) {
	r := newRig(t, nil)
	s := r.shim(t)
	r.sessions.signIn(s.device, "p_ada")
	s.connect()
	s.initialize()
	s.send(toolCall("1", "roots", `{"text":""}`))
	q := s.next()
	if q.Method != "roots/list" {
		t.Fatalf("question = %+v", q)
	}
	var id string
	if err := json.Unmarshal(q.ID, &id); err != nil || !strings.HasSuffix(id, ".1") || len(id) < 10 {
		t.Errorf("id = %s", q.ID)
	}
	// Answers from before a restart, and made-up ones, confirm nothing.
	for _, old := range []string{`1`, `"1"`, `"vABCDEFGHIJ.1"`, `"` + id + `0"`, `"` + strings.TrimSuffix(id, "1") + `01"`} {
		s.send(`{"jsonrpc":"2.0","id":` + old + `,"result":{"roots":[{"uri":"file:///old"}]}}`)
	}
	s.send(`{"jsonrpc":"2.0","id":` + string(q.ID) + `,"result":{"roots":[{"uri":"file:///new"}]}}`)
	if a := s.next(); a.text() != "file:///new" {
		t.Errorf("answer = %+v", a)
	}
}

// TestRunEndsEverything counts goroutines.
func TestRunEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	r := newRig(t, nil)
	for i := range 20 {
		s := r.shim(t)
		if i%2 == 0 {
			r.sessions.signIn(s.device, "p_ada")
		}
		s.connect()
		s.initialize()
		s.send(toolCall("1", []string{"slow", "private"}[i%2], `{"text":""}`))
		if i%4 == 0 {
			s.cut()
		}
	}
	time.Sleep(50 * time.Millisecond)
	r.stop()
	<-r.ended
	r.server.Close()
	http.DefaultClient.CloseIdleConnections()
	for range 100 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
}
