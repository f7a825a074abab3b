package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
)

// newObjects returns a notary that makes objects, and the folder.
func newObjects(t *testing.T, r *rig) (*notary, string) {
	t.Helper()
	folder := t.TempDir()
	dir, err := objects.NewDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	return &notary{audit.NotaryConfig{Log: r.Log, Key: newKey(t, 7), Objects: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))}, &log}, folder
}

func (n *notary) objects(t *testing.T) ([]audit.Checkpoint, int, error) {
	t.Helper()
	return audit.ReadObjects(t.Context(), n.cfg.Objects, n.cfg.Key.Verifier())
}

func notes(t *testing.T, folder string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(folder, "checkpoints", "*", "*", "*.note"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAnObjectForEachCheckpoint: by two replicas, over restarts, and beside what
// a crash left.
func TestAnObjectForEachCheckpoint(t *testing.T) {
	for engine, url := range engines {
		t.Run(engine, func(t *testing.T) {
			r := newRigOn(t, url(t))
			n, folder := newObjects(t, r)
			n.round(t)
			for range 3 {
				r.fill(t, "acme", 2)
				r.fill(t, "", 1)
				n.round(t)
				n.round(t) // the same ends
			}
			list, torn, err := n.objects(t)
			if err != nil || torn != 0 || len(list) != 6 || len(notes(t, folder)) != 6 {
				t.Fatalf("%d checkpoints, %d torn, %v", len(list), torn, err)
			}
			chains, err := r.Verify(t.Context(), list...)
			if err != nil || len(chains) != 2 || chains[1].Signed != 6 {
				t.Errorf("Verify = %+v, %v", chains, err)
			}
			last := notes(t, folder)[5]
			if err := os.WriteFile(last, []byte("coatcheck-vault/audit/acme\n6\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			n.round(t) // signs it again under another name
			if list, torn, err = n.objects(t); err != nil || torn != 1 || len(list) != 6 {
				t.Errorf("%d checkpoints, %d torn, %v", len(list), torn, err)
			}
			f := r.forge(t)
			f.exec("DELETE FROM audit WHERE tenant = 'acme' AND seq > 4")
			f.head(4)
			if _, err := r.Verify(t.Context(), list...); err == nil || !strings.Contains(err.Error(), "which the checkpoint checkpoints/acme/") {
				t.Errorf("Verify = %v", err)
			}
		})
	}
}

// TestObjectsThatWereChanged are not relied on, nor gone on with.
func TestObjectsThatWereChanged(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, file string){
		"another number": func(t *testing.T, file string) { rewriteFile(t, file, "\n2\n", "\n3\n") },
		"another key": func(t *testing.T, file string) {
			text, err := newKey(t, 8).Sign("acme", audit.Head{Seq: 2, Hash: []byte("h")})
			if err == nil {
				err = os.WriteFile(file, text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			n, folder := newObjects(t, r)
			r.fill(t, "acme", 2)
			n.round(t)
			change(t, notes(t, folder)[0])
			var wrong *audit.CheckpointError
			if _, _, err := n.objects(t); !errors.As(err, &wrong) {
				t.Errorf("ReadObjects = %v", err)
			}
			if _, err := audit.NewNotary(context.Background(), n.cfg); !errors.Is(err, audit.ErrNotary) {
				t.Errorf("NewNotary = %v", err)
			}
		})
	}
}

func rewriteFile(t *testing.T, file, old, new string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheNotaryGoesOnBehindWhatWasDropped: a replica that was down for longer
// than records are kept.
func TestTheNotaryGoesOnBehindWhatWasDropped(t *testing.T) {
	r := newRig(t)
	n, _ := newObjects(t, r)
	r.fill(t, "acme", 2)
	n.round(t)
	r.fill(t, "acme", 6)
	list, err := r.List(t.Context(), "acme", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := audit.Segment{Tenant: "acme", First: 1, Head: list[4].Head, Since: list[0].Time, Until: list[4].Time}
	if s, err = n.cfg.Key.SignSegment(s); err == nil {
		err = errors.Join(r.db.AuditSeal(t.Context(), s), r.db.AuditDrop(t.Context(), "acme", 5, list[4].Time))
	}
	if err != nil {
		t.Fatal(err)
	}
	n.round(t)
	if signed, _, err := n.objects(t); err != nil || len(signed) != 2 || signed[1].Seq != 8 {
		t.Errorf("%+v, %v, %s", signed, err, n.log)
	}
}
