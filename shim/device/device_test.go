package device_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/shim/device"
)

const (
	origin  = "https://vault.example.com"
	keyEnv  = "COATCHECK_TEST_DEVICE_DIR" // makes this test program ask for the key there
	marker  = "device.json"
	keyFile = "device.key"
)

func TestMain(m *testing.M) {
	dir := os.Getenv(keyEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	key, err := device.New(device.Config{Dir: dir, Origin: origin, Store: device.StoreFile}).Device(context.Background())
	if err != nil {
		_, _ = os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString(key.Thumbprint)
}

// chain is a keychain in memory; get and set, if not nil, come first.
type chain struct {
	mu    sync.Mutex
	items map[string]string
	asked int
	get   func() error
	set   func() error
}

func (c *chain) Get(service, account string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	if c.get != nil {
		if err := c.get(); err != nil {
			return "", err
		}
	}
	item, ok := c.items[service+"/"+account]
	if !ok {
		return "", device.ErrNoItem
	}
	return item, nil
}

func (c *chain) Set(service, account, value string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.set != nil {
		if err := c.set(); err != nil {
			return err
		}
	}
	if c.items == nil {
		c.items = map[string]string{}
	}
	c.items[service+"/"+account] = value
	return nil
}

func ask(t *testing.T, cfg device.Config) (*device.DeviceKey, error) {
	t.Helper()
	cfg.Origin = origin
	return device.New(cfg).Device(t.Context())
}

func mustAsk(t *testing.T, cfg device.Config) *device.DeviceKey {
	t.Helper()
	key, err := ask(t, cfg)
	if err != nil {
		t.Fatalf("Device: %v", err)
	}
	return key
}

// wrong asks for the key and wants a user error of code that says words.
func wrong(t *testing.T, cfg device.Config, code usererr.Code, words string) {
	t.Helper()
	key, err := ask(t, cfg)
	if err == nil {
		t.Fatalf("Device = %s in %s, want an error", key.Thumbprint, key.Class)
	}
	if usererr.CodeOf(err) != code || !strings.Contains(usererr.Text(err, ""), words) {
		t.Errorf("Device: %s %q, want %s with %q", usererr.CodeOf(err), usererr.Text(err, ""), code, words)
	}
}

func path(dir, name string) string { return filepath.Join(device.Folder(dir, origin), name) }

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyIsMadeOnceAndSigns(t *testing.T) {
	cfg := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
	key := mustAsk(t, cfg)
	if key.Class != device.ClassFile {
		t.Errorf("Class = %q", key.Class)
	}
	if _, err := dpop.Prove(key.Key, dpop.Claims{Method: "GET", URL: origin}); err != nil {
		t.Errorf("the key does not sign: %v", err)
	}
	if again := mustAsk(t, cfg); again.Thumbprint != key.Thumbprint {
		t.Errorf("the second time the key is %s, not %s", again.Thumbprint, key.Thumbprint)
	}
	cfg.Origin = origin
	if thumbprint, class, err := device.New(cfg).Known(); thumbprint != key.Thumbprint || class != device.ClassFile || err != nil {
		t.Errorf("Known = %s, %s, %v", thumbprint, class, err)
	}
}

func TestEachVaultSeesAnotherDevice(t *testing.T) {
	dir := t.TempDir()
	first := mustAsk(t, device.Config{Dir: dir, Store: device.StoreFile})
	second, err := device.New(device.Config{Dir: dir, Store: device.StoreFile, Origin: "https://other.example.com"}).Device(t.Context())
	if err != nil || second.Thumbprint == first.Thumbprint {
		t.Errorf("Device for another vault: same key, or %v", err)
	}
}

func TestEightProcessesMakeOneKey(t *testing.T) {
	dir := t.TempDir()
	prints := make([]string, 8)
	var all sync.WaitGroup
	for i := range prints {
		all.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), keyEnv+"="+dir)
			out, err := cmd.Output()
			if err != nil {
				t.Errorf("process %d: %v %s", i, err, out)
			}
			prints[i] = string(out)
		})
	}
	all.Wait()
	for i, print := range prints {
		if print != prints[0] || print == "" {
			t.Errorf("process %d has key %q, process 0 %q", i, print, prints[0])
		}
	}
	left, _ := filepath.Glob(path(dir, "*.tmp"))
	if len(left) != 0 {
		t.Errorf("files were left behind: %v", left)
	}
}

