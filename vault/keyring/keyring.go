// Package keyring brings the key-encryption keys of the settings together with
// what the store holds under them: it opens them, tells which are needed, and
// moves everything under the current one.
package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/network"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/kek"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// Open opens keys.kek and keys.former and refuses to go on while the store
// holds something that none of them opens. A missing keys.kek is made, with
// create, only if everything in the store opens without it.
func Open(ctx context.Context, s *settings.Settings, db *store.DB, create bool) (*seal.Ring, error) {
	uses, err := db.KeyUses(ctx)
	if err != nil {
		return nil, err
	}
	former, err := openFormer(ctx, s, uses)
	if err != nil {
		return nil, err
	}
	left := unopened(uses, former)
	current, err := kekOf(ctx, s, s.Keys.KEK, create && len(left) == 0)
	if errors.Is(err, seal.ErrNoKey) {
		return nil, missingKEK(s.Keys.KEK, left, err)
	} else if err != nil {
		return nil, err
	}
	ring := seal.NewRing(current, former...)
	// What nobody can read at all is no reason to keep everybody out.
	left = slices.DeleteFunc(unopened(uses, []seal.KEK{ring}), func(u store.KeyUse) bool { return u.Name == "" })
	if len(left) > 0 {
		return nil, usererr.New(usererr.Settings, "The key-encryption key "+s.Keys.KEK+" does not open what is in the store: "+amounts(left)+
			": it is another key than the one that sealed it", "Put the right key back, name it in keys.former, or name the right store. Nothing was overwritten")
	}
	return ring, nil
}

// kekOf opens a key of any kind, as [kek.Open].
func kekOf(ctx context.Context, s *settings.Settings, url string, create bool) (seal.KEK, error) {
	way, err := network.KeyEgress(s)
	if err != nil {
		return nil, err
	}
	return kek.Open(ctx, url, kek.Options{Dir: s.Dir, Create: create, Transport: way})
}

func missingKEK(url string, left []store.KeyUse, err error) error {
	if len(left) == 0 {
		return usererr.Wrap(err, usererr.Settings, "The key-encryption key "+url+" is missing",
			"Start the vault with these settings first: it makes the key, and must know it before anything is under it")
	}
	return usererr.Wrap(err, usererr.Settings, "The key-encryption key "+url+" is missing, but the store has what only it opens: "+amounts(left),
		"Put the key back; if it is lost for good, move the store away too and everybody signs in again. Nothing was overwritten")
}

// openFormer opens the former keys. One that is missing stops the start even
// if nothing is under it: the settings do not say what is.
func openFormer(ctx context.Context, s *settings.Settings, uses []store.KeyUse) ([]seal.KEK, error) {
	var former []seal.KEK
	var missing string
	var cause error
	for _, url := range s.Keys.Former {
		key, err := kekOf(ctx, s, url, false)
		if errors.Is(err, seal.ErrNoKey) {
			missing, cause = url, err
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening a key of keys.former: %w", err)
		}
		former = append(former, key)
	}
	if missing == "" {
		return former, nil
	}
	known := former
	if current, err := kekOf(ctx, s, s.Keys.KEK, false); err == nil {
		known = append(known, current)
	}
	if left := unopened(uses, known); len(left) > 0 {
		return nil, usererr.Wrap(cause, usererr.Settings, "The key "+missing+" of keys.former is missing, and no other key opens some of what is in the store: "+amounts(left),
			"Put the key back until coatcheck-vault keys rotate has moved everything away from it. Nothing was overwritten")
	}
	return nil, usererr.Wrap(cause, usererr.Settings, "The key "+missing+" of keys.former is missing", "Nothing is left under it: take it out of keys.former")
}

// unopened are the uses of keys that keks do not have.
func unopened(uses []store.KeyUse, keks []seal.KEK) []store.KeyUse {
	return slices.DeleteFunc(slices.Clone(uses), func(u store.KeyUse) bool {
		return slices.ContainsFunc(keks, func(k seal.KEK) bool { return slices.Contains(k.Names(), u.Name) })
	})
}

// amounts says how much is under which key.
func amounts(uses []store.KeyUse) string {
	var list []string
	for _, u := range uses {
		list = append(list, fmt.Sprintf("%d of the vault's own keys and %d grants are under %s", u.VaultKeys, u.Grants, shownKey(u)))
	}
	return strings.Join(list, "; ")
}

func shownKey(u store.KeyUse) string {
	switch {
	case u.Name == "":
		return "no key that can be told"
	case u.ID != "":
		return u.ID
	}
	return u.Name
}
