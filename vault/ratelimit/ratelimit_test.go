package ratelimit_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/ratelimit"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// allowed counts how many of many questions at once are allowed.
func allowed(ask func() bool) int {
	n := 0
	for range 100 {
		if ask() {
			n++
		}
	}
	return n
}

func TestEachHasItsOwnAllowance(t *testing.T) {
	l := ratelimit.New(2, 10)
	for _, key := range []string{"a", "b"} {
		if n := allowed(func() bool { return l.Allow(key, start) }); n != 10 {
			t.Errorf("%s may ask %d times at once", key, n)
		}
	}
	if n := allowed(func() bool { return l.Allow("a", start.Add(3*time.Second)) }); n != 6 {
		t.Errorf("after 3 s a may ask %d times", n)
	}
	later := start.Add(10 * time.Minute) // everybody is forgotten
	if n := allowed(func() bool { return l.Allow("a", later) }); n != 10 {
		t.Errorf("after 10 minutes a may ask %d times", n)
	}
}

func TestASlowLimitIsNotForgotten(t *testing.T) {
	l := ratelimit.New(1.0/600, 3)
	_ = allowed(func() bool { return l.Allow("a", start) })
	_ = l.Allow("b", start.Add(5*time.Minute)) // when a could be forgotten
	if n := allowed(func() bool { return l.Allow("a", start.Add(11*time.Minute)) }); n != 1 {
		t.Errorf("after 11 minutes a may ask %d times", n)
	}
}

func TestStrangersShareWhenItIsFull(t *testing.T) {
	l := ratelimit.New(1, 5)
	for i := range 16_384 {
		if !l.Allow(fmt.Sprint(i), start) {
			t.Fatalf("number %d may not ask", i)
		}
	}
	n := 0
	for i := range 100 {
		if l.Allow(fmt.Sprint("stranger ", i), start) {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d of 100 strangers may ask", n)
	}
	if !l.Allow("7", start) {
		t.Error("one who is known may not ask")
	}
}

func TestAddresses(t *testing.T) {
	for _, tt := range []struct {
		first, second string
		together      bool
	}{
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
	} {
		l := ratelimit.New(1, 5)
		first, second := netip.MustParseAddr(tt.first), netip.MustParseAddr(tt.second)
		_ = allowed(func() bool { return l.AllowAddress(first, start) })
		if got := !l.AllowAddress(second, start); got != tt.together {
			t.Errorf("%s and %s share: %v", tt.first, tt.second, got)
		}
	}
	l := ratelimit.New(1, 5)
	if n := allowed(func() bool { return l.AllowAddress(netip.MustParseAddr("127.0.0.1"), start) }); n != 100 {
		t.Errorf("this machine may ask %d times", n)
	}
	if n := allowed(func() bool { return l.AllowAddress(netip.Addr{}, start) }); n != 5 {
		t.Errorf("an unknown address may ask %d times", n)
	}
}