func TestEightKeepersMakeOneKeyInTheKeychain(t *testing.T) {
	dir, keys := t.TempDir(), &chain{}
	prints := make([]string, 8)
	var all sync.WaitGroup
	for i := range prints {
		all.Go(func() { prints[i] = mustAsk(t, device.Config{Dir: dir, Keychain: keys}).Thumbprint })
	}
	all.Wait()
	for _, print := range prints {
		if print != prints[0] {
			t.Errorf("keys %v, want one", prints)
		}
	}
	if _, err := os.Stat(path(dir, keyFile)); err == nil {
		t.Error("the key is in a file as well")
	}
}

func TestOnlyTheOwnerReachesTheFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	dir := t.TempDir()
	cfg := device.Config{Dir: dir, Store: device.StoreFile}
	key := mustAsk(t, cfg)
	modes := func() {
		t.Helper()
		for name, want := range map[string]os.FileMode{"": 0o700, keyFile: 0o600, marker: 0o600, "device.lock": 0o600} {
			if info, err := os.Stat(path(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%q has mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
			}
		}
	}
	modes()
	if err := os.Chmod(path(dir, keyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if again := mustAsk(t, cfg); again.Thumbprint != key.Thumbprint {
		t.Error("another key")
	}
	modes() // closed again
}

func TestAKeychainThatStopsAnsweringIsAnErrorAndNeverASecondKey(t *testing.T) {
	keys := &chain{}
	cfg := device.Config{Dir: t.TempDir(), Keychain: keys}
	key := mustAsk(t, cfg)
	if key.Class != device.ClassKeychain {
		t.Fatalf("Class = %q", key.Class)
	}
	keys.get = func() error { return errors.New("locked") }
	wrong(t, cfg, usererr.Unavailable, "keychain of this computer does not answer")
	if _, err := os.Stat(path(cfg.Dir, keyFile)); err == nil {
		t.Error("a second key was made in a file")
	}
	keys.get = nil
	if again := mustAsk(t, cfg); again.Thumbprint != key.Thumbprint {
		t.Error("another key, once the keychain answers again")
	}
}

func TestTheSameKeeperAsksAgainAfterAnError(t *testing.T) {
	keys := &chain{}
	cfg := device.Config{Dir: t.TempDir(), Keychain: keys, Origin: origin}
	_ = mustAsk(t, cfg)
	keeper, locked := device.New(cfg), errors.New("locked")
	keys.get = func() error { return locked }
	if _, err := keeper.Device(t.Context()); !errors.Is(err, locked) {
		t.Fatalf("Device = %v", err)
	}
	keys.get = nil
	if _, err := keeper.Device(t.Context()); err != nil {
		t.Errorf("Device after the keychain was unlocked: %v", err)
	}
	before := keys.asked
	if _, err := keeper.Device(t.Context()); err != nil || keys.asked != before {
		t.Errorf("the keychain is asked again for a key that is known (%v)", err)
	}
}

func TestAKeychainThatLostTheItem(t *testing.T) {
	keys := &chain{}
	cfg := device.Config{Dir: t.TempDir(), Keychain: keys}
	_ = mustAsk(t, cfg)
	keys.items = nil
	wrong(t, cfg, usererr.Settings, "no longer in the keychain")
	if len(keys.items) != 0 {
		t.Error("a second key was made")
	}
}

func TestAKeychainWithAnotherOrDamagedItem(t *testing.T) {
	keys, others := &chain{}, &chain{}
	cfg := device.Config{Dir: t.TempDir(), Keychain: keys}
	_ = mustAsk(t, cfg)
	_ = mustAsk(t, device.Config{Dir: t.TempDir(), Keychain: others})
	keys.items = others.items
	wrong(t, cfg, usererr.Settings, "was replaced by another one")
	for _, item := range []string{"", "!", base64.StdEncoding.EncodeToString([]byte("canary-bytes"))} {
		keys.items = map[string]string{"coatcheck/" + origin: item}
		wrong(t, cfg, usererr.Settings, "in the keychain is damaged")
	}
}

func TestAKeychainThatHangsIsGivenUpAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		keys := &hung{free}
		cfg := device.Config{Dir: t.TempDir(), Keychain: keys, Store: device.StoreKeychain}
		began := time.Now()
		wrong(t, cfg, usererr.Unavailable, "does not answer")
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v, want 10 s", took)
		}
		if thumbprint, _, err := device.New(device.Config{Dir: cfg.Dir, Origin: origin}).Known(); thumbprint != "" || err != nil {
			t.Errorf("Known = %q, %v, want nothing", thumbprint, err)
		}
		close(free)
	})
}

