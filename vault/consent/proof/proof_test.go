package proof_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/secret"
	"github.com/coatcheck-mcp/coatcheck/vault/consent/proof"
)

// TestVerifies has the example of RFC 7636, Appendix B.
func TestVerifies(t *testing.T) {
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	for v, want := range map[string]bool{verifier: true, verifier + "x": false, "": false, "short": false, strings.Repeat("a", 129): false} {
		if got := proof.Verifies(secret.New(v), challenge); got != want {
			t.Errorf("%q: %v", v, got)
		}
	}
	if !proof.Challenge(challenge) || proof.Challenge(challenge+"=") {
		t.Error("challenges")
	}
}

func TestNothingMatchesNothing(t *testing.T) {
	one := proof.New()
	if len(one) != 43 || !proof.Challenge(one) || one == proof.New() {
		t.Errorf("%q", one)
	}
	if !proof.Matches(one, proof.Hash(one)) || proof.Matches("", proof.Hash("")) || proof.Matches(one, nil) || proof.Matches(proof.New(), proof.Hash(one)) {
		t.Error("the wrong texts match")
	}
}

func FuzzLoopback(f *testing.F) {
	for _, seed := range []string{
		"http://127.0.0.1:40000/" + strings.Repeat("a", 43), "http://[::1]:40000/" + strings.Repeat("a", 43),
		"http://127.0.0.1.evil.test:40000/", "http://127.0.0.1@evil.test:40000/", "http://localhost:40000/", "http://0.0.0.0:40000/",
		"http://[::ffff:7f00:1]:40000/", "http://127.1:40000/", "http://2130706433:40000/", "https://127.0.0.1:40000/", "app://127.0.0.1:40000/",
		"http://127.0.0.1:0/", "http://127.0.0.1:22/", "http://127.0.0.1:65536/", "http://127.0.0.1:40000\\", "http://127.0.0.1:40000/\r\n", "http://127.0.0.1:40000/%2e%2e",
	} {
		f.Add(seed)
		f.Add(seed + strings.Repeat("a", 43))
		f.Add(seed + strings.Repeat("a", 43) + "?x#y")
	}
	f.Fuzz(func(t *testing.T, address string) {
		if proof.Loopback(address) != nil {
			return
		}
		rest, v4 := strings.CutPrefix(address, "http://127.0.0.1:")
		if !v4 {
			var v6 bool
			if rest, v6 = strings.CutPrefix(address, "http://[::1]:"); !v6 {
				t.Fatalf("%q was accepted", address)
			}
		}
		var port int
		var path string
		if n, err := fmt.Sscanf(rest, "%d/%s", &port, &path); n != 2 || err != nil || port < 1024 || port > 65535 || len(path) < 22 ||
			fmt.Sprintf("%d/%s", port, path) != rest || strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			t.Fatalf("%q was accepted", address)
		}
	})
}
