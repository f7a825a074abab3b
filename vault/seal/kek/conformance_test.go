package kek_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/coatcheck-mcp/coatcheck/internal/keysim"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/kek"
)

var update = flag.Bool("update", false, "add vectors of kinds that have none yet")

// place is a full AAD; the tests move keys away from it.
var place = seal.AAD{Purpose: "grant key", Tenant: "acme", Person: "p_1", Grant: "g_1", Field: "f", Version: 7}

// bench is a key of one kind with the service that it lives in.
type bench struct {
	seal.KEK
	url     string
	service keysim.Key  // nil for a file
	net     *keysim.Net // nil for a file and for transit
}

// kinds are all kinds of keys, each new for the test.
var kinds = []string{"file", "transit", "azure", "azure-hsm", "aws", "aws-alias", "gcp"}

func start(t *testing.T, kind string) *bench {
	t.Helper()
	b := &bench{url: "file:kek"}
	options := kek.Options{Dir: t.TempDir(), Create: true}
	if kind != "file" && kind != "transit" {
		b.net = keysim.NewNet(t)
		options.Transport = b.net.Transport()
	}
	switch kind {
	case "transit":
		b.service = keysim.Transit(t)
	case "azure":
		b.service = b.net.Azure(t)
	case "azure-hsm":
		b.service = b.net.AzureHSM(t)
	case "aws":
		b.service = b.net.AWS(t)
	case "gcp":
		b.service = b.net.GCP(t)
	case "aws-alias":
		b.service = b.net.AWSAlias(t)
	}
	if b.service != nil {
		b.url = b.service.URL()
	}
	var err error
	if b.KEK, err = kek.Open(t.Context(), b.url, options); err != nil {
		t.Fatal(err)
	}
	return b
}

// each runs test for each kind of key, services for those that live in one.
func each(t *testing.T, test func(*testing.T, *bench)) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { test(t, start(t, kind)) })
	}
}

func services(t *testing.T, test func(*testing.T, *bench)) {
	for _, kind := range kinds {
		if kind != "file" {
			t.Run(kind, func(t *testing.T) { test(t, start(t, kind)) })
		}
	}
}

func (b *bench) newKey(t *testing.T) []byte {
	t.Helper()
	_, wrapped, err := seal.NewKey(t.Context(), b, place)
	if err != nil {
		t.Fatalf("%v (%v)", err, errors.Unwrap(err))
	}
	return wrapped
}

func TestAKeyOpensWhatItWrapped(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		box, wrapped, err := seal.NewKey(t.Context(), b, place)
		if err != nil {
			t.Fatal(err)
		}
		if got := seal.WrappedBy(wrapped); got != b.Names()[0] {
			t.Errorf("WrappedBy = %q, want %q", got, b.Names()[0])
		}
		sealed, err := box.Seal([]byte("plain"), place)
		if err != nil {
			t.Fatal(err)
		}
		again, err := seal.OpenKey(t.Context(), b, wrapped, place)
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := again.Open(sealed, place); err != nil || string(plain) != "plain" {
			t.Errorf("Open = %q, %v", plain, err)
		}
		if twice := b.newKey(t); bytes.Equal(twice, wrapped) {
			t.Error("two keys look the same")
		}
	})
}

func TestEveryLengthSurvives(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for n := 0; n <= 150; n += 13 {
			plain := bytes.Repeat([]byte{0}, n)
			wrapped, err := b.Wrap(t.Context(), plain, place)
			if err != nil {
				t.Fatalf("%d bytes: %v", n, err)
			}
			if got, err := b.Unwrap(t.Context(), wrapped, place); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%d bytes: %q, %v", n, got, err)
			}
		}
	})
}

func TestAKeyOpensOnlyInItsPlace(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		wrapped := b.newKey(t)
		for name, change := range map[string]func(*seal.AAD){
			"purpose": func(a *seal.AAD) { a.Purpose = "grant" }, "tenant": func(a *seal.AAD) { a.Tenant = "other" },
			"person": func(a *seal.AAD) { a.Person = "p_2" }, "grant": func(a *seal.AAD) { a.Grant = "g_2" },
			"field": func(a *seal.AAD) { a.Field = "" }, "version": func(a *seal.AAD) { a.Version++ },
			"boundary": func(a *seal.AAD) { a.Tenant, a.Person = "acmep", "_1" }, "nowhere": func(a *seal.AAD) { *a = seal.AAD{} },
		} {
			other := place
			change(&other)
			if _, err := seal.OpenKey(t.Context(), b, wrapped, other); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("%s: %v; want ErrOpen", name, err)
			}
		}
	})
}