// hung is a keychain whose prompt nobody answers.
type hung struct{ free chan struct{} }

func (h *hung) Get(string, string) (string, error) { <-h.free; return "", errors.New("too late") }
func (h *hung) Set(string, string, string) error   { <-h.free; return errors.New("too late") }

func TestACallerThatGivesUpMakesNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		dir := t.TempDir()
		_, err := device.New(device.Config{Dir: dir, Keychain: &hung{free}, Origin: origin}).Device(ctx)
		if err == nil {
			t.Error("Device = nil error")
		}
		if _, err := os.Stat(path(dir, keyFile)); err == nil {
			t.Error("a key was put into a file because a caller had no time")
		}
		close(free)
	})
}

func TestWhereThereIsNoKeychainAFileIsUsed(t *testing.T) {
	none := &chain{get: func() error { return errors.New("no such service") }}
	cfg := device.Config{Dir: t.TempDir(), Keychain: none}
	key := mustAsk(t, cfg)
	if key.Class != device.ClassFile {
		t.Fatalf("Class = %q", key.Class)
	}
	none.get = nil // a keychain that comes later changes nothing
	if again := mustAsk(t, cfg); again.Thumbprint != key.Thumbprint || again.Class != device.ClassFile {
		t.Errorf("another key: %+v", again)
	}
	cfg = device.Config{Dir: t.TempDir(), Keychain: &chain{get: func() error { return errors.New("none") }}, Store: device.StoreKeychain}
	wrong(t, cfg, usererr.Unavailable, "does not answer") // keychain or nothing
}

func TestAKeychainThatTakesAndForgets(t *testing.T) {
	forgetful := &chain{}
	forgetful.set = func() error { return nil }
	cfg := device.Config{Dir: t.TempDir(), Keychain: forgets{forgetful}}
	if key := mustAsk(t, cfg); key.Class != device.ClassFile {
		t.Errorf("Class = %q, want a file", key.Class)
	}
}

type forgets struct{ *chain }

func (forgets) Set(string, string, string) error { return nil }

func TestAMakerThatDiedBeforeTheMarker(t *testing.T) {
	for _, cfg := range []device.Config{
		{Dir: t.TempDir(), Store: device.StoreFile},
		{Dir: t.TempDir(), Keychain: &chain{}},
	} {
		key := mustAsk(t, cfg)
		if err := os.Remove(path(cfg.Dir, marker)); err != nil {
			t.Fatal(err)
		}
		if again := mustAsk(t, cfg); again.Thumbprint != key.Thumbprint {
			t.Errorf("a second key was made in %s", again.Class)
		}
	}
}

