package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/grant"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/network"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/seal/kek"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// openRing opens keys.kek and keys.former and refuses to go on while the store
// holds something that none of them opens. A missing keys.kek is made, with
// create, only if everything in the store opens without it.
func openRing(ctx context.Context, s *settings.Settings, db *store.DB, create bool) (*seal.Ring, error) {
	uses, err := db.KeyUses(ctx)
	if err != nil {
		return nil, err
	}
	former, err := openFormer(ctx, s, uses)
	if err != nil {
		return nil, err
	}
	left := unopened(uses, former)
	current, err := openKEK(ctx, s, s.Keys.KEK, create && len(left) == 0)
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

// openKEK opens a key of any kind, as [kek.Open].
func openKEK(ctx context.Context, s *settings.Settings, url string, create bool) (seal.KEK, error) {
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
		key, err := openKEK(ctx, s, url, false)
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
	if current, err := openKEK(ctx, s, s.Keys.KEK, false); err == nil {
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

// KeyUse says how much is wrapped under one key-encryption key.
type KeyUse struct {
	Key string
	// Part is "current" for keys.kek, "former" for keys.former, "missing" for
	// a key that the settings do not have, and "unreadable" for what no key made.
	Part              string
	VaultKeys, Grants int
	// Problem says why a key of the settings cannot be opened.
	Problem error
}

// Left reports whether something is left to re-wrap.
func (u KeyUse) Left() bool { return u.Part != "current" && u.VaultKeys+u.Grants > 0 }

// Keys lists the keys of the settings and those that the store needs. It makes
// none and needs none to be there. That somebody looked is on record.
func (a *Admin) Keys(ctx context.Context) ([]KeyUse, error) {
	all, err := a.keys(ctx)
	if err != nil {
		return nil, err
	}
	return all, a.look(ctx, "the key-encryption keys")
}

func (a *Admin) keys(ctx context.Context) ([]KeyUse, error) {
	uses, err := a.db.KeyUses(ctx)
	if err != nil {
		return nil, err
	}
	var all []KeyUse
	add := func(part, url string) {
		key, err := openKEK(ctx, a.settings, url, false)
		if err != nil {
			all = append(all, KeyUse{Key: url, Part: part, Problem: err})
			return
		}
		mine := key.Names()
		if part == "current" {
			mine = mine[:1] // older keys of a key file are former ones
		}
		row := KeyUse{Key: key.ID(), Part: part}
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
				all = append(all, KeyUse{Key: shownKey(u), Part: "former", VaultKeys: u.VaultKeys, Grants: u.Grants})
			}
		}
		uses = unopened(uses, []seal.KEK{key})
	}
	add("current", a.settings.Keys.KEK)
	for _, url := range a.settings.Keys.Former {
		add("former", url)
	}
	for _, u := range uses {
		part := "missing"
		if u.Name == "" {
			part = "unreadable"
		}
		all = append(all, KeyUse{Key: shownKey(u), Part: part, VaultKeys: u.VaultKeys, Grants: u.Grants})
	}
	return all, nil
}

const (
	// rotateAtOnce bounds one transaction, and so how long others wait for it.
	rotateAtOnce = 100
	damagedShown = 20
)

// Rotation is what a rotation did.
type Rotation struct {
	Key               string // under which everything is now
	VaultKeys, Grants int    // that were wrapped again
	// Damaged counts values that do not open under the key that they name, and
	// DamagedSome names the first of them. They stay as they are.
	Damaged     int
	DamagedSome []string
}

// damaged notes a value that stays as it is.
func (r *Rotation) damaged(what string) {
	if r.Damaged++; r.Damaged <= damagedShown {
		r.DamagedSome = append(r.DamagedSome, what)
	}
}

// RotateKeys wraps everything again that is not under keys.kek, in small
// batches, while vaults run that know keys.kek and keys.former. What ended
// meanwhile stays ended. It may be interrupted: what is done stays done, and
// the next one does the rest. Begin and end are on record.
func (a *Admin) RotateKeys(ctx context.Context) (Rotation, error) {
	ring, err := openRing(ctx, a.settings, a.db, false)
	if err != nil {
		return Rotation{}, err
	}
	r := &rotation{db: a.db, ring: ring, name: ring.Names()[0]}
	r.Key = ring.ID()
	if left, err := r.left(ctx); err != nil || left == 0 {
		return r.Rotation, err
	}
	if err := a.recordKeys(ctx, "keys.rotate", "ok", "to "+r.Key); err != nil {
		return r.Rotation, usererr.Wrap(err, usererr.Unavailable, "The audit record cannot be stored, so nothing was changed", "Look at the store and try again")
	}
	failed := r.run(ctx)
	outcome := "ok"
	if failed != nil || r.Damaged > 0 {
		outcome = "error"
	}
	// An interrupted rotation is on record, too.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err = a.recordKeys(ctx, "keys.rotated", outcome, fmt.Sprintf("%d of the vault's own keys and %d grants to %s", r.VaultKeys, r.Grants, r.Key))
	return r.Rotation, errors.Join(failed, err)
}

func (a *Admin) recordKeys(ctx context.Context, event, outcome, detail string) error {
	return a.audit.Record(ctx, audit.Entry{
		Time: time.Now(), Event: event, Outcome: outcome, By: a.Who.By, Detail: detail + ", by an administrator, from the command line",
	})
}

type rotation struct {
	db   *store.DB
	ring *seal.Ring
	name string // of what is wrapped now
	Rotation
}

func (r *rotation) left(ctx context.Context) (left int, err error) {
	uses, err := r.db.KeyUses(ctx)
	for _, u := range uses {
		if u.Name != r.name {
			left += u.VaultKeys + u.Grants
		}
	}
	return left, err
}

func (r *rotation) run(ctx context.Context) error {
	if err := r.vaultKeys(ctx); err != nil {
		return err
	}
	after := identity.GrantID("")
	for {
		page, err := r.db.GrantKeys(ctx, after, rotateAtOnce)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1].ID
		if err := r.grants(ctx, page); err != nil {
			return err
		}
	}
}

func (r *rotation) vaultKeys(ctx context.Context) error {
	keys, err := r.db.VaultKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if seal.WrappedBy(k.Wrapped) == r.name {
			continue
		}
		fresh, err := seal.RewrapVaultKey(ctx, r.ring, k)
		if errors.Is(err, seal.ErrOpen) {
			r.damaged("the vault's own key " + k.Purpose)
			continue
		} else if err != nil {
			return err
		}
		replaced, err := r.db.VaultKeyReplace(ctx, fresh, k.Wrapped)
		if err != nil {
			return err
		}
		if replaced {
			r.VaultKeys++
		}
	}
	return nil
}

// grants wraps a page of data keys again. No transaction is open while a key
// service is asked.
func (r *rotation) grants(ctx context.Context, page []grant.Row) error {
	var changes []store.KeyChange
	for _, row := range page {
		if seal.WrappedBy(row.Key) == r.name {
			continue
		}
		fresh, err := grant.Rewrap(ctx, r.ring, row)
		if errors.Is(err, seal.ErrOpen) {
			r.damaged("the grant " + string(row.ID))
			continue
		} else if err != nil {
			return err
		}
		changes = append(changes, store.KeyChange{Grant: row.ID, Old: row.Key, New: fresh})
	}
	if len(changes) == 0 {
		return nil
	}
	n, err := r.db.GrantKeysReplace(ctx, changes)
	if err == nil {
		r.Grants += n
	}
	return err
}
