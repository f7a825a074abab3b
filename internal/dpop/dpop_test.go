package dpop_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
)

const address = "https://vault.example.com/v1/connect"

var nonceKey = []byte("0123456789abcdef0123456789abcdef")

// memory remembers proofs.
type memory struct {
	mu    sync.Mutex
	until map[string]time.Time
	err   error
}

func (m *memory) Remember(_ context.Context, id string, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	if _, twice := m.until[id]; twice {
		return dpop.ErrReplayed
	}
	if m.until == nil {
		m.until = map[string]time.Time{}
	}
	m.until[id] = until
	return nil
}

type rig struct {
	*dpop.Verifier
	nonces *dpop.Nonces
	replay *memory
	key    *ecdsa.PrivateKey
	thumb  string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{nonces: dpop.NewNonces(nonceKey, time.Minute), replay: &memory{}, key: newKey(t)}
	r.Verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: r.nonces, Replay: r.replay})
	var err error
	if r.thumb, err = dpop.Thumbprint(&r.key.PublicKey); err != nil {
		t.Fatal(err)
	}
	return r
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (r *rig) check(proof string) error {
	_, err := r.Verify(context.Background(), proof, "GET", address)
	return err
}

func (r *rig) prove(t testing.TB) string {
	t.Helper()
	proof, err := dpop.Prove(r.key, dpop.Claims{Method: "GET", URL: address, Nonce: r.nonces.Issue()})
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

type object = map[string]any

// jwk is the public part of key.
func jwk(key *ecdsa.PublicKey) object {
	raw, err := key.Bytes()
	if err != nil {
		panic(err)
	}
	return object{"kty": "EC", "crv": "P-256", "x": b64(raw[1:33]), "y": b64(raw[33:])}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge signs any header and payload, without help from a library.
func (r *rig) forge(t testing.TB, head, payload any) string {
	t.Helper()
	text := func(v any) string {
		if s, ok := v.(string); ok {
			return b64([]byte(s))
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b64(data)
	}
	signed := text(head) + "." + text(payload)
	sum := sha256.Sum256([]byte(signed))
	x, y, err := ecdsa.Sign(rand.Reader, r.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 64)
	x.FillBytes(signature[:32])
	y.FillBytes(signature[32:])
	return signed + "." + b64(signature)
}

func (r *rig) head() object {
	return object{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk(&r.key.PublicKey)}
}

func (r *rig) payload() object {
	return object{"jti": rand.Text(), "htm": "GET", "htu": address, "iat": time.Now().Unix(), "nonce": r.nonces.Issue()}
}

// with is o with members changed; nil takes one away.
func with(o object, change object) object {
	o = maps.Clone(o)
	for k, v := range change {
		if v == nil {
			delete(o, k)
		} else {
			o[k] = v
		}
	}
	return o
}

func TestAGoodProof(t *testing.T) {
	r := newRig(t)
	for name, proof := range map[string]string{"ours": r.prove(t), "by hand": r.forge(t, r.head(), r.payload())} {
		got, err := r.Verify(t.Context(), proof, "GET", address)
		if err != nil || got != r.thumb {
			t.Errorf("%s: Verify = %q, %v", name, got, err)
		}
	}
	for id := range r.replay.until {
		if len(id) != 43 {
			t.Errorf("the store got %q", id)
		}
	}
}

// TestThumbprint computes the RFC 7638 value by hand.
func TestThumbprint(t *testing.T) {
	key := newKey(t)
	j := jwk(&key.PublicKey)
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + j["x"].(string) + `","y":"` + j["y"].(string) + `"}`))
	if got, err := dpop.Thumbprint(&key.PublicKey); err != nil || got != b64(sum[:]) {
		t.Errorf("Thumbprint = %q, %v, want %q", got, err, b64(sum[:]))
	}
	other, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if _, err := dpop.Thumbprint(&other.PublicKey); err == nil {
		t.Error("a P-384 key has a thumbprint")
	}
	if _, err := dpop.Thumbprint(nil); err == nil {
		t.Error("no key has a thumbprint")
	}
}

// TestBadHeaders has one line for each thing that a header must not be.
func TestBadHeaders(t *testing.T) {
	r := newRig(t)
	point := jwk(&r.key.PublicKey)
	private, err := r.key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for name, head := range map[string]any{
		"no typ":                 with(r.head(), object{"typ": nil}),
		"another typ":            with(r.head(), object{"typ": "JWT"}),
		"typ in upper case":      with(r.head(), object{"typ": "DPOP+JWT"}),
		"no alg":                 with(r.head(), object{"alg": nil}),
		"alg none":               with(r.head(), object{"alg": "none"}),
		"alg HS256":              with(r.head(), object{"alg": "HS256"}),
		"alg RS256":              with(r.head(), object{"alg": "RS256"}),
		"alg ES384":              with(r.head(), object{"alg": "ES384"}),
		"no jwk":                 with(r.head(), object{"jwk": nil}),
		"jwk null":               `{"typ":"dpop+jwt","alg":"ES256","jwk":null}`,
		"jwk with private part":  with(r.head(), object{"jwk": with(point, object{"d": b64(private)})}),
		"jwk on another curve":   with(r.head(), object{"jwk": with(point, object{"crv": "P-384"})}),
		"jwk of another kind":    with(r.head(), object{"jwk": with(point, object{"kty": "oct"})}),
		"jwk RSA":                with(r.head(), object{"jwk": object{"kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "ES256"}}),
		"jwk not on the curve":   with(r.head(), object{"jwk": with(point, object{"x": b64(make([]byte, 32))})}),
		"jwk empty x":            with(r.head(), object{"jwk": with(point, object{"x": ""})}),
		"jwk with certificate":   with(r.head(), object{"jwk": with(point, object{"x5c": "AA"})}),
		"jwk with a name":        with(r.head(), object{"jwk": with(point, object{"kid": "1"})}),
		"jwk of somebody else":   with(r.head(), object{"jwk": jwk(&newKey(t).PublicKey)}),
		"jku to follow":          with(r.head(), object{"jku": "https://evil.example/keys"}),
		"x5u to follow":          with(r.head(), object{"x5u": "https://evil.example/cert"}),
		"kid":                    with(r.head(), object{"kid": "1"}),
		"crit":                   with(r.head(), object{"crit": []string{"b64"}}),
		"b64 false":              with(r.head(), object{"b64": false}),
		"a member in upper case": with(r.head(), object{"alg": nil, "ALG": "ES256"}),
		"alg twice":              `{"typ":"dpop+jwt","alg":"none","alg":"ES256","jwk":` + text(t, point) + `}`,
		"not JSON":               `{"typ":`,
		"not an object":          `[]`,
	} {
		if err := r.check(r.forge(t, head, r.payload())); !errors.Is(err, dpop.ErrInvalid) {
			t.Errorf("%s: Verify = %v", name, err)
		}
	}
	if n := len(r.replay.until); n != 0 {
		t.Errorf("%d bad proofs were remembered", n)
	}
}

func text(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBadClaims(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	for name, test := range map[string]struct {
		payload any
		want    error
	}{
		"no jti":                 {with(r.payload(), object{"jti": nil}), dpop.ErrInvalid},
		"empty jti":              {with(r.payload(), object{"jti": ""}), dpop.ErrInvalid},
		"long jti":               {with(r.payload(), object{"jti": strings.Repeat("x", 129)}), dpop.ErrInvalid},
		"jti a number":           {with(r.payload(), object{"jti": 7}), dpop.ErrInvalid},
		"no htm":                 {with(r.payload(), object{"htm": nil}), dpop.ErrInvalid},
		"wrong htm":              {with(r.payload(), object{"htm": "POST"}), dpop.ErrInvalid},
		"htm in lower case":      {with(r.payload(), object{"htm": "get"}), dpop.ErrInvalid},
		"no htu":                 {with(r.payload(), object{"htu": nil}), dpop.ErrInvalid},
		"no iat":                 {with(r.payload(), object{"iat": nil}), dpop.ErrInvalid},
		"old iat":                {with(r.payload(), object{"iat": now.Add(-25 * time.Hour).Unix()}), dpop.ErrInvalid},
		"iat of the future":      {with(r.payload(), object{"iat": now.Add(25 * time.Hour).Unix()}), dpop.ErrInvalid},
		"iat a text":             {with(r.payload(), object{"iat": "now"}), dpop.ErrInvalid},
		"a clock that is wrong":  {with(r.payload(), object{"iat": now.Add(-23 * time.Hour).Unix()}), nil},
		"more than we ask":       {with(r.payload(), object{"ath": "x"}), nil},
		"no nonce":               {with(r.payload(), object{"nonce": nil}), dpop.ErrNonce},
		"somebody else's nonce":  {with(r.payload(), object{"nonce": dpop.NewNonces([]byte("ffffffffffffffffffffffffffffffff"), time.Minute).Issue()}), dpop.ErrNonce},
		"a nonce with more":      {with(r.payload(), object{"nonce": r.nonces.Issue() + "A"}), dpop.ErrNonce},
		"a nonce of other bytes": {with(r.payload(), object{"nonce": b64(make([]byte, 48))}), dpop.ErrNonce},
		"not JSON":               {`{"jti":`, dpop.ErrInvalid},
	} {
		if err := r.check(r.forge(t, r.head(), test.payload)); !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: Verify = %v, want %v", name, err, test.want)
		}
	}
}

func TestAddresses(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		theirs, ours string
		good         bool
	}{
		{"https://vault.example.com/v1/connect", address, true},
		{"HTTPS://Vault.Example.COM:443/v1/connect", address, true},
		{"https://vault.example.com/v1/connect?x=1#y", address, true}, // RFC 9449 §4.3: without query and fragment
		{"https://vault.example.com/v1/connect/", address, false},
		{"https://vault.example.com/v1/Connect", address, false},
		{"https://vault.example.com/v1/../v1/connect", address, false},
		{"https://vault.example.com/v1%2Fconnect", address, false},
		{"http://vault.example.com/v1/connect", address, false},
		{"https://vault.example.com:8443/v1/connect", address, false},
		{"https://vault.example.com.evil.example/v1/connect", address, false},
		{"https://vault.example.com@evil.example/v1/connect", address, false},
		{"https://user@vault.example.com/v1/connect", address, false},
		{"wss://vault.example.com/v1/connect", address, false},
		{"//vault.example.com/v1/connect", address, false},
		{"/v1/connect", address, false},
		{"https:vault.example.com/v1/connect", address, false},
		{"", "", false},
		{"http://127.0.0.1:8080/v1/connect", "http://127.0.0.1:8080/v1/connect", true},
		{"http://[::1]:8080/v1/connect", "http://[::1]:8080/v1/connect", true},
		{"http://[::1]:80/v1/connect", "http://[::1]/v1/connect", true},
	} {
		proof := r.forge(t, r.head(), with(r.payload(), object{"htu": test.theirs}))
		if _, err := r.Verify(t.Context(), proof, "GET", test.ours); (err == nil) != test.good || err != nil && !errors.Is(err, dpop.ErrInvalid) {
			t.Errorf("%q for %q: %v", test.theirs, test.ours, err)
		}
	}
}

// TestForms changes the outer form of a good proof.
func TestForms(t *testing.T) {
	r := newRig(t)
	good := func() (head, payload, signature string) {
		parts := strings.Split(r.prove(t), ".")
		return parts[0], parts[1], parts[2]
	}
	for name, change := range map[string]func(h, p, s string) string{
		"long, but signed": func(string, string, string) string {
			return r.forge(t, r.head(), with(r.payload(), object{"more": strings.Repeat("A", dpop.MaxProof)}))
		},
		"empty":        func(string, string, string) string { return "" },
		"too long":     func(h, p, s string) string { return h + "." + p + "." + s + strings.Repeat("A", dpop.MaxProof) },
		"no signature": func(h, p, _ string) string { return h + "." + p + "." },
		"two parts":    func(h, p, _ string) string { return h + "." + p },
		"four parts":   func(h, p, s string) string { return h + "." + p + "." + s + "." + s },
		"JSON form": func(h, p, s string) string {
			return `{"protected":"` + h + `","payload":"` + p + `","signature":"` + s + `"}`
		},
		"padding":             func(h, p, s string) string { return h + "." + p + "." + s + "==" },
		"white space":         func(h, p, s string) string { return h + "." + p + ". " + s },
		"a line break":        func(h, p, s string) string { return h + ".\n" + p + "." + s },
		"another signature":   func(h, p, s string) string { _, _, other := good(); return h + "." + p + "." + other },
		"signature as ASN.1":  func(h, p, _ string) string { return h + "." + p + "." + b64(signASN1(t, r.key, h+"."+p)) },
		"another payload":     func(h, _, s string) string { _, other, _ := good(); return h + "." + other + "." + s },
		"zero signature":      func(h, p, _ string) string { return h + "." + p + "." + b64(make([]byte, 64)) },
		"HMAC with the key":   func(_, p, _ string) string { return hmacProof(t, r, p) },
		"RSA, properly":       func(_, p, _ string) string { return rsaProof(t, p) },
		"payload not encoded": func(h, _, s string) string { return h + ".{}." + s },
	} {
		h, p, s := good()
		if err := r.check(change(h, p, s)); !errors.Is(err, dpop.ErrInvalid) {
			t.Errorf("%s: Verify = %v", name, err)
		}
	}
}

func signASN1(t testing.TB, key *ecdsa.PrivateKey, signed string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(signed))
	der, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// hmacProof is signed with the public key as the secret of HS256.
func hmacProof(t testing.TB, r *rig, payload string) string {
	t.Helper()
	signed := b64([]byte(text(t, with(r.head(), object{"alg": "HS256"})))) + "." + payload
	public, err := r.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, public)
	mac.Write([]byte(signed))
	return signed + "." + b64(mac.Sum(nil))
}

func rsaProof(t testing.TB, payload string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	head := object{"typ": "dpop+jwt", "alg": "RS256", "jwk": object{"kty": "RSA", "n": b64(key.N.Bytes()), "e": "AQAB"}}
	signed := b64([]byte(text(t, head))) + "." + payload
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + b64(signature)
}

func TestAProofIsGoodOnce(t *testing.T) {
	r := newRig(t)
	proof := r.prove(t)
	if err := r.check(proof); err != nil {
		t.Fatal(err)
	}
	if err := r.check(proof); !errors.Is(err, dpop.ErrReplayed) {
		t.Errorf("again = %v", err)
	}
	// ECDSA signatures can be made again for the same words: same jti, no gain.
	payload := r.payload()
	if err := errors.Join(r.check(r.forge(t, r.head(), payload))); err != nil {
		t.Fatal(err)
	}
	if err := r.check(r.forge(t, r.head(), with(payload, object{"nonce": r.nonces.Issue()}))); !errors.Is(err, dpop.ErrReplayed) {
		t.Errorf("the same jti in another proof = %v", err)
	}
	// Somebody else's jti of the same text is another one.
	other := newRig(t)
	other.Verifier, other.nonces = r.Verifier, r.nonces
	if err := other.check(other.forge(t, other.head(), payload)); err != nil {
		t.Errorf("another device, the same jti = %v", err)
	}
}

func TestAStoreThatCannotTellRefuses(t *testing.T) {
	r := newRig(t)
	r.replay.err = errors.New("disk on fire")
	err := r.check(r.prove(t))
	if err == nil || errors.Is(err, dpop.ErrInvalid) || errors.Is(err, dpop.ErrNonce) || errors.Is(err, dpop.ErrReplayed) || !errors.Is(err, r.replay.err) {
		t.Errorf("Verify = %v", err)
	}
}

// TestNoncesAge: a proof is remembered for as long as any replica accepts it.
func TestNoncesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		nonce := r.nonces.Issue()
		use := func() error { return r.check(r.forge(t, r.head(), with(r.payload(), object{"nonce": nonce}))) }
		time.Sleep(time.Minute)
		if err := use(); err != nil {
			t.Errorf("after 60 s: %v", err)
		}
		for _, until := range r.replay.until {
			if left := time.Until(until); left < 5*time.Second {
				t.Errorf("forgotten in %v, while a replica whose clock is late accepts it", left)
			}
		}
		time.Sleep(time.Millisecond)
		if err := use(); !errors.Is(err, dpop.ErrNonce) {
			t.Errorf("after more than 60 s: %v", err)
		}
		if err := dpop.NewNonces(nonceKey, time.Minute).Check(r.nonces.Issue()); err != nil {
			t.Errorf("another replica: %v", err)
		}
		if a, b := r.nonces.Issue(), r.nonces.Issue(); a == b {
			t.Error("two nonces are one")
		}
	})
}

