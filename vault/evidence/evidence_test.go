package evidence_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/evidence"
	"github.com/coatcheck-mcp/coatcheck/vault/seal"
	"github.com/coatcheck-mcp/coatcheck/vault/settings"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

// rig is a keeper on a real store with a key in a file.
type rig struct {
	*evidence.Keeper
	db       *store.DB
	settings *settings.Settings
	kekErr   error
}

func newRig(t *testing.T, url string, change func(*settings.Settings)) *rig {
	t.Helper()
	r := &rig{settings: &settings.Settings{Dir: t.TempDir()}}
	db, err := store.Open(t.Context(), url, r.settings.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r.db = db
	change(r.settings)
	r.Keeper = r.again(t)
	return r
}

// again returns another keeper, as another process has.
func (r *rig) again(t *testing.T) *evidence.Keeper {
	t.Helper()
	kek, err := seal.OpenKEK(t.Context(), "file:kek", r.settings.Dir, true)
	if err != nil {
		t.Fatal(err)
	}
	var k *evidence.Keeper
	k = evidence.New(evidence.Config{
		Settings: r.settings, Store: r.db, Log: slog.New(slog.DiscardHandler),
		KEK:      func(context.Context) (seal.KEK, error) { return kek, r.kekErr },
		KeyError: func(_ string, err error) error { return err },
		Record:   func(ctx context.Context, e audit.Entry) error { return k.Log().Record(ctx, e) },
	})
	return k
}

var engines = map[string]func(*testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "vault.db") },
	"postgres": func(t *testing.T) string { return testenv.Postgres(t) },
}

// TestProve: whoever has what was asked and answered can prove it, and nothing
// else.
func TestProve(t *testing.T) {
	for engine, url := range engines {
		t.Run(engine, func(t *testing.T) {
			r := newRig(t, url(t), func(s *settings.Settings) { s.Observability.Audit = "hashes" })
			ctx := t.Context()
			if err := r.Open(ctx); err != nil {
				t.Fatal(err)
			}
			for _, e := range []audit.Entry{
				{Event: "call", Asked: []byte(`{"page":"12","format":"markdown"}`), Answered: struct{ Title string }{"Plans <é>"}},
				{Event: "call.denied", Asked: []byte(`{"page":"13"}`)},
			} {
				e.Tenant = "acme"
				if err := r.Log().Record(ctx, e); err != nil {
					t.Fatal(err)
				}
			}
			other := r.again(t) // with the same key
			for _, test := range []struct {
				seq               int64
				arguments, result string
				want              [2]bool
			}{
				{1, `{"format": "markdown", "page": "12"}`, `{"Title":"Plans <é>"}`, [2]bool{true, true}},
				{1, `{"format":"markdown","page":"13"}`, `{"Title":"Plans <é>"}`, [2]bool{false, true}},
				{1, `{"format":"markdown","page":"12"}`, `{"Title":"plans <é>"}`, [2]bool{true, false}},
				{1, ``, `{"Title":"Plans <é>"}`, [2]bool{false, true}},
				{2, `{"page":"13"}`, ``, [2]bool{true, false}},
			} {
				p := evidence.AuditProof{Tenant: "acme", Seq: test.seq}
				if test.arguments != "" {
					p.Arguments = []byte(test.arguments)
				}
				if test.result != "" {
					p.Result = []byte(test.result)
				}
				arguments, result, err := other.ProveAudit(ctx, p)
				if got := [2]bool{arguments, result}; got != test.want || err != nil {
					t.Errorf("%+v: %v, %v", test, got, err)
				}
			}
			for _, p := range []evidence.AuditProof{
				{Tenant: "acme", Seq: 2, Result: []byte(`{}`)}, {Tenant: "acme", Seq: 99, Result: []byte(`{}`)}, {Tenant: "labs", Seq: 1, Result: []byte(`{}`)},
			} {
				if _, _, err := other.ProveAudit(ctx, p); err == nil {
					t.Errorf("%+v could be compared", p)
				} else if _, told := usererr.From(err); !told {
					t.Error(err)
				}
			}
		})
	}
}

// TestNoKey: without the key-encryption key a vault with hashes does not start,
// and one without does.
func TestNoKey(t *testing.T) {
	down := errors.New("down")
	r := newRig(t, engines["sqlite"](t), func(s *settings.Settings) { s.Observability.Audit = "full" })
	r.kekErr = down
	if err := r.Open(t.Context()); !errors.Is(err, down) {
		t.Errorf("Open = %v", err)
	}
	r.settings.Observability.Audit = "metadata"
	if err := r.again(t).Open(t.Context()); err != nil {
		t.Errorf("Open = %v", err)
	}
}
