// Package evidence is the audit log of a vault with all that proves it: the
// keys that sign its ends and hash what is in its records, the checkpoints, and
// what auditors ask. It makes them of settings, a store and the
// key-encryption key; package audit knows none of these.
package evidence

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
)

// Store keeps records and the keys around them.
type Store interface {
	retain.Store
	seal.KeyStore
}

// Config is what a [Keeper] needs.
type Config struct {
	Settings *settings.Settings
	Store    Store
	// KEK opens the key-encryption key, when it is needed.
	KEK func(context.Context) (seal.KEK, error)
	// KeyError says in plain words why the key for a purpose does not open.
	KeyError func(purpose string, err error) error
	Log      *slog.Logger
	// Record puts what an administrator does here on record, before it is
	// answered. Only commands need it.
	Record func(context.Context, audit.Entry) error
}

// Keeper has the audit log. Its methods may be called from many goroutines.
type Keeper struct {
	cfg   Config
	audit *audit.Log

	mu     sync.Mutex
	hasher *keyed.Hasher // guarded by mu; nil until it is needed
	signer *audit.Key    // guarded by mu; nil until it is needed
}

// New returns a keeper.
func New(cfg Config) *Keeper {
	k := &Keeper{cfg: cfg}
	o := cfg.Settings.Observability
	k.audit = audit.New(audit.Config{
		Sink: cfg.Store, Logger: cfg.Log, Level: audit.Level(o.Audit), Attribution: audit.Attribution(o.Attribution), Hasher: k.open,
	})
	return k
}

// Log is the audit log.
func (k *Keeper) Log() *audit.Log { return k.audit }

// Open opens the keys that the settings need, now rather than at the first
// call.
func (k *Keeper) Open(ctx context.Context) error {
	if k.hashes() {
		if _, err := k.open(ctx); err != nil {
			return k.cfg.KeyError(hashKey, err)
		}
	}
	if s := k.cfg.Settings; s.Audit.Checkpoints != "" || s.Audit.Objects != "" || s.Observability.Retention != 0 {
		_, err := k.Signer(ctx)
		return err
	}
	return nil
}

// Signer is the key that signs audit checkpoints. It never leaves the vault,
// and in the store it is wrapped like all others: whoever can write the store
// cannot sign.
func (k *Keeper) Signer(ctx context.Context) (*audit.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.signer != nil {
		return k.signer, nil
	}
	kek, err := k.cfg.KEK(ctx)
	if err != nil {
		return nil, err
	}
	seed, err := seal.VaultSecret(ctx, kek, k.cfg.Store, "audit checkpoints")
	if err != nil {
		return nil, k.cfg.KeyError("audit checkpoints", err)
	}
	defer clear(seed)
	k.signer, err = audit.NewKey(seed)
	return k.signer, err
}

// AuditKey is the verifier key of this vault's audit checkpoints.
func (k *Keeper) AuditKey(ctx context.Context) (string, error) {
	key, err := k.Signer(ctx)
	if err != nil {
		return "", err
	}
	return key.Verifier(), nil
}

// objects opens the folder of audit.objects; nil without one.
func (k *Keeper) objects() (objects.Store, error) {
	name := k.cfg.Settings.Audit.Objects
	if name == "" {
		return nil, nil
	}
	dir, err := objects.NewDir(k.cfg.Settings.Path(name))
	if err != nil {
		return nil, usererr.Wrap(err, usererr.Settings, "The folder "+name+" of audit.objects cannot be used", "Make it, or mount what should be there")
	}
	return dir, nil
}

// Notary opens what gets audit checkpoints; nil if nothing does.
func (k *Keeper) Notary(ctx context.Context) (*audit.Notary, error) {
	name, file := k.cfg.Settings.Audit.Checkpoints, ""
	store, err := k.objects()
	if err != nil || store == nil && name == "" {
		return nil, err
	}
	if name != "" {
		file = k.cfg.Settings.Path(name)
	}
	signer, err := k.Signer(ctx)
	if err != nil {
		return nil, err
	}
	n, err := audit.NewNotary(ctx, audit.NotaryConfig{Log: k.audit, Key: signer, File: file, Objects: store, Logger: k.cfg.Log})
	setting := "audit.checkpoints"
	if name == "" {
		name, setting = k.cfg.Settings.Audit.Objects, "audit.objects"
	}
	switch {
	case errors.Is(err, audit.ErrNotary):
		return nil, usererr.Wrap(err, usererr.Settings, name+" of "+setting+" holds something other than checkpoints by this vault's key",
			"Keep it and name another. Nothing was overwritten")
	case err != nil:
		return nil, usererr.Wrap(err, usererr.Settings, name+" of "+setting+" cannot be opened", "Let it be one that the vault may read and add to")
	}
	return n, nil
}

// Retention returns what drops old records; nil if nothing does.
func (k *Keeper) Retention(ctx context.Context) (*retain.Keeper, error) {
	keep := k.cfg.Settings.Observability.Retention
	if keep == 0 {
		return nil, nil
	}
	store, err := k.objects()
	if err != nil {
		return nil, err
	}
	signer, err := k.Signer(ctx)
	if err != nil {
		return nil, err
	}
	return retain.New(retain.Config{Log: k.audit, Store: k.cfg.Store, Key: signer, Keep: keep, Logger: k.cfg.Log, Objects: store}), nil
}