func TestErrorsSayNothing(t *testing.T) {
	r := newRig(t)
	for _, proof := range []string{
		"CANARY." + strings.Repeat("CANARY", 10) + ".CANARY",
		r.forge(t, r.head(), with(r.payload(), object{"nonce": "CANARY"})),
		r.forge(t, r.head(), with(r.payload(), object{"htu": "https://CANARY/"})),
		r.forge(t, with(r.head(), object{"typ": "CANARY"}), r.payload()),
	} {
		if err := r.check(proof); err == nil || strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), b64([]byte("CANARY"))) {
			t.Errorf("Verify = %v", err)
		}
	}
}

// device signs with a key that never leaves its chip.
type device struct {
	crypto.Signer
	sign func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
}

func (d device) Sign(random io.Reader, sum []byte, o crypto.SignerOpts) ([]byte, error) {
	return d.sign(random, sum, o)
}

func TestKeysThatCannotProve(t *testing.T) {
	key := newKey(t)
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	for name, signer := range map[string]crypto.Signer{
		"P-384": p384,
		"RSA":   rsaKey,
		"a chip that fails": device{key, func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return nil, errors.New("no finger on the sensor")
		}},
		"a chip that babbles": device{key, func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte("hello"), nil }},
		"a chip with large numbers": device{key, func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return append([]byte{0x30, 0x26, 0x02, 0x21, 0x01}, append(make([]byte, 32), 0x02, 0x01, 0x01)...), nil
		}},
	} {
		if proof, err := dpop.Prove(signer, dpop.Claims{Method: "GET", URL: address}); err == nil {
			t.Errorf("%s: proved %s", name, proof)
		}
	}
	chip := device{key, key.Sign}
	r := newRig(t)
	proof, err := dpop.Prove(chip, dpop.Claims{Method: "GET", URL: address, Nonce: r.nonces.Issue()})
	if err == nil {
		err = r.check(proof)
	}
	if err != nil {
		t.Errorf("a good chip: %v", err)
	}
}

