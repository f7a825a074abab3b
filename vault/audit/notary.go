package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/notefile"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	// notaryPause keeps two checkpoints of a busy chain within a minute, also
	// when the store is slow.
	notaryPause   = 30 * time.Second
	notaryTimeout = 20 * time.Second
	notaryLast    = 3 * time.Second // for the round at the end
)

// ErrNotary says that a file cannot be gone on with: its last checkpoints are
// by another key, or it holds something else.
var ErrNotary = errors.New("the file holds something other than checkpoints by this vault's key")

// NotaryConfig is what a [Notary] needs. Everything else is required.
type NotaryConfig struct {
	Log *Log
	Key *Key
	// File is what checkpoints are appended to, Objects gets one object for
	// each. There must be one of the two.
	File    string
	Objects objects.Store
	Logger  *slog.Logger
}

// Notary signs the ends of the chains and keeps the checkpoints in a file, for
// [Log.Verify]. It signs only what follows from what it signed before, so that
// a chain that was changed behind the vault's back gets no new checkpoint.
type Notary struct {
	cfg  NotaryConfig
	file *os.File // nil without one

	mu     sync.Mutex                 // for those who ask; only Run writes
	signed map[identity.TenantID]Head // last; guarded by mu
}

// Signed returns the end of each chain that was signed last.
func (n *Notary) Signed() map[identity.TenantID]Head {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.signed)
}

// Key is the verifier key of what is signed.
func (n *Notary) Key() string { return n.cfg.Key.Verifier() }

// NewNotary opens the file or makes it, and reads where the last checkpoints
// are. [ErrNotary] means that it is another's file.
func NewNotary(ctx context.Context, cfg NotaryConfig) (*Notary, error) {
	n := &Notary{cfg: cfg, signed: map[identity.TenantID]Head{}}
	if cfg.Objects != nil {
		if err := n.resumeObjects(ctx); err != nil {
			return nil, err
		}
	}
	if cfg.File == "" {
		return n, nil
	}
	file, err := os.OpenFile(cfg.File, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the file of audit checkpoints: %w", err)
	}
	n.file = file
	if err := n.resume(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return n, nil
}

// resume finds the last checkpoint of each chain. Only those are checked:
// there is one for each half minute of a year, perhaps.
func (n *Notary) resume() error {
	type last struct {
		line int
		text []byte
	}
	ends := map[string]last{}
	err := notefile.Each(n.file, origin, func(line int, text []byte) error {
		first, _, _ := bytes.Cut(text, []byte("\n"))
		if _, err := openNote(text, line, n.cfg.Key.verifier); len(ends) == 0 && err != nil && !errors.Is(err, errTorn) {
			return err // another's file, probably
		}
		if bytes.Contains(text, []byte("\n\n— ")) {
			ends[string(first)] = last{line, text}
		}
		return nil
	})
	for _, end := range ends {
		c, wrong := openNote(end.text, end.line, n.cfg.Key.verifier)
		if wrong == nil {
			n.signed[c.Tenant] = later(n.signed[c.Tenant], c.Head)
		} else if !errors.Is(wrong, errTorn) {
			err = errors.Join(err, wrong)
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotary, err)
	}
	return nil
}

// Run signs until ctx ends, and once more then. It closes the file.
func (n *Notary) Run(ctx context.Context) error {
	tick := time.NewTicker(notaryPause)
	defer tick.Stop()
	for {
		n.round(ctx, notaryTimeout)
		select {
		case <-tick.C:
		case <-ctx.Done():
			n.round(context.WithoutCancel(ctx), notaryLast)
			if n.file == nil {
				return nil
			}
			return n.file.Close()
		}
	}
}

// round signs each chain that has moved. What goes wrong is for whoever
// watches the log: calls are on record all the same.
func (n *Notary) round(ctx context.Context, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	heads, err := n.cfg.Log.cfg.Sink.AuditHeads(ctx)
	if err != nil {
		n.failed(ctx, "no audit checkpoints: the store does not say where the chains end", "error", err)
		return
	}
	for tenant := range n.signed {
		if _, ok := heads[tenant]; !ok {
			heads[tenant] = Head{} // all of it is gone
		}
	}
	for _, tenant := range slices.Sorted(maps.Keys(heads)) {
		err := n.sign(ctx, tenant, heads[tenant])
		if broken, ok := errors.AsType[*BrokenError](err); ok {
			n.failed(ctx, "an audit chain was changed behind the vault's back, so its end is not signed", "tenant", tenant,
				"record", broken.Seq, "what", broken.What, "do", "coatcheck-vault audit verify, with --checkpoints or --objects")
		} else if err != nil {
			n.failed(ctx, "an audit checkpoint could not be made", "tenant", tenant, "error", err)
		}
	}
}

// failed reports what went wrong, unless that is only the end of the vault.
func (n *Notary) failed(ctx context.Context, msg string, args ...any) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		n.cfg.Logger.ErrorContext(ctx, msg, args...)
	}
}

