package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin/api"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

func TestWhoIsLetIn(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(http.Header)
		want string // by whom; "" for nobody
	}{
		"a key":           {func(h http.Header) { h.Set("Authorization", "Bearer "+opsKey) }, "key:ops"},
		"another":         {func(h http.Header) { h.Set("Authorization", "bearer "+auditorKey) }, "key:aud"},
		"no key":          {func(http.Header) {}, ""},
		"empty":           {func(h http.Header) { h.Set("Authorization", "Bearer ") }, ""},
		"the key alone":   {func(h http.Header) { h.Set("Authorization", opsKey) }, ""},
		"another scheme":  {func(h http.Header) { h.Set("Authorization", "Basic "+opsKey) }, ""},
		"half a key":      {func(h http.Header) { h.Set("Authorization", "Bearer "+opsKey[:20]) }, ""},
		"more than a key": {func(h http.Header) { h.Set("Authorization", "Bearer "+opsKey+"x") }, ""},
		"a space before":  {func(h http.Header) { h.Set("Authorization", "Bearer  "+opsKey) }, ""},
		"two headers":     {func(h http.Header) { h["Authorization"] = []string{"Bearer x", "Bearer " + opsKey} }, ""},
		"a cookie":        {func(h http.Header) { h.Set("Cookie", "key="+opsKey) }, ""},
		"very long":       {func(h http.Header) { h.Set("Authorization", "Bearer "+strings.Repeat("x", 20<<10)) }, ""},
	} {
		r := newRig(t)
		req := request("GET", "/sessions", "", "")
		test.set(req.Header)
		want := http.StatusOK
		if test.want == "" {
			want = http.StatusUnauthorized
		}
		w := r.send(req, want)
		if want == http.StatusUnauthorized && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: %v", name, w.Header())
		}
		all := r.entries("")
		if len(all) != 1 || all[0].By != test.want || all[0].Address != "192.0.2.1" || (all[0].Event == "admin.denied") != (test.want == "") {
			t.Errorf("%s: the records are %+v", name, all)
		}
		if strings.Contains(r.logged.String(), "CANARY") || len(all) > 0 && strings.Contains(all[0].Detail, "CANARY") {
			t.Errorf("%s: a key is in the log: %s %+v", name, &r.logged, all)
		}
	}
}

func TestPagesInABrowserAreRefused(t *testing.T) {
	r := newRig(t)
	for _, origin := range []string{"https://evil.example", "null", "https://vault.example"} {
		req := request("GET", "/sessions", opsKey, "")
		req.Header.Set("Origin", origin)
		r.send(req, http.StatusForbidden)
	}
	preflight := request("OPTIONS", "/sessions", "", "")
	preflight.Header.Set("Origin", "https://evil.example")
	preflight.Header.Set("Access-Control-Request-Method", "GET")
	if w := record(r, preflight); w.Code != http.StatusForbidden || w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight: %d %v", w.Code, w.Header())
	}
	if all := r.entries(""); len(all) != 4 || all[0].Event != "admin.denied" || all[0].By != "key:ops" {
		t.Errorf("the records are %+v", all)
	}
}

// TestManyWrongKeys are not all on record, and keep nobody out who has one.
func TestManyWrongKeys(t *testing.T) {
	r := newRig(t)
	for i := range 40 {
		want := http.StatusUnauthorized
		if i >= 10 {
			want = http.StatusTooManyRequests
		}
		w := r.send(request("GET", "/sessions", "wrong", ""), want)
		if (w.Header().Get("Retry-After") != "") != (i >= 10) {
			t.Errorf("%d: %v", i, w.Header())
		}
	}
	if n := len(r.entries("")); n != 10 {
		t.Errorf("%d records", n)
	}
	r.send(request("GET", "/sessions", opsKey, ""), http.StatusOK)
	other := request("GET", "/sessions", "wrong", "")
	other.RemoteAddr = "198.51.100.1:1234"
	r.send(other, http.StatusUnauthorized)
}

// TestNothingIsShownUnrecorded closes the store behind the API.
func TestNothingIsShownUnrecorded(t *testing.T) {
	r := newRig(t)
	r.populate()
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{opsKey, "wrong"} {
		req := request("GET", "/sessions", key, "")
		w := record(r, req)
		if w.Code < 500 || strings.Contains(w.Body.String(), "laptop") {
			t.Errorf("%s: %d %s", key[:3], w.Code, w.Body)
		}
	}
}

func TestNobodyHasAnEmptyKey(t *testing.T) {
	keys := api.NewKeys([]api.Key{{Name: "empty", Role: identity.Administrator, Secret: secret.New("")}})
	for _, header := range []string{"Bearer", "Bearer ", "Bearer  "} {
		req := request("GET", "/sessions", "", "")
		req.Header.Set("Authorization", header)
		if who, err := keys.Authenticate(req); usererr.CodeOf(err) != usererr.Unauthorized {
			t.Errorf("%q is %+v, %v", header, who, err)
		}
	}
}