func TestAMakerThatWasKilledLeavesNoKeyBehind(t *testing.T) {
	cfg := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
	first := mustAsk(t, cfg)
	for _, name := range []string{path(cfg.Dir, "device.key"), path(cfg.Dir, marker)} {
		if err := os.Rename(name, name+".tmp"); err != nil {
			t.Fatal(err)
		}
	}
	if second := mustAsk(t, cfg); second.Thumbprint == first.Thumbprint {
		t.Error("a key that was never put in place was used")
	}
	left, err := filepath.Glob(path(cfg.Dir, "*.tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestDamagedMissingAndForeignFiles(t *testing.T) {
	other := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
	_ = mustAsk(t, other)
	foreign, err := os.ReadFile(path(other.Dir, keyFile))
	if err != nil {
		t.Fatal(err)
	}
	rsa := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("canary-bytes")}))
	tests := map[string]struct{ file, text, words string }{
		"no key":          {keyFile, "", "is missing"},
		"an empty key":    {keyFile, "\n", "is damaged"},
		"half a key":      {keyFile, string(foreign[:len(foreign)/2]), "is damaged"},
		"no real key":     {keyFile, rsa, "is damaged"},
		"a longer file":   {keyFile, strings.Repeat("x", 1<<20), "cannot be read"},
		"two keys":        {keyFile, string(foreign) + string(foreign), "is damaged"},
		"another's key":   {keyFile, string(foreign), "was replaced"},
		"half a marker":   {marker, `{"vault":"`, "is damaged"},
		"an odd marker":   {marker, `{"vault":"` + origin + `","store":"cloud","thumbprint":"x"}`, "is damaged"},
		"another vault's": {marker, `{"vault":"https://evil.example","store":"file","thumbprint":"x"}`, "belongs to another vault"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
			_ = mustAsk(t, cfg)
			if tt.text == "" {
				if err := os.Remove(path(cfg.Dir, tt.file)); err != nil {
					t.Fatal(err)
				}
			} else {
				write(t, path(cfg.Dir, tt.file), tt.text)
			}
			wrong(t, cfg, usererr.Settings, tt.words)
			if _, err := ask(t, cfg); strings.Contains(err.Error(), "canary") {
				t.Errorf("the key's bytes are in %q", err)
			}
			if tt.text != "" { // nothing was overwritten
				if text, err := os.ReadFile(path(cfg.Dir, tt.file)); err != nil || string(text) != tt.text {
					t.Errorf("%s was changed", tt.file)
				}
			}
		})
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	cfg := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
	_ = mustAsk(t, cfg)
	elsewhere := filepath.Join(t.TempDir(), "key")
	if err := os.Rename(path(cfg.Dir, keyFile), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, path(cfg.Dir, keyFile)); err != nil {
		t.Skip(err)
	}
	wrong(t, cfg, usererr.Settings, "cannot be read")
}

func TestAFolderThatIsALink(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	if err := os.Symlink(elsewhere, device.Folder(dir, origin)); err != nil {
		t.Skip(err)
	}
	wrong(t, device.Config{Dir: dir, Store: device.StoreFile}, usererr.Settings, "cannot be stored")
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	write(t, dir, "")
	wrong(t, device.Config{Dir: dir, Store: device.StoreFile}, usererr.Settings, "cannot be read")
}

func TestNoHomeFolder(t *testing.T) {
	wrong(t, device.Config{}, usererr.Settings, "no home folder")
	if thumbprint, class, err := device.New(device.Config{Origin: origin}).Known(); thumbprint+class != "" || err != nil {
		t.Errorf("Known = %q, %q, %v", thumbprint, class, err)
	}
}

func TestAMakerThatHoldsTheLockForEver(t *testing.T) {
	dir := t.TempDir()
	free := make(chan struct{})
	busy := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		keys := &chain{get: func() error { close(busy); <-free; return errors.New("gone") }}
		_, _ = device.New(device.Config{Dir: dir, Origin: origin, Keychain: keys, Store: device.StoreKeychain}).Device(context.Background())
	}()
	<-busy
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := device.New(device.Config{Dir: dir, Origin: origin, Store: device.StoreFile}).Device(ctx)
	if err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("Device = %v after %v", err, time.Since(began))
	}
	close(free)
	<-done
}

// FuzzFiles puts foreign bytes where the marker and the key are: whatever they
// are, they are refused or read, and never replaced.
func FuzzFiles(f *testing.F) {
	f.Add(`{"vault":"https://vault.example.com","store":"file","thumbprint":"x"}`, "-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, mark, key string) {
		cfg := device.Config{Dir: t.TempDir(), Store: device.StoreFile}
		if err := os.MkdirAll(device.Folder(cfg.Dir, origin), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path(cfg.Dir, marker), mark)
		write(t, path(cfg.Dir, keyFile), key)
		if _, err := ask(t, cfg); err == nil {
			t.Error("foreign bytes are a key")
		}
		if text, err := os.ReadFile(path(cfg.Dir, keyFile)); err != nil || string(text) != key {
			t.Error("the key's file was changed")
		}
	})
}