func TestRequests(t *testing.T) {
	r := newRig(t)
	verify := func(change func(*http.Request)) error {
		req := httptest.NewRequest(http.MethodGet, "http://inside:8080/v1/connect", nil)
		req.Header.Set(dpop.Header, r.prove(t))
		change(req)
		_, err := dpop.FromRequest(r.Verifier, req, "https://vault.example.com/")
		return err
	}
	for name, test := range map[string]struct {
		change func(*http.Request)
		good   bool
	}{
		"behind a proxy":              {func(*http.Request) {}, true},
		"what proxies say is nothing": {func(q *http.Request) { q.Host = "evil.example"; q.Header.Set("X-Forwarded-Host", "evil.example") }, true},
		"no header":                   {func(q *http.Request) { q.Header.Del(dpop.Header) }, false},
		"two headers":                 {func(q *http.Request) { q.Header.Add(dpop.Header, r.prove(t)) }, false},
		"another path":                {func(q *http.Request) { q.URL.Path = "/v1/login/start" }, false},
		"another method":              {func(q *http.Request) { q.Method = http.MethodPost }, false},
	} {
		if err := verify(test.change); (err == nil) != test.good || err != nil && !errors.Is(err, dpop.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		err    error
		status int
		word   string
	}{
		{dpop.ErrNonce, http.StatusUnauthorized, "use_dpop_nonce"},
		{dpop.ErrInvalid, http.StatusUnauthorized, "invalid_dpop_proof"},
		{dpop.ErrReplayed, http.StatusUnauthorized, "invalid_dpop_proof"},
		{errors.New("CANARY"), http.StatusServiceUnavailable, ""},
	} {
		w := httptest.NewRecorder()
		dpop.Refuse(w, r.nonces, test.err)
		challenge := w.Header().Get("WWW-Authenticate")
		if w.Code != test.status || !strings.Contains(challenge, test.word) || w.Header().Get("Cache-Control") != "no-store" ||
			strings.Contains(w.Body.String(), "CANARY") || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%v: %d %v %s", test.err, w.Code, w.Header(), w.Body)
		}
		if test.word == "" {
			continue
		}
		if !strings.HasPrefix(challenge, "DPoP ") || !strings.Contains(challenge, `algs="ES256"`) {
			t.Errorf("challenge = %s", challenge)
		}
		if err := r.nonces.Check(w.Header().Get(dpop.NonceHeader)); err != nil {
			t.Errorf("the nonce of a refusal: %v", err)
		}
	}
}

