package device

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
)

const service = "coatcheck"

// system is the operating system's keychain.
type system struct{}

func (system) Get(service, account string) (string, error) {
	value, err := keyring.Get(service, account)
	if errors.Is(err, keyring.ErrNotFound) {
		return "", ErrNoItem
	}
	return value, err
}

func (system) Set(service, account, value string) error {
	return keyring.Set(service, account, value)
}

// wantsKeychain says whether a new key is to go into a keychain. Where no
// session bus is (servers, containers) even asking is left out, because the
// bus library would try to start one.
func (k *Keeper) wantsKeychain() bool {
	if k.cfg.Store != StoreAuto || k.cfg.Keychain != nil {
		return k.cfg.Store != StoreFile
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return true
	}
	_, err := os.Stat(filepath.Join("/run/user", strconv.Itoa(os.Getuid()), "bus"))
	return err == nil || k.cfg.SessionBus
}

func (k *Keeper) keychain() Keychain {
	if k.cfg.Keychain != nil {
		return k.cfg.Keychain
	}
	return system{}
}

// fromKeychain returns [ErrNoItem] when the keychain says that there is none.
func (k *Keeper) fromKeychain(ctx context.Context) (*DeviceKey, error) {
	item, err := limited(ctx, func() (string, error) { return k.keychain().Get(service, k.cfg.Origin) })
	if errors.Is(err, ErrNoItem) {
		return nil, err
	}
	if err != nil {
		return nil, silent(err)
	}
	key, err := parseItem(item)
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "This device's key in the keychain is damaged",
			`Remove the item "`+service+`" from the keychain and the folder `+k.dir+"; a new key is made then and you sign in again")
	}
	return key, nil
}

func (k *Keeper) createInKeychain(ctx context.Context) (*DeviceKey, error) {
	// One may be there: its maker died before the marker, or the folder was lost.
	key, err := k.fromKeychain(ctx)
	if !errors.Is(err, ErrNoItem) {
		return key, err
	}
	_, der, err := generate(ClassKeychain)
	if err != nil {
		return nil, err
	}
	item := base64.StdEncoding.EncodeToString(der)
	if _, err := limited(ctx, func() (string, error) { return "", k.keychain().Set(service, k.cfg.Origin, item) }); err != nil {
		return nil, silent(err)
	}
	// Only what comes back is a key: some keychains take and forget.
	key, err = k.fromKeychain(ctx)
	if errors.Is(err, ErrNoItem) {
		return nil, silent(err)
	}
	return key, err
}

func silent(err error) error {
	return usererr.Wrap(err, usererr.Unavailable, "The keychain of this computer does not answer",
		"Unlock it (sign in to your desktop, or open its password manager) and try again")
}

// limited asks the keychain, which may be waiting for a person at a prompt.
func limited(ctx context.Context, ask func() (string, error)) (string, error) {
	type answer struct {
		value string
		err   error
	}
	ctx, cancel := context.WithTimeout(ctx, keychainLimit)
	defer cancel()
	answers := make(chan answer, 1)
	// Ends when the keychain answers; the library gives no way to hurry it, so
	// a hung keychain costs this goroutine until the process ends.
	go func() {
		value, err := ask()
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("asking the keychain for %v: %w", keychainLimit.Round(time.Second), ctx.Err())
	}
}
