// Package device keeps the one thing that a laptop holds: the P-256 key of
// this device, one for each vault. It is created once, under a file lock, in
// the operating system's keychain or, where there is none, in a file that only
// its owner may read. A marker beside it says where the key went and which one
// it is. From then on a key that is missing, damaged or different is an error
// and never replaced: a second key would be a second device.
//
// The key never leaves this package except as something that signs.
package device

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// The classes of a key, as told to the vault and shown to people.
const (
	ClassKeychain = "keychain"
	ClassFile     = "file"
)

// DeviceKey is this device's key, ready to sign.
type DeviceKey struct {
	Key        crypto.Signer
	Thumbprint string // the device's name, RFC 7638
	Class      string // [ClassKeychain] or [ClassFile]
}

// Prover gives the device's key. Device may wait for the keychain (at most
// ten seconds) and for another process that is creating the key; its errors
// are user errors.
type Prover interface {
	Device(ctx context.Context) (*DeviceKey, error)
}

// Store says where a key is kept.
type Store string

// The choices of the setting key_store.
const (
	StoreAuto     Store = "auto"     // keychain, or file where there is none
	StoreKeychain Store = "keychain" // keychain or nothing
	StoreFile     Store = "file"     // file
)

// Keychain is a place of the operating system for secrets. Get returns
// [ErrNoItem] when it answers that there is none. Calls may hang.
type Keychain interface {
	Get(service, account string) (string, error)
	Set(service, account, value string) error
}

// ErrNoItem says that the keychain works and has no such item.
var ErrNoItem = errors.New("no such item in the keychain")

// Config says whose key a [Keeper] keeps.
type Config struct {
	// Dir is the folder of all keys; each vault gets a folder of its own below.
	// Without one there is no key.
	Dir string
	// Origin is the vault's origin, such as "https://vault.example.com".
	Origin string
	// Store is the setting; "" is [StoreAuto]. It decides where a new key goes,
	// not where an existing one is looked for.
	Store Store
	// Keychain replaces the operating system's; nil is the real one.
	Keychain Keychain
	// SessionBus says that the environment names a session bus (Linux only),
	// wherever it is.
	SessionBus bool
	Log        *slog.Logger
}

// Keeper loads the key on first use, or creates it. It may be used from
// several goroutines and, through its files, from several processes.
type Keeper struct {
	cfg Config
	dir string

	mu  sync.Mutex // held while the key is looked for: others wait for the answer
	key *DeviceKey // guarded by mu; nil until found
}

// limits of everything that waits.
const (
	keychainLimit = 10 * time.Second
	lockLimit     = 30 * time.Second // another process may be waiting for its keychain, twice
	lockRetry     = 20 * time.Millisecond
)

// New returns a keeper. It touches nothing yet.
func New(cfg Config) *Keeper {
	if cfg.Store == "" {
		cfg.Store = StoreAuto
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, dir: Folder(cfg.Dir, cfg.Origin)}
}

// Folder is where below dir the key and marker for a vault are.
func Folder(dir, origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return filepath.Join(dir, base64.RawURLEncoding.EncodeToString(sum[:12]))
}

// Device implements [Prover]. What failed once is tried again at the next call.
func (k *Keeper) Device(ctx context.Context) (*DeviceKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.key != nil {
		return k.key, nil
	}
	key, err := k.find(ctx)
	if err != nil {
		return nil, err
	}
	k.key = key
	return key, nil
}

// Known tells what the marker says without touching the key: its thumbprint
// and class, or "" where there is no key yet.
func (k *Keeper) Known() (thumbprint, class string, err error) {
	if k.cfg.Dir == "" {
		return "", "", nil
	}
	m, err := k.readMarker()
	if err != nil || m == nil {
		return "", "", err
	}
	return m.Thumbprint, m.Store, nil
}