// TestDamageIsNoticed: a flipped bit in what the service made is ErrOpen, in
// front of it at least an error.
func TestDamageIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		wrapped := b.newKey(t)
		tail := len(wrapped) - 40 // within what was encrypted, whatever the kind
		for i := range wrapped {
			changed := bytes.Clone(wrapped)
			changed[i] ^= 1 << (i % 8)
			_, err := seal.OpenKey(t.Context(), b, changed, place)
			if err == nil || i > tail && !errors.Is(err, seal.ErrOpen) {
				t.Errorf("byte %d of %d flipped: %v", i, len(wrapped), err)
			}
			checkSilent(t, err)
		}
		for n := range 40 {
			if _, err := seal.OpenKey(t.Context(), b, wrapped[:n*len(wrapped)/40], place); err == nil {
				t.Errorf("opens when cut to %d", n)
			}
		}
	})
}

// checkSilent fails when an error has something in it that the service said.
func checkSilent(t *testing.T, err error) {
	t.Helper()
	if all := fmt.Sprintf("%v %+v %#v %s", err, err, err, usererr.Text(err, "")); strings.Contains(all, "CANARY") {
		t.Errorf("an error says too much: %v", err)
	}
}

func TestAKeyThatWasRotatedAtItsService(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		old := b.newKey(t)
		b.service.Rotate()
		fresh := b.newKey(t)
		for name, wrapped := range map[string][]byte{"old": old, "fresh": fresh} {
			if _, err := seal.OpenKey(t.Context(), b, wrapped, place); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Without its old versions the new one goes on.
		b.service.Set(keysim.OldSwitch)
		if _, err := seal.OpenKey(t.Context(), b, fresh, place); err != nil {
			t.Errorf("fresh: %v", err)
		}
		b.service.Set(keysim.Enabled)
		if _, err := seal.OpenKey(t.Context(), b, old, place); err != nil {
			t.Errorf("old: %v", err)
		}
	})
}

// TestWhatAServiceDoesNotAllow is never taken for damage, says what to do, and
// is over when the service allows it again.
func TestWhatAServiceDoesNotAllow(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		wrapped := b.newKey(t)
		for state, want := range map[keysim.State]string{
			keysim.Disabled: "disabled", keysim.Deleted: "does not have this key", keysim.Forbidden: "may not use this key",
		} {
			b.service.Set(state)
			_, err := b.Unwrap(t.Context(), wrapped, place)
			_, err2 := b.Wrap(t.Context(), []byte("key"), place)
			for _, err := range []error{err, err2} {
				if text := usererr.Text(err, ""); errors.Is(err, seal.ErrOpen) || usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(text, want) && !(strings.HasPrefix(b.url, "vault-transit") && state == keysim.Disabled) {
					t.Errorf("%s: %v; want %q", want, err, want)
				}
				checkSilent(t, err)
			}
		}
		b.service.Set(keysim.Unfit)
		if _, err := b.Wrap(t.Context(), []byte("key"), place); usererr.CodeOf(err) != usererr.Unavailable || errors.Is(err, seal.ErrOpen) {
			t.Errorf("unfit: %v", err)
		} else {
			checkSilent(t, err)
		}
		b.service.Set(keysim.Enabled)
		if _, err := b.Unwrap(t.Context(), wrapped, place); err != nil {
			t.Errorf("allowed again: %v", err)
		}
	})
}

