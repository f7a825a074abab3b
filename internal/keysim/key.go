package keysim

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// Key is a key in a simulated service, as tests steer it.
type Key interface {
	// URL is its address for the settings.
	URL() string
	// Rotate makes a version that encrypts from now on.
	Rotate()
	// Set changes what the service makes of the key.
	Set(State)
	// Answer lets f answer in the place of the service, where it returns true;
	// nil for the service alone.
	Answer(f func(http.ResponseWriter, *http.Request) bool)
	// Asked is how many requests with credentials arrived.
	Asked() int
}

// State is what a service makes of a key.
type State int

// The states.
const (
	Enabled   State = iota
	Disabled        // the whole key
	OldSwitch       // all versions but the newest are disabled
	Deleted         // the whole key
	Forbidden       // whoever asks may not use it
	Unfit           // it is of a kind that does not encrypt
)

// version is key material: PKCS #8 for RSA, else an AES key.
type version struct {
	ID       string
	Material []byte
}

// keyring is what the simulated services have in common.
type keyring struct {
	fresh func(nth int) version

	mu       sync.Mutex
	versions []version                                     // guarded by mu; the last is the newest
	state    State                                         // guarded by mu
	answer   func(http.ResponseWriter, *http.Request) bool // guarded by mu
	asked    int                                           // guarded by mu
}

// Rotate implements [Key].
func (k *keyring) Rotate() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions = append(k.versions, k.fresh(len(k.versions)+1))
}

// Set implements [Key].
func (k *keyring) Set(s State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state = s
}

// Answer implements [Key].
func (k *keyring) Answer(f func(http.ResponseWriter, *http.Request) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = f
}

// Asked implements [Key].
func (k *keyring) Asked() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// Export returns the key material, for vectors that open for ever.
func (k *keyring) Export(t testing.TB) []byte {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	text, err := json.Marshal(k.versions)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Import is the reverse of Export.
func (k *keyring) Import(t testing.TB, text []byte) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.versions = nil
	if err := json.Unmarshal(text, &k.versions); err != nil {
		t.Fatal(err)
	}
}

// answered counts a request and lets the test answer it. No lock is held
// while it does.
func (k *keyring) answered(w http.ResponseWriter, r *http.Request) bool {
	k.mu.Lock()
	k.asked++
	f := k.answer
	k.mu.Unlock()
	return f != nil && f(w, r)
}

// pick returns the version of that id, the newest for "", and what became of it.
func (k *keyring) pick(id string) (version, State) {
	k.mu.Lock()
	defer k.mu.Unlock()
	newest := len(k.versions) - 1
	at := newest
	if id != "" {
		at = slices.IndexFunc(k.versions, func(v version) bool { return v.ID == id })
	}
	switch {
	case at < 0:
		return version{}, Deleted
	case k.state == OldSwitch && at < newest:
		return version{}, Disabled
	case k.state == OldSwitch:
		return k.versions[at], Enabled
	}
	return k.versions[at], k.state
}

// is reports whether the whole key is in a state.
func (k *keyring) is(s State) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state == s
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	return b
}

// numbered is a fresh AES key whose id is its number, beginning at 1.
func numbered(nth int) version { return version{strconv.Itoa(nth), randomBytes(32)} }

// gcm is AES-GCM of a version with the nonce in front.
type gcm struct{ cipher.AEAD }

func newGCM(v version) gcm {
	block, err := aes.NewCipher(v.Material)
	if err != nil {
		panic(err) // the material is ours
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return gcm{aead}
}

func (g gcm) seal(plain, place []byte) []byte { return g.Seal(nil, nil, plain, place) }

func (g gcm) open(sealed, place []byte) ([]byte, bool) {
	plain, err := g.Open(nil, nil, sealed, place)
	return plain, err == nil
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the asker may have gone
}
