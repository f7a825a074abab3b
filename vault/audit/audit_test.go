package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/testenv"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.StopPostgres()
	os.Exit(code)
}

// engines are the addresses of empty stores.
var engines = map[string]func(testing.TB) string{
	"sqlite":   func(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "vault.db") },
	"postgres": testenv.Postgres,
}

// rig is a log on a real store, and a way to it past the store.
type rig struct {
	*audit.Log
	db  *store.DB
	url string
}

func newRig(t testing.TB) *rig { return newRigOn(t, engines["sqlite"](t)) }

func newRigOn(t testing.TB, url string) *rig {
	t.Helper()
	db, err := store.Open(context.Background(), url, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return &rig{audit.New(audit.Config{Sink: db}), db, url}
}

func (r *rig) fill(t testing.TB, tenant identity.TenantID, n int) {
	t.Helper()
	for i := range n {
		if err := r.Record(t.Context(), audit.Entry{Event: "call", Outcome: "ok", Tenant: tenant, Person: "p_ada", Tool: fmt.Sprint("tool", i)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordAndList(t *testing.T) {
	r := newRig(t)
	want := audit.Entry{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC), Event: "call", Outcome: "ok", Tenant: "acme", Person: "p_ada", Device: "d", Session: "s_1",
		Grant: "g_1", Stream: "st", Call: `"7"`, Tool: "confluence_get_page", Site: "wiki", Objects: []string{"page 12 <&> é"}, Code: "", Detail: "fine",
		Address: "192.0.2.1", DurationMillis: 12,
	}
	if err := r.Record(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	all, err := r.List(t.Context(), "acme", 0, 0)
	if err != nil || len(all) != 1 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	got, err := all[0].Entry()
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("entry: %v %s", err, diff)
	}
	// The form is fixed for ever: old records must keep their hash.
	const body = `{"time":"2026-03-04T05:06:07.089Z","event":"call","outcome":"ok","tenant":"acme","person":"p_ada","device":"d","session":"s_1","grant":"g_1",` +
		`"stream":"st","call":"\"7\"","tool":"confluence_get_page","site":"wiki","objects":["page 12 <&> é"],"detail":"fine","address":"192.0.2.1","duration_ms":12}`
	if diff := cmp.Diff(body, string(all[0].Body)); diff != "" {
		t.Error(diff)
	}
	if got := fmt.Sprintf("%x", all[0].Hash); got != firstHash {
		t.Errorf("hash = %s", got)
	}
	if chains, err := r.Verify(t.Context()); err != nil || len(chains) != 1 || chains[0].Records != 1 {
		t.Errorf("Verify = %+v, %v", chains, err)
	}
}

const firstHash = "77a2572558e0cd4d26fcb8cc702e02126e9f7a87a58bb1ecb87e30c6f56250f9"

func TestEntriesAreBounded(t *testing.T) {
	r := newRig(t)
	long := strings.Repeat("é", 5000)
	objects := make([]string, 500)
	for i := range objects {
		objects[i] = "page \x1b[31m" + long
	}
	err := r.Record(t.Context(), audit.Entry{
		Event: long, Outcome: long, Tenant: "acme", Person: identity.PersonID(long), Device: identity.DeviceID(long), Tool: "a\xffb\u202ec\u2028\\u{1b}",
		Detail: "line\nline\x00" + long, Objects: objects, Address: long,
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := r.List(t.Context(), "acme", 0, 10)
	if err != nil || len(all) != 1 || len(all[0].Body) > 80_000 {
		t.Fatalf("%d records, %v", len(all), err)
	}
	e, err := all[0].Entry()
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\uFFFDb" + `\u{202e}c\u{2028}\\u{1b}`; e.Tool != want {
		t.Errorf("tool = %q, want %q", e.Tool, want)
	}
	if len(e.Objects) != 201 || e.Objects[200] != "… and 300 more" || !strings.HasPrefix(e.Objects[0], `page \u{1b}[31m`) {
		t.Errorf("%d objects, the last %q", len(e.Objects), e.Objects[len(e.Objects)-1])
	}
	for _, text := range append(e.Objects, e.Event, e.Detail, string(e.Person), e.Address) {
		if !utf8.ValidString(text) || len(text) > 2100 || strings.IndexFunc(text, unicode.IsControl) >= 0 {
			t.Errorf("stored %.60q", text)
		}
	}
	if _, err := r.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNoRecordNoAnswer(t *testing.T) {
	r := newRig(t)
	if err := r.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Record(t.Context(), audit.Entry{Event: "call"}); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Record = %v", err)
	}
}

func TestManyRecordAtOnce(t *testing.T) {
	r := newRig(t)
	var log bytes.Buffer
	r.Log = audit.New(audit.Config{Sink: r.db, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() { r.fill(t, identity.TenantID(fmt.Sprint("t", i%2)), 25) })
	}
	wg.Wait()
	chains, err := r.Verify(t.Context())
	if err != nil || len(chains) != 2 || chains[0].Records != 100 || chains[1].Records != 100 {
		t.Errorf("Verify = %+v, %v", chains, err)
	}
	if n := strings.Count(log.String(), "msg=audit"); n != 200 {
		t.Errorf("%d log lines", n)
	}
	tenants, err := r.Tenants(t.Context())
	if diff := cmp.Diff([]identity.TenantID{"t0", "t1"}, tenants); err != nil || diff != "" {
		t.Errorf("tenants: %v %s", err, diff)
	}
}

// FuzzRecord: whatever is in an entry, its record is sound and harmless.
func FuzzRecord(f *testing.F) {
	db, err := store.Open(context.Background(), "sqlite::memory:", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = db.Close() })
	log := audit.New(audit.Config{Sink: db})
	seq := int64(0)
	f.Add("call", "page\n\x1b[2J", "\xff\\")
	f.Fuzz(func(t *testing.T, event, object, detail string) {
		if err := log.Record(t.Context(), audit.Entry{Event: event, Objects: []string{object}, Detail: detail}); err != nil {
			t.Fatal(err)
		}
		all, err := log.List(t.Context(), "", seq, 1)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d records, %v", len(all), err)
		}
		seq = all[0].Seq
		e, err := all[0].Entry()
		if err != nil || e.Event != all[0].Event || strings.IndexFunc(e.Event+e.Objects[0]+e.Detail, unicode.IsControl) >= 0 {
			t.Errorf("stored %q, %v", all[0].Body, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			r := newRig(b)
			entry := audit.Entry{
				Event: "call", Outcome: "ok", Tenant: "acme", Person: "p_0123456789abcdef0123", Device: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
				Session: "s_0123456789abcdef0123456789a", Stream: "0123456789abcdef0123", Call: "17", Tool: "confluence_get_page", Site: "wiki",
				Objects: []string{"page 123456"}, Address: "192.0.2.1", DurationMillis: 120,
			}
			next := make(chan struct{}, callers)
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Go(func() {
					for range next {
						if err := r.Record(b.Context(), entry); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