// faults are ways in which a service or something before it does not answer
// as it should.
func faults() map[string]struct {
	answer func(http.ResponseWriter, *http.Request) bool
	want   string
} {
	say := func(status int, kind, text string, head ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for i := 0; i+1 < len(head); i += 2 {
				w.Header().Set(head[i], head[i+1])
			}
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
			return true
		}
	}
	const json, html = "application/json", "text/html"
	return map[string]struct {
		answer func(http.ResponseWriter, *http.Request) bool
		want   string
	}{
		"overloaded":     {say(429, json, `{"error":{"code":"Throttled","message":"CANARY"}}`, "Retry-After", "60"), "too much to do"},
		"unavailable":    {say(503, json, `{"error":{"code":"ServiceUnavailable","message":"CANARY"}}`, "Retry-After", "60"), "does not answer"},
		"broken":         {say(500, html, "<h1>CANARY</h1>"), "does not answer"},
		"a proxy's page": {say(200, html, "<h1>CANARY</h1>"), "does not answer as such"},
		"nothing":        {say(200, json, "{}"), "does not answer as such"},
		"elsewhere":      {say(307, html, "CANARY", "Location", "https://elsewhere.example/CANARY"), "does not answer"},
		"a page for 404": {say(404, html, "<h1>CANARY</h1>"), ""},
		"endless": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", json)
			for range 300 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 10<<10)); err != nil {
					return true
				}
			}
			_, _ = io.WriteString(w, `{"CANARY":1}`)
			return true
		}, "does not answer"},
		"broken off": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", json)
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"CANARY`)
			return true
		}, "does not answer"},
	}
}

func TestAServiceThatDoesNotAnswerAsItShould(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		wrapped := b.newKey(t)
		for name, fault := range faults() {
			before := b.service.Asked()
			b.service.Answer(fault.answer)
			_, err := b.Unwrap(t.Context(), wrapped, place)
			_, err2 := b.Wrap(t.Context(), []byte("CANARY"), place)
			for _, err := range []error{err, err2} {
				if errors.Is(err, seal.ErrOpen) || usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), fault.want) {
					t.Errorf("%s: %v; want %q", name, err, fault.want)
				}
				checkSilent(t, err)
			}
			if asked := b.service.Asked() - before; asked < 2 || asked > 6 {
				t.Errorf("%s: asked %d times for two", name, asked)
			}
		}
		b.service.Answer(nil)
		if _, err := b.Unwrap(t.Context(), wrapped, place); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestAHiccupIsNotNoticed: a service that fails once is asked again.
func TestAHiccupIsNotNoticed(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		if strings.HasPrefix(b.url, "vault-transit") {
			t.Skip("its agents try again themselves")
		}
		wrapped := b.newKey(t)
		for name, status := range map[string]int{"busy": 429, "down": 503} {
			failed := false
			b.service.Answer(func(w http.ResponseWriter, _ *http.Request) bool {
				if failed {
					return false
				}
				failed = true
				w.WriteHeader(status)
				return true
			})
			if _, err := b.Unwrap(t.Context(), wrapped, place); err != nil || !failed {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestAServiceThatIsDown(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		if b.net == nil {
			t.Skip("vault/seal tests that")
		}
		wrapped := b.newKey(t)
		b.net.Unplug(true)
		if _, err := b.Unwrap(t.Context(), wrapped, place); usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "does not answer. Check that it runs") {
			t.Errorf("down: %v", err)
		}
		b.net.Unplug(false)
		if _, err := b.Unwrap(t.Context(), wrapped, place); err != nil {
			t.Errorf("up again: %v", err)
		}
	})
}

// TestAProxyThatDoesNotGetThere is a service that is down, whatever it says.
func TestAProxyThatDoesNotGetThere(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		if b.net == nil {
			t.Skip("it is reached without a proxy")
		}
		way := b.net.Transport()
		proxy, err := url.Parse(b.net.Proxy(t))
		if err != nil {
			t.Fatal(err)
		}
		way.DialContext, way.Proxy = nil, http.ProxyURL(proxy)
		key, err := kek.Open(t.Context(), b.url, kek.Options{Transport: way})
		if err != nil {
			t.Fatal(err)
		}
		wrapped, err := key.Wrap(t.Context(), []byte("key"), place)
		if err != nil {
			t.Fatal(err)
		}
		b.net.Unplug(true)
		_, err = key.Unwrap(t.Context(), wrapped, place)
		if trouble, ok := seal.TroubleOf(err); !ok || trouble != seal.NoAnswer {
			t.Errorf("Unwrap = %v", err)
		}
	})
}