// FuzzVerify: nothing that we did not sign proves anything.
func FuzzVerify(f *testing.F) {
	r := newRig(f)
	// Fuzzing goes on in other processes, with seeds from this one.
	r.nonces = dpop.NewNonces([]byte(rand.Text()), time.Minute)
	r.Verifier = dpop.NewVerifier(dpop.VerifierConfig{Nonces: r.nonces, Replay: r.replay})
	good := r.prove(f)
	f.Add(good)
	f.Add(r.forge(f, with(r.head(), object{"alg": "none"}), r.payload()))
	f.Add(strings.Repeat(".", 10))
	f.Fuzz(func(t *testing.T, proof string) {
		thumb, err := r.Verify(t.Context(), proof, "GET", address)
		if err == nil && (proof != good || thumb != r.thumb) {
			t.Errorf("%q proves %q", proof, thumb)
		}
		if err != nil && !errors.Is(err, dpop.ErrInvalid) && !errors.Is(err, dpop.ErrNonce) && !errors.Is(err, dpop.ErrReplayed) {
			t.Errorf("Verify = %v", err)
		}
	})
}

// FuzzSigned has the signature right, so that what is inside is looked at.
func FuzzSigned(f *testing.F) {
	r := newRig(f)
	f.Add(text(f, r.head()), text(f, r.payload()))
	f.Add(text(f, r.head()), `{"jti":"a","jti":"b"}`)
	f.Fuzz(func(t *testing.T, head, payload string) {
		proof := r.forge(t, head, payload)
		thumb, err := r.Verify(t.Context(), proof, "GET", address)
		if err == nil && thumb != r.thumb {
			t.Errorf("%q proves %q", proof, thumb)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := newRig(b)
	proofs := make([]string, b.N)
	for i := range proofs {
		proofs[i] = r.prove(b)
	}
	b.ResetTimer()
	for _, proof := range proofs {
		if err := r.check(proof); err != nil {
			b.Fatal(err)
		}
	}
}
