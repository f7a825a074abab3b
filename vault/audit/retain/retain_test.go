package retain_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

const day = 24 * time.Hour

var engines = map[string]func(*testing.T) string{
	"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "vault.db") },
	"postgres": func(t *testing.T) string { return testenv.Postgres(t) },
}

// rig is a log of which records can be old, and what drops them.
type rig struct {
	*retain.Keeper
	log     *audit.Log
	db      *store.DB
	url     string
	key     *audit.Key
	folder  string
	objects *objects.Dir
}

func newKey(t *testing.T, first byte) *audit.Key {
	t.Helper()
	key, err := audit.NewKey(append([]byte{first}, make([]byte, 31)...))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	db, err := store.Open(t.Context(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	r := &rig{log: audit.New(audit.Config{Sink: db}), db: db, url: url, key: newKey(t, 1), folder: t.TempDir()}
	if r.objects, err = objects.NewDir(r.folder); err != nil {
		t.Fatal(err)
	}
	r.Keeper = retain.New(retain.Config{Log: r.log, Store: db, Key: r.key, Keep: 30 * day, Logger: slog.New(slog.DiscardHandler), Objects: r.objects})
	return r
}

// fill adds records to a chain: three a day, of so many days ago each.
func (r *rig) fill(t *testing.T, tenant identity.TenantID, ago ...int) {
	t.Helper()
	noon := time.Now().UTC().Truncate(day).Add(day / 2)
	for _, days := range ago {
		for i := range 3 {
			e := audit.Entry{Time: noon.Add(time.Duration(i)*time.Minute - time.Duration(days)*day), Event: "call", Tenant: tenant, Detail: "<é>", Objects: []string{fmt.Sprint(days)}}
			if err := r.log.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (r *rig) verify(t *testing.T, key *audit.Key) ([]audit.Chain, error) {
	t.Helper()
	return r.log.VerifyWith(t.Context(), audit.Proof{Key: func(context.Context) (string, error) { return key.Verifier(), nil }})
}

// TestRetention: whole old days go, are in the archive before, and what is left
// is verified behind a signed end.
func TestRetention(t *testing.T) {
	for engine, url := range engines {
		t.Run(engine, func(t *testing.T) {
			r := newRig(t, url(t))
			r.fill(t, "acme", 50, 49, 40, 2, 1)
			r.fill(t, "", 60) // nothing since
			r.fill(t, "labs", 1)
			for range 3 { // again changes nothing
				if err := r.Round(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			chains, err := r.verify(t, r.key)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range chains {
				// Each dropped segment is on record, and so is that a chain was closed.
				want := map[identity.TenantID][2]int64{"": {3, 2}, "acme": {9, 9}, "labs": {0, 3}}[c.Tenant]
				if got := [2]int64{c.Dropped, c.Records}; got != want {
					t.Errorf("chain %q: dropped and left %v, want %v", c.Tenant, got, want)
				}
			}
			found, err := retain.VerifyArchive(t.Context(), r.objects, r.key.Verifier())
			if err != nil || found != (retain.Archived{Segments: 4, Records: 12}) {
				t.Errorf("archive: %+v, %v", found, err)
			}
			r.fill(t, "acme", 0) // goes on
			if _, err := r.verify(t, r.key); err != nil {
				t.Error(err)
			}
			if _, err := r.verify(t, newKey(t, 2)); err == nil {
				t.Error("segments of another key explain what is missing")
			}
			if _, err := r.log.Verify(t.Context()); err == nil {
				t.Error("what is missing is explained without a key")
			}
		})
	}
}

// forge opens the database without its guards.
func (r *rig) forge(t *testing.T) func(statement string, args ...any) {
	t.Helper()
	driver, address := "pgx", r.url
	guards := []string{"ALTER TABLE audit DISABLE TRIGGER USER", "ALTER TABLE audit_segments DISABLE TRIGGER USER"}
	if file, ok := strings.CutPrefix(r.url, "sqlite:"); ok {
		driver, address = "sqlite", file+"?_pragma=busy_timeout(5000)"
		guards = []string{
			"DROP TRIGGER audit_no_delete", "DROP TRIGGER audit_no_update", "DROP TRIGGER audit_segments_in_order",
			"DROP TRIGGER audit_segments_forward", "DROP TRIGGER audit_segments_no_delete",
		}
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, guard := range guards {
		exec(guard)
	}
	return exec
}

// TestTamperingWithSegments is done to a chain whose records 1 to 9 were dropped
// and whose records 10 to 12 were sealed.
func TestTamperingWithSegments(t *testing.T) {
	for name, test := range map[string]struct {
		tamper func(exec func(string, ...any), r *rig)
		want   string // "" for nothing wrong
	}{
		"nothing":                 {func(func(string, ...any), *rig) {}, ""},
		"a record behind the end": {func(exec func(string, ...any), _ *rig) { exec("DELETE FROM audit WHERE seq = 10") }, "record 10: it is missing"},
		"a segment is gone":       {func(exec func(string, ...any), _ *rig) { exec("DELETE FROM audit_segments WHERE last_seq = 3") }, "record 4: the segment to record 6"},
		"all segments are gone":   {func(exec func(string, ...any), _ *rig) { exec("DELETE FROM audit_segments") }, "record 1: it is missing"},
		"the end moves": {func(exec func(string, ...any), _ *rig) {
			exec("UPDATE audit_segments SET last_seq = 10 WHERE last_seq = 9")
		}, "record 7: the segment to record 10"},
		"another hash": {func(exec func(string, ...any), _ *rig) {
			exec("UPDATE audit_segments SET hash = prev WHERE last_seq = 9")
		}, "record 7: the segment to record 9"},
		"more is said to have gone": {func(exec func(string, ...any), _ *rig) { exec("DELETE FROM audit WHERE seq <= 12") }, "record 10: it is missing"},
		"a made-up segment": {func(exec func(string, ...any), r *rig) {
			exec("INSERT INTO audit_segments SELECT tenant, 10, 12, hash, (SELECT hash FROM audit WHERE seq = 12), since, until, note, 1 FROM audit_segments WHERE last_seq = 9")
			exec("DELETE FROM audit WHERE seq <= 12")
		}, "record 10: the segment to record 12"},
		"a segment is not dropped": {func(exec func(string, ...any), _ *rig) { exec("UPDATE audit_segments SET dropped = 0") }, "record 1: it is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t))
			r.fill(t, "acme", 50, 49, 40, 2, 1)
			if err := r.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			test.tamper(r.forge(t), r)
			_, err := r.verify(t, r.key)
			if test.want == "" && err == nil {
				return
			}
			if broken := (*audit.BrokenError)(nil); !errors.As(err, &broken) || test.want == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Verify = %v, want %q", err, test.want)
			}
		})
	}
}

// TestAnInterruptedDrop is explained by its seal, and gone on with.
func TestAnInterruptedDrop(t *testing.T) {
	r := newRig(t, engines["sqlite"](t))
	r.fill(t, "acme", 50, 49, 1)
	list, err := r.db.AuditRead(t.Context(), "acme", 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, last := range []int{3, 6} {
		s := audit.Segment{Tenant: "acme", First: int64(last) - 2, Head: list[last-1].Head, Prev: list[last-3].Prev, Since: list[last-3].Time, Until: list[last-1].Time}
		if s, err = r.key.SignSegment(s); err == nil {
			err = r.db.AuditSeal(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	exec := r.forge(t)
	exec("UPDATE audit_segments SET dropped = 1")
	exec("DELETE FROM audit WHERE seq <= 4")
	for _, want := range []int64{4, 6} {
		chains, err := r.verify(t, r.key)
		if err != nil || chains[0].Dropped != want {
			t.Errorf("%+v, %v, want %d dropped", chains, err, want)
		}
		if err := r.Round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	exec("DELETE FROM audit WHERE seq = 8")
	if _, err := r.verify(t, r.key); err == nil {
		t.Error("a hole is explained by a seal")
	}
}

// TestAnUnsoundChainIsKept: what was changed is evidence and does not go.
func TestAnUnsoundChainIsKept(t *testing.T) {
	r := newRig(t, engines["sqlite"](t))
	r.fill(t, "acme", 50, 49, 1)
	r.forge(t)("UPDATE audit SET body = $1 WHERE seq = 2", []byte("{}"))
	var broken *audit.BrokenError
	if err := r.Round(t.Context()); !errors.As(err, &broken) || broken.Seq != 2 {
		t.Errorf("Round = %v", err)
	}
	if list, err := r.db.AuditRead(t.Context(), "acme", 0, 100); err != nil || len(list) != 9 {
		t.Errorf("%d records are left, %v", len(list), err)
	}
}

// TestNothingGoesUnexported: while the archive cannot be written, all stays; what
// a crash left there is passed over.
func TestNothingGoesUnexported(t *testing.T) {
	r := newRig(t, engines["sqlite"](t))
	r.fill(t, "acme", 50, 1)
	in := filepath.Join(r.folder, "segments")
	if err := os.WriteFile(in, nil, 0o600); err != nil { // no folder
		t.Fatal(err)
	}
	if err := r.Round(t.Context()); err == nil {
		t.Error("nothing is wrong with an archive that cannot be written")
	}
	if list, err := r.db.AuditRead(t.Context(), "acme", 0, 100); err != nil || len(list) != 6 {
		t.Errorf("%d records are left, %v", len(list), err)
	}
	if err := errors.Join(os.Remove(in), os.MkdirAll(filepath.Join(in, "acme"), 0o700)); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(in, "acme", fmt.Sprintf("%019d-%019d.0.jsonl", 1, 3))
	if err := os.WriteFile(half, []byte(`{"tenant":"acme","se`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := retain.VerifyArchive(t.Context(), r.objects, r.key.Verifier())
	if err != nil || found.Segments != 1 || found.Records != 3 {
		t.Errorf("archive: %+v, %v", found, err)
	}
}

// TestManyTornObjects: however often it was interrupted, also half way through
// the note, the next time goes on.
func TestManyTornObjects(t *testing.T) {
	r := newRig(t, engines["sqlite"](t))
	r.fill(t, "acme", 50, 1)
	for try := range 30 {
		name := fmt.Sprintf("segments/acme/%019d-%019d.%d", 1, 3, try)
		for _, kind := range []string{".jsonl", ".note"} {
			if err := r.objects.Create(t.Context(), name+kind, func(w io.Writer) error { _, err := io.WriteString(w, "{"); return err }); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := r.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := retain.VerifyArchive(t.Context(), r.objects, r.key.Verifier())
	if err != nil || found != (retain.Archived{Segments: 1, Records: 3, Torn: 30}) {
		t.Errorf("archive: %+v, %v", found, err)
	}
	if list, err := r.db.AuditRead(t.Context(), "acme", 0, 100); err != nil || list[0].Seq != 4 {
		t.Errorf("record %d is the first that is left, %v", list[0].Seq, err)
	}
}

// TestTamperingWithTheArchive changes files that were exported.
func TestTamperingWithTheArchive(t *testing.T) {
	for name, test := range map[string]struct {
		object string // whose name ends so
		change func([]byte) []byte
		want   string
	}{
		"a record":       {"6.0.jsonl", func(b []byte) []byte { return bytes.Replace(b, []byte("call"), []byte("cal1"), 1) }, "record 4: "},
		"a missing line": {"6.0.jsonl", func(b []byte) []byte { return b[bytes.IndexByte(b, '\n')+1:] }, "record 4: another record"},
		"the end":        {"6.0.jsonl", func(b []byte) []byte { return b[:bytes.LastIndexByte(b[:len(b)-1], '\n')+1] }, "record 6: it and what follows is missing"},
		"one more":       {"6.0.jsonl", func(b []byte) []byte { return append(b, b[:bytes.IndexByte(b, '\n')+1]...) }, "record 7: another record"},
		"not JSON":       {"6.0.jsonl", func(b []byte) []byte { return append([]byte("{"), b...) }, "record 4: it is not readable"},
		"a note":         {"6.0.note", func(b []byte) []byte { return bytes.Replace(b, []byte("\n6\n"), []byte("\n7\n"), 1) }, "not a segment"},
		"a lost note":    {"6.0.note", nil, "the segment before 7-9 is missing"},
		"lost records":   {"6.0.jsonl", nil, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t))
			r.fill(t, "acme", 50, 49, 40, 1)
			if err := r.Round(t.Context()); err != nil {
				t.Fatal(err)
			}
			all, err := filepath.Glob(filepath.Join(r.folder, "segments", "acme", "*"+test.object))
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			if test.change == nil {
				err = os.Remove(all[0])
			} else {
				var text []byte
				if text, err = os.ReadFile(all[0]); err == nil {
					err = os.WriteFile(all[0], test.change(text), 0o600)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := retain.VerifyArchive(t.Context(), r.objects, r.key.Verifier()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("VerifyArchive = %v, want %q", err, test.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"tenant":"acme","seq":1,"time":"2026-01-02T03:04:05.678Z","event":"call","prev":"","hash":"00","body":"{}"}`))
	f.Add([]byte("{\"seq\":1}\n{"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		s := audit.Segment{Tenant: "acme", First: 1, Head: audit.Head{Seq: 2, Hash: []byte("unlikely")}}
		if n, err := retain.Check(io.LimitReader(bytes.NewReader(lines), 1<<20), s); err == nil {
			t.Errorf("%d records are sound", n)
		}
	})
}