// TestAServiceThatIsDownAtTheFirstSignIn has no credentials kept from before.
func TestAServiceThatIsDownAtTheFirstSignIn(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		if b.net == nil {
			t.Skip("vault/seal tests that")
		}
		b.net.Unplug(true)
		if _, err := b.Wrap(t.Context(), []byte("key"), place); usererr.CodeOf(err) != usererr.Unavailable || !strings.Contains(usererr.Text(err, ""), "does not answer") {
			t.Errorf("down: %v", err)
		}
		b.net.Unplug(false)
		b.newKey(t)
	})
}

func TestASlowServiceIsLeftInTime(t *testing.T) {
	services(t, func(t *testing.T, b *bench) {
		wrapped := b.newKey(t)
		release := make(chan struct{})
		defer close(release)
		b.service.Answer(func(http.ResponseWriter, *http.Request) bool { <-release; return true })
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := b.Unwrap(ctx, wrapped, place)
		if took := time.Since(begun); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
			t.Errorf("slow: %v after %v", err, took)
		}
	})
}

// TestFromEachKindToEach moves a data key from each kind of key to each other
// one, the way keys rotate does.
func TestFromEachKindToEach(t *testing.T) {
	all := map[string]*bench{}
	for _, kind := range kinds {
		all[kind] = start(t, kind)
	}
	for from, a := range all {
		for to, b := range all {
			if from == to {
				continue
			}
			box, wrapped, err := seal.NewKey(t.Context(), a, place)
			if err != nil {
				t.Fatal(err)
			}
			sealed, err := box.Seal([]byte("plain"), place)
			if err != nil {
				t.Fatal(err)
			}
			again, err := seal.Rewrap(t.Context(), seal.NewRing(b, a), wrapped, place)
			if err != nil || seal.WrappedBy(again) != b.Names()[0] {
				t.Errorf("%s to %s: under %q, %v", from, to, seal.WrappedBy(again), err)
				continue
			}
			opened, err := seal.OpenKey(t.Context(), b, again, place)
			if err != nil {
				t.Errorf("%s to %s: %v", from, to, err)
				continue
			}
			if plain, err := opened.Open(sealed, place); err != nil || string(plain) != "plain" {
				t.Errorf("%s to %s: %q, %v", from, to, plain, err)
			}
			if _, err := a.Unwrap(t.Context(), again, place); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("%s opens what %s wrapped: %v", from, to, err)
			}
		}
	}
}

// material is what a simulated service can be given its key by.
type material interface {
	Export(testing.TB) []byte
	Import(testing.TB, []byte)
}

// TestWhatAServiceWrappedOpensForEver has the key of each service, and what
// the vault stored of it. The file only grows.
func TestWhatAServiceWrappedOpensForEver(t *testing.T) {
	const file, plain = "testdata/vectors.txtar", "a key that protects nothing"
	archive, err := txtar.ParseFile(file)
	if errors.Is(err, os.ErrNotExist) && *update {
		archive = &txtar.Archive{Comment: []byte("What keys of key services have wrapped, with the keys. It opens for ever: never changed, only added to.\n\n")}
	} else if err != nil {
		t.Fatal(err)
	}
	grown := false
	services(t, func(t *testing.T, b *bench) {
		if b.net == nil {
			t.Skip("vault/seal has its vectors")
		}
		kind := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
		at := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, kind+"/") })
		service := b.service.(material)
		if at < 0 && *update {
			wrapped, err := b.Wrap(t.Context(), []byte(plain), place)
			if err != nil {
				t.Fatal(err)
			}
			grown, at = true, len(archive.Files)
			archive.Files = append(archive.Files,
				txtar.File{Name: kind + "/key", Data: append(service.Export(t), '\n')},
				txtar.File{Name: kind + "/wrapped", Data: fmt.Appendf(nil, "%x\n", wrapped)})
		}
		if at < 0 {
			t.Fatal("no vectors: run with -update")
		}
		service.Import(t, archive.Files[at].Data)
		var wrapped []byte
		if _, err := fmt.Sscanf(string(archive.Files[at+1].Data), "%x", &wrapped); err != nil {
			t.Fatal(err)
		}
		got, err := b.Unwrap(t.Context(), wrapped, place)
		if err != nil || string(got) != plain {
			t.Errorf("Unwrap = %q, %v", got, err)
		}
	})
	if grown {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
