package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

const (
	notesFolder = "checkpoints/"
	noteTries   = 10 // names of one checkpoint: a crash may leave a part
)

// chainFolder is where the checkpoints of a chain are.
func chainFolder(tenant identity.TenantID) string {
	if tenant == "" {
		return notesFolder + "_vault/" // no tenant begins so
	}
	return notesFolder + url.PathEscape(string(tenant)) + "/"
}

// put makes an object of a checkpoint. Replicas that sign the same end make the
// same object, and that is well.
func (n *Notary) put(ctx context.Context, tenant identity.TenantID, head Head, text []byte) error {
	day := time.Now().UTC().Format(time.DateOnly)
	for try := range noteTries {
		name := fmt.Sprintf("%s%s/%019d-%s.%d.note", chainFolder(tenant), day, head.Seq, hex.EncodeToString(head.Hash[:min(len(head.Hash), 4)]), try)
		err := n.cfg.Objects.Create(ctx, name, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		})
		if !errors.Is(err, objects.ErrExists) {
			return err
		}
		if there, err := objects.Read(ctx, n.cfg.Objects, name, maxNote+1); err == nil && bytes.Equal(there, text) {
			return nil
		}
	}
	return errors.New("there are only parts of it")
}

// resumeObjects finds the last checkpoint of each chain, the latest day first.
func (n *Notary) resumeObjects(ctx context.Context) error {
	chains, err := n.cfg.Objects.Names(ctx, notesFolder)
	if err != nil {
		return err
	}
	for _, chain := range chains {
		days, err := n.cfg.Objects.Names(ctx, chain)
		if err != nil {
			return err
		}
		for i := len(days) - 1; i >= 0; i-- {
			found, err := n.resumeDay(ctx, days[i])
			if err != nil {
				return err
			}
			if found {
				break
			}
		}
	}
	return nil
}

func (n *Notary) resumeDay(ctx context.Context, day string) (bool, error) {
	names, err := n.cfg.Objects.Names(ctx, day)
	if err != nil {
		return false, err
	}
	for i := len(names) - 1; i >= 0; i-- {
		text, err := objects.Read(ctx, n.cfg.Objects, names[i], maxNote+1)
		if err != nil {
			return false, err
		}
		c, err := openNote(text, 1, n.cfg.Key.verifier)
		if errors.Is(err, errTorn) {
			continue
		} else if err != nil {
			return false, fmt.Errorf("%w: object %s: %w", ErrNotary, names[i], err)
		}
		n.signed[c.Tenant] = later(n.signed[c.Tenant], c.Head)
		return true, nil
	}
	return false, nil
}

func later(a, b Head) Head {
	if a.Seq > b.Seq {
		return a
	}
	return b
}

// dropped is the end of the last segment that was dropped from a chain.
func (n *Notary) dropped(ctx context.Context, tenant identity.TenantID) (end Head, ok bool) {
	list, err := n.cfg.Log.cfg.Sink.AuditSegments(ctx, tenant)
	if err != nil {
		return end, false
	}
	list, _ = sound(list, n.cfg.Key.Verifier()) // those that are
	for _, s := range list {
		if !s.Dropped.IsZero() {
			end, ok = s.Head, true
		}
	}
	return end, ok
}

// ReadObjects reads the checkpoints that a [Notary] made objects of, as
// [ReadCheckpoints] does with a file.
func ReadObjects(ctx context.Context, store objects.Store, vkey string) (list []Checkpoint, torn int, err error) {
	err = objects.Walk(ctx, store, notesFolder, func(name string) error {
		text, err := objects.Read(ctx, store, name, maxNote+1)
		if err != nil {
			return err
		}
		found, half, err := ReadCheckpoints(bytes.NewReader(text), vkey)
		if wrong, ok := errors.AsType[*CheckpointError](err); ok && wrong.Line > 0 {
			return &CheckpointError{What: fmt.Sprintf("the object %s %s", name, wrong.What)}
		} else if err != nil {
			return err
		}
		torn += half
		if len(found) == 1 && half == 0 && strings.HasPrefix(name, chainFolder(found[0].Tenant)) {
			found[0].Line, found[0].Name = 0, "checkpoint "+name
			list = append(list, found[0])
		} else if half == 0 && len(text) > 0 {
			return &CheckpointError{What: "the object " + name + " is not one checkpoint of its chain"}
		}
		return nil
	})
	return list, torn, err
}
