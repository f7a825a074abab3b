package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"

	"github.com/gofrs/flock"

	"github.com/coatcheck-mcp/coatcheck/internal/dpop"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const pemType = "PRIVATE KEY"

// find loads the key or creates it. Once a marker is there no lock is needed:
// it is written last and never changed.
func (k *Keeper) find(ctx context.Context) (*DeviceKey, error) {
	if k.cfg.Dir == "" {
		return nil, usererr.New(usererr.Settings, "This account has no home folder, so there is no place for this device's key",
			"Start the MCP client from an account with a home folder, or let it pass the variable HOME on")
	}
	m, err := k.readMarker()
	if err != nil {
		return nil, err
	}
	if m != nil {
		return k.load(ctx, m)
	}
	if err := k.prepareDir(); err != nil {
		return nil, err
	}
	unlock, err := k.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if m, err = k.readMarker(); err != nil {
		return nil, err
	}
	if m != nil { // another process was faster
		return k.load(ctx, m)
	}
	return k.create(ctx)
}

func (k *Keeper) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	lock := flock.New(k.path(lockName), flock.SetPermissions(fileMode))
	if ok, err := lock.TryLockContext(ctx, lockRetry); err != nil || !ok {
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, usererr.Wrap(err, usererr.Timeout, "Another coatcheck has been creating this device's key for a long time",
				"End other coatcheck processes and try again")
		}
		return nil, unwritable(err, k.dir)
	}
	return func() { _ = lock.Unlock() }, nil
}

// load gets the key that the marker names, and no other.
func (k *Keeper) load(ctx context.Context, m *marker) (*DeviceKey, error) {
	var key *DeviceKey
	var err error
	if m.Store == ClassKeychain {
		key, err = k.fromKeychain(ctx)
		if errors.Is(err, ErrNoItem) {
			err = usererr.Wrap(err, usererr.Settings, "This device's key is no longer in the keychain",
				"Restore the keychain, or remove the folder "+k.dir+"; a new key is made then and you sign in again")
		}
	} else {
		key, err = k.fromFile()
		if errors.Is(err, fs.ErrNotExist) {
			err = usererr.Wrap(err, usererr.Settings, "This device's key "+k.path(keyName)+" is missing",
				"Restore it from a backup, or remove the folder it was in; a new key is made then and you sign in again")
		}
	}
	if err != nil {
		return nil, err
	}
	if key.Thumbprint != m.Thumbprint {
		return nil, usererr.New(usererr.Settings, "This device's key was replaced by another one",
			"Restore it, or remove the folder "+k.dir+"; a new key is made then and you sign in again")
	}
	return key, nil
}

// create makes the key, or adopts one whose maker died before it wrote the
// marker. The caller holds the lock.
func (k *Keeper) create(ctx context.Context) (*DeviceKey, error) {
	key, err := k.fromFile()
	if errors.Is(err, fs.ErrNotExist) && k.wantsKeychain() {
		key, err = k.createInKeychain(ctx)
		if err != nil && ctx.Err() == nil && k.cfg.Store == StoreAuto && usererr.CodeOf(err) == usererr.Unavailable {
			k.cfg.Log.Warn("no keychain: this device's key goes into a file", "err", err)
			err = fs.ErrNotExist
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		key, err = k.createFile()
	}
	if err != nil {
		return nil, err
	}
	if err := k.writeMarker(marker{Vault: k.cfg.Origin, Store: key.Class, Thumbprint: key.Thumbprint}); err != nil {
		return nil, unwritable(err, k.dir)
	}
	k.cfg.Log.Info("made this device's key", "device", key.Thumbprint, "class", key.Class)
	return key, nil
}

func (k *Keeper) fromFile() (*DeviceKey, error) {
	path := k.path(keyName)
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, unreadable(err, path)
	}
	if err := k.tighten(path, fileMode); err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(rest) != 0 {
		return nil, damaged(nil, path)
	}
	key, err := parse(block.Bytes, ClassFile)
	if err != nil {
		return nil, damaged(err, path)
	}
	return key, nil
}

func (k *Keeper) createFile() (*DeviceKey, error) {
	key, der, err := generate(ClassFile)
	if err != nil {
		return nil, err
	}
	if err := k.writeFile(keyName, pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der})); err != nil {
		return nil, unwritable(err, k.dir)
	}
	return key, nil
}

func generate(class string) (*DeviceKey, []byte, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	key, err := parse(der, class)
	return key, der, err
}

// parse reads a PKCS #8 key; its errors never show the bytes.
func parse(der []byte, class string) (*DeviceKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	private, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("not a P-256 key in PKCS #8 form")
	}
	thumbprint, err := dpop.Thumbprint(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	return &DeviceKey{Key: private, Thumbprint: thumbprint, Class: class}, nil
}

func parseItem(item string) (*DeviceKey, error) {
	der, err := base64.StdEncoding.DecodeString(item)
	if err != nil {
		return nil, errors.New("not base64")
	}
	return parse(der, ClassKeychain)
}
