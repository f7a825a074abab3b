package keyring

import (
	"context"
	"slices"

	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// Use says how much is wrapped under one key-encryption key.
type Use struct {
	Key string
	// Part is "current" for keys.kek, "former" for keys.former, "missing" for
	// a key that the settings do not have, and "unreadable" for what no key made.
	Part              string
	VaultKeys, Grants int
	// Problem says why a key of the settings cannot be opened.
	Problem error
}

// Left reports whether something is left to re-wrap.
func (u Use) Left() bool { return u.Part != "current" && u.VaultKeys+u.Grants > 0 }

// Uses lists the keys of the settings and those that the store needs. It makes
// none and needs none to be there.
func Uses(ctx context.Context, s *settings.Settings, db *store.DB) ([]Use, error) {
	uses, err := db.KeyUses(ctx)
	if err != nil {
		return nil, err
	}
	var all []Use
	add := func(part, url string) {
		key, err := kekOf(ctx, s, url, false)
		if err != nil {
			all = append(all, Use{Key: url, Part: part, Problem: err})
			return
		}
		mine := key.Names()
		if part == "current" {
			mine = mine[:1] // older keys of a key file are former ones
		}
		row := Use{Key: key.ID(), Part: part}
		uses = slices.DeleteFunc(uses, func(u store.KeyUse) bool {
			if !slices.Contains(mine, u.Name) {
				return false
			}
			row.VaultKeys, row.Grants = row.VaultKeys+u.VaultKeys, row.Grants+u.Grants
			return true
		})
		all = append(all, row)
		for _, u := range slices.Clone(uses) {
			if slices.Contains(key.Names(), u.Name) {
				all = append(all, Use{Key: shownKey(u), Part: "former", VaultKeys: u.VaultKeys, Grants: u.Grants})
			}
		}
		uses = unopened(uses, []seal.KEK{key})
	}
	add("current", s.Keys.KEK)
	for _, url := range s.Keys.Former {
		add("former", url)
	}
	for _, u := range uses {
		part := "missing"
		if u.Name == "" {
			part = "unreadable"
		}
		all = append(all, Use{Key: shownKey(u), Part: part, VaultKeys: u.VaultKeys, Grants: u.Grants})
	}
	return all, nil
}
