package signin_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/wire"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/session"
)

// TestStrangersWhoBeginLogins, each with a fresh key, are held back by their
// network, and leave nothing in the audit chain.
func TestStrangersWhoBeginLogins(t *testing.T) {
	var from atomic.Value
	r := newRig(t, rigOptions{address: func(*http.Request) netip.Addr { return from.Load().(netip.Addr) }})
	begin := func(d *device) int {
		t.Helper()
		s := d.shim("one")
		status, problem := s.post(wire.LoginStartPath, s.ask(), &s.started)
		if status == http.StatusTooManyRequests && !strings.Contains(problem.Message, "this network") {
			t.Errorf("the refusal says %+v", problem)
		}
		return status
	}
	burst := func(address string) (ok int) {
		t.Helper()
		from.Store(netip.MustParseAddr(address))
		for range 50 {
			if begin(r.device()) == http.StatusOK {
				ok++
			}
		}
		return ok
	}
	// A slow machine earns some more while it asks.
	if n := burst("203.0.113.9"); n < 30 || n > 45 {
		t.Errorf("one address began %d logins", n)
	}
	known := r.device()
	if _, err := r.keeper.Start(t.Context(), session.Who{Device: known.id, Person: "p", Tenant: "acme"}); err != nil {
		t.Fatal(err)
	}
	if status := begin(known); status != http.StatusOK {
		t.Errorf("a device with a session was answered %d", status)
	}
	if n := burst("203.0.113.10"); n < 30 {
		t.Errorf("another address began only %d", n)
	}
	burst("2001:db8::1")
	if n := burst("2001:db8::2:0:0:1"); n > 20 {
		t.Errorf("another address of the same customer began %d", n)
	}
	if n := burst("127.0.0.1"); n != 50 {
		t.Errorf("only %d logins began on this machine", n)
	}
	if events := r.events(); len(events) != 0 {
		t.Errorf("strangers left %d records", len(events))
	}
}

// TestWaitingIsNoBeginning: processes that ask how their login fares are not
// held back.
func TestWaitingIsNoBeginning(t *testing.T) {
	r := newRig(t, rigOptions{address: func(*http.Request) netip.Addr { return netip.MustParseAddr("203.0.113.9") }})
	s := r.device().shim("one")
	for range 50 {
		s.start()
	}
}

// TestAClickThatCannotBeRecorded goes no further.
func TestAClickThatCannotBeRecorded(t *testing.T) {
	r := newRig(t, rigOptions{before: func(e audit.Entry) error {
		if e.Event == "login.started" {
			return errors.New("disk full")
		}
		return nil
	}})
	s := r.device().shim("one")
	p := &person{r: r}
	_, text := p.click(s.start().URL, "continue", nil)
	if strings.Contains(text, r.simURL) || !strings.Contains(text, "could not record") || strings.Contains(text, "disk") {
		t.Errorf("the click was answered %s", text)
	}
	if len(p.cookies) != 0 {
		t.Error("the browser got a cookie")
	}
	if told := r.streams.told(); len(told) != 1 || told[0].OK {
		t.Errorf("the streams were told %+v", told)
	}
	if diff := cmp.Diff([]string{"login.failed"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}

// TestOneRecordOfAClick: a second click in the same browser begins nothing.
func TestOneRecordOfAClick(t *testing.T) {
	r := newRig(t, rigOptions{})
	s, p, st := asking(t, r)
	p.click(s.started.URL, "continue", nil)
	// Nor do callbacks from elsewhere fill the chain.
	stranger := &person{r: r}
	for range 8 {
		stranger.get(r.callbackURL(url.Values{"state": {st}, "code": {"x"}}))
	}
	if diff := cmp.Diff([]string{"login.started", "login.rejected", "login.rejected", "login.rejected"}, r.events()); diff != "" {
		t.Errorf("the records (-want +got):\n%s", diff)
	}
}