// sign appends a checkpoint for head, if the chain has moved. A
// [BrokenError] says that it does not follow from the one before.
func (n *Notary) sign(ctx context.Context, tenant identity.TenantID, head Head) error {
	last, known := n.signed[tenant]
	if known && last.Seq == head.Seq && bytes.Equal(last.Hash, head.Hash) {
		return nil
	}
	if known && head.Seq <= last.Seq {
		return &BrokenError{tenant, last.Seq, "it was signed and is not in the chain any more"}
	}
	if !known {
		// What came before is for Verify, which an auditor runs; reading all of
		// it here would hold up each start.
		last.Seq = head.Seq - 1
	}
	err := n.cfg.Log.follows(ctx, tenant, last, head)
	if _, broken := errors.AsType[*BrokenError](err); broken && known {
		// What was signed last may have been dropped since.
		if end, ok := n.dropped(ctx, tenant); ok && end.Seq > last.Seq && end.Seq < head.Seq {
			err = n.cfg.Log.follows(ctx, tenant, end, head)
		}
	}
	if err != nil {
		return err
	}
	text, err := n.cfg.Key.Sign(tenant, head)
	if err != nil {
		return err
	}
	if n.cfg.Objects != nil {
		if err := n.put(ctx, tenant, head, text); err != nil {
			return fmt.Errorf("writing an object with an audit checkpoint: %w", err)
		}
	}
	if n.file != nil {
		if err := n.write(text); err != nil {
			return fmt.Errorf("writing the file of audit checkpoints: %w", err)
		}
	}
	n.mu.Lock()
	n.signed[tenant] = head
	n.mu.Unlock()
	return nil
}

// write appends a checkpoint durably. What a full disk leaves of it is taken
// away again; where that fails, reading passes over it.
func (n *Notary) write(text []byte) error {
	end, err := n.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if end > 0 {
		text = append([]byte("\n"), text...)
	}
	if _, err := n.file.Write(text); err != nil {
		return errors.Join(err, n.file.Truncate(end))
	}
	return n.file.Sync()
}

// follows checks the records behind last up to head. Without a hash in last,
// anything may be before them.
func (l *Log) follows(ctx context.Context, tenant identity.TenantID, last, head Head) error {
	var check checker
	at := last
	err := l.Pages(ctx, tenant, last.Seq, func(page []Record) (bool, error) {
		for i := range page {
			r := &page[i]
			if at.Hash == nil {
				at.Hash = r.Prev
			}
			if r.Seq != at.Seq+1 {
				return false, &BrokenError{tenant, at.Seq + 1, "it is missing"}
			}
			if what := check.flaw(r, at.Hash); what != "" {
				return false, &BrokenError{tenant, r.Seq, what}
			}
			if at = r.Head; at.Seq == head.Seq {
				return false, nil
			}
		}
		return true, nil
	})
	switch {
	case err != nil:
		return err
	case at.Seq < head.Seq:
		return &BrokenError{tenant, at.Seq + 1, "it is missing"}
	case !bytes.Equal(at.Hash, head.Hash):
		return &BrokenError{tenant, head.Seq, "it is not the record that was stored last"}
	}
	return nil
}
