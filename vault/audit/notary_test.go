package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
)

func newKey(t testing.TB, b byte) *audit.Key {
	t.Helper()
	key, err := audit.NewKey(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// notary is one whose vault starts and ends for each round.
type notary struct {
	cfg audit.NotaryConfig
	log *bytes.Buffer
}

func newNotary(t testing.TB, r *rig) *notary {
	t.Helper()
	var log bytes.Buffer
	return &notary{audit.NotaryConfig{
		Log: r.Log, Key: newKey(t, 7), File: filepath.Join(t.TempDir(), "checkpoints"), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, &log}
}

func (n *notary) round(t testing.TB) {
	t.Helper()
	one, err := audit.NewNotary(context.Background(), n.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := one.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func (n *notary) text(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(n.cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (n *notary) append(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(n.cfg.File, []byte(n.text(t)+text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (n *notary) checkpoints(t testing.TB) []audit.Checkpoint {
	t.Helper()
	list, torn, err := audit.ReadCheckpoints(strings.NewReader(n.text(t)), n.cfg.Key.Verifier())
	if err != nil || torn > 0 {
		t.Fatalf("%d torn, %v", torn, err)
	}
	return list
}

// TestACheckpointIsASignedNote checks the form by hand, as somebody without our
// code would (C2SP signed-note).
func TestACheckpointIsASignedNote(t *testing.T) {
	r := newRig(t)
	if err := r.Record(t.Context(), audit.Entry{Event: "call", Tenant: "acme", Time: time.Unix(1, 0)}); err != nil {
		t.Fatal(err)
	}
	n := newNotary(t, r)
	n.round(t)
	all, err := r.List(t.Context(), "acme", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	text, signature, _ := strings.Cut(n.text(t), "\n\n— coatcheck-vault ")
	if want := "coatcheck-vault/audit/acme\n1\n" + base64.StdEncoding.EncodeToString(all[0].Hash); text != want {
		t.Errorf("text = %q, want %q", text, want)
	}
	vkey := strings.Split(n.cfg.Key.Verifier(), "+")
	public, err := base64.StdEncoding.DecodeString(vkey[len(vkey)-1])
	if err != nil || len(vkey) != 3 || vkey[0] != "coatcheck-vault" || public[0] != 1 {
		t.Fatalf("verifier key %q, %v", vkey, err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(signature, "\n"))
	if err != nil || fmt.Sprintf("%08x", binary.BigEndian.Uint32(raw)) != vkey[1] || !ed25519.Verify(public[1:], []byte(text+"\n"), raw[4:]) {
		t.Errorf("signature %q does not verify: %v", signature, err)
	}
	// What was signed once is verified for ever: the form of key and note.
	const want = "coatcheck-vault+86ac7db2+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs"
	if diff := cmp.Diff(want, n.cfg.Key.Verifier()); diff != "" {
		t.Error(diff)
	}
}

func TestCheckpointsOnlyWhenAChainMoves(t *testing.T) {
	r := newRig(t)
	n := newNotary(t, r)
	n.round(t)
	if got := n.text(t); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	r.fill(t, "acme", 3)
	n.round(t)
	n.round(t)
	r.fill(t, "odd/tenant é", 1)
	r.fill(t, "", 2)
	n.round(t)
	type end struct {
		Tenant identity.TenantID
		Seq    int64
	}
	got := map[end]int{}
	for _, c := range n.checkpoints(t) {
		got[end{c.Tenant, c.Seq}]++
	}
	if diff := cmp.Diff(map[end]int{{"acme", 3}: 1, {"odd/tenant é", 1}: 1, {"", 2}: 1}, got); diff != "" {
		t.Error(diff)
	}
	chains, err := r.Verify(t.Context(), n.checkpoints(t)...)
	if err != nil || len(chains) != 3 || chains[1].Signed != 3 {
		t.Errorf("Verify = %+v, %v", chains, err)
	}
	if n.log.Len() > 0 {
		t.Error(n.log)
	}
}

// TestATamperedChainGetsNoCheckpoint: nobody can have a forged chain signed.
func TestATamperedChainGetsNoCheckpoint(t *testing.T) {
	for name, tamper := range map[string]func(forger, *rig){
		"hashed anew":        func(f forger, r *rig) { f.rewrite(r, 2) },
		"a bit of the body":  func(f forger, _ *rig) { f.flip("body") },
		"deleted":            func(f forger, _ *rig) { f.exec("DELETE FROM audit WHERE tenant = 'acme' AND seq = 5") },
		"cut off":            func(f forger, _ *rig) { f.exec(deleteFrom, 4); f.head(3) },
		"cut off unsigned":   func(f forger, _ *rig) { f.exec(deleteFrom, 6) },
		"gone with its end":  func(f forger, _ *rig) { f.exec(deleteFrom, 0); f.exec("DELETE FROM audit_heads") },
		"another end stored": func(f forger, _ *rig) { f.exec("UPDATE audit_heads SET hash = $1", []byte("other")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			n := newNotary(t, r)
			r.fill(t, "acme", 4)
			n.round(t)
			before := n.text(t)
			r.fill(t, "acme", 3)
			tamper(r.forge(t), r)
			n.round(t)
			if after := n.text(t); after != before || !strings.Contains(n.log.String(), "behind the vault's back") {
				t.Errorf("signed %q, log: %s", strings.TrimPrefix(after, before), n.log)
			}
		})
	}
	t.Run("without an earlier checkpoint", func(t *testing.T) {
		r := newRig(t)
		n := newNotary(t, r)
		r.fill(t, "acme", 5)
		r.forge(t).flip("body")
		n.round(t)
		if n.text(t) != "" || !strings.Contains(n.log.String(), "record=5") {
			t.Errorf("signed %q, log: %s", n.text(t), n.log)
		}
	})
}

// TestHalfACheckpointIsPassedOver, wherever a crash cut it, and the next one is
// whole.
func TestHalfACheckpointIsPassedOver(t *testing.T) {
	r := newRig(t)
	n := newNotary(t, r)
	r.fill(t, "acme", 2)
	n.round(t)
	whole := n.text(t)
	for size := range len(whole) - 1 {
		if err := os.WriteFile(n.cfg.File, []byte(whole+"\n"+whole[:size]), 0o600); err != nil {
			t.Fatal(err)
		}
		r.fill(t, "acme", 1)
		n.round(t)
		list, torn, err := audit.ReadCheckpoints(strings.NewReader(n.text(t)), n.cfg.Key.Verifier())
		if err != nil || len(list) != 2 || torn != min(size, 1) || list[1].Seq != int64(size)+3 {
			t.Fatalf("cut at %d: %+v, %d torn, %v", size, list, torn, err)
		}
	}
}

func TestBadCheckpoints(t *testing.T) {
	r := newRig(t)
	n := newNotary(t, r)
	r.fill(t, "acme", 2)
	n.round(t)
	whole := n.text(t)
	foreign := newNotary(t, r)
	foreign.cfg.Key = newKey(t, 8)
	foreign.round(t)
	for _, test := range []struct{ name, file, key, want string }{
		{"changed", strings.Replace(whole, "\n2\n", "\n3\n", 1), "", "line 1 was changed after it was signed"},
		{"of another tenant", strings.Replace(whole, "acme", "labs", 1), "", "line 1 was changed after it was signed"},
		{"by another key", whole + "\n" + foreign.text(t), "", "line 7 is not signed by this key"},
		{"too long", whole + "\n" + strings.Repeat("x", 5000), "", "line 7 is too long"},
		{"too many lines", whole + "\n" + strings.Repeat("x\n", 5000), "", "line 7 is too long"},
		{"no key", whole, "coatcheck", "the verifier key is not one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := test.key
			if key == "" {
				key = n.cfg.Key.Verifier()
			}
			_, _, err := audit.ReadCheckpoints(strings.NewReader(test.file), key)
			if wrong := (*audit.CheckpointError)(nil); !errors.As(err, &wrong) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("ReadCheckpoints = %v, want %q", err, test.want)
			}
		})
	}
	t.Run("going on with another's file", func(t *testing.T) {
		n.append(t, "\n"+foreign.text(t))
		if _, err := audit.NewNotary(context.Background(), n.cfg); !errors.Is(err, audit.ErrNotary) {
			t.Errorf("NewNotary = %v", err)
		}
	})
}

// still is a sink with one chain in memory.
type still struct {
	audit.Sink
	mu sync.Mutex

	list []audit.Record // guarded by mu
}

func (s *still) AuditAppend(_ context.Context, _ identity.TenantID, next func(audit.Head) audit.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var head audit.Head
	if n := len(s.list); n > 0 {
		head = s.list[n-1].Head
	}
	s.list = append(s.list, next(head))
	return nil
}

func (s *still) AuditRead(_ context.Context, _ identity.TenantID, after int64, limit int) ([]audit.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := min(max(after, 0), int64(len(s.list)))
	return s.list[from:min(from+int64(limit), int64(len(s.list)))], nil
}

func (*still) AuditSegments(context.Context, identity.TenantID) ([]audit.Segment, error) {
	return nil, nil
}

func (s *still) AuditHead(context.Context, identity.TenantID) (audit.Head, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list[len(s.list)-1].Head, nil
}

func (s *still) AuditHeads(ctx context.Context) (map[identity.TenantID]audit.Head, error) {
	head, err := s.AuditHead(ctx, "")
	return map[identity.TenantID]audit.Head{"acme": head}, err
}

func (s *still) AuditTenants(context.Context) ([]identity.TenantID, error) {
	return []identity.TenantID{"acme"}, nil
}

// TestACheckpointEachMinute while the chain moves, and one at the end.
func TestACheckpointEachMinute(t *testing.T) {
	file := filepath.Join(t.TempDir(), "checkpoints")
	synctest.Test(t, func(t *testing.T) {
		log := audit.New(audit.Config{Sink: &still{}})
		record := func() {
			if err := log.Record(t.Context(), audit.Entry{Event: "call", Tenant: "acme"}); err != nil {
				t.Fatal(err)
			}
		}
		record()
		n, err := audit.NewNotary(t.Context(), audit.NotaryConfig{Log: log, Key: newKey(t, 7), File: file, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := n.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		count := func() int {
			synctest.Wait()
			list, _, err := audit.ReadCheckpoints(bytes.NewReader(must(os.ReadFile(file))), newKey(t, 7).Verifier())
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		var got []int
		for range 4 {
			got = append(got, count())
			record()
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Hour) // nothing moves
		got = append(got, count())
		record()
		cancel()
		running.Wait()
		got = append(got, count())
		if diff := cmp.Diff([]int{1, 2, 3, 4, 5, 6}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// FuzzReadCheckpoints: whatever is in a file, only what the key signed counts.
func FuzzReadCheckpoints(f *testing.F) {
	key := newKey(f, 7)
	note, err := key.Sign("acme", audit.Head{Seq: 5, Hash: []byte("a hash")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(note)
	f.Add(append(append(note[:40:40], '\n'), note...))
	f.Add([]byte("coatcheck-vault/audit\n5\nYQ==\n\n— coatcheck-vault AAAA\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		list, _, err := audit.ReadCheckpoints(bytes.NewReader(file), key.Verifier())
		for _, c := range list {
			if c.Tenant != "acme" || c.Seq != 5 || string(c.Hash) != "a hash" {
				t.Errorf("believed %+v", c)
			}
		}
		if whole := bytes.Equal(file, note); whole && (err != nil || len(list) != 1) {
			t.Errorf("%d checkpoints, %v", len(list), err)
		}
	})
}

// BenchmarkVerify shows what checking costs, and what reading adds to it.
func BenchmarkVerify(b *testing.B) {
	const records = 100_000
	s := &still{}
	log := audit.New(audit.Config{Sink: s})
	for range records {
		if err := log.Record(b.Context(), audit.Entry{
			Event: "call", Outcome: "ok", Tenant: "acme", Person: "p_0123456789abcdef0123", Device: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
			Session: "s_0123456789abcdef0123456789a", Stream: "0123456789abcdef0123", Call: "17", Tool: "confluence_get_page", Site: "wiki",
			Objects: []string{"page 123456"}, Address: "192.0.2.1", DurationMillis: 120,
		}); err != nil {
			b.Fatal(err)
		}
	}
	verify := func(b *testing.B, log *audit.Log) {
		b.ReportAllocs()
		for b.Loop() {
			if chains, err := log.Verify(b.Context()); err != nil || chains[0].Records != records {
				b.Fatalf("Verify = %+v, %v", chains, err)
			}
		}
		b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
	}
	b.Run("memory", func(b *testing.B) { verify(b, log) })
	for engine, address := range engines {
		b.Run(engine, func(b *testing.B) {
			r := newRigOn(b, address(b))
			r.put(b, s.list)
			verify(b, r.Log)
		})
	}
}

// put stores a chain at once.
func (r *rig) put(b testing.TB, list []audit.Record) forger {
	b.Helper()
	f := r.forge(b)
	tx, err := f.db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	for chunk := range slices.Chunk(list, 500) {
		var rows []string
		var args []any
		for _, r := range chunk {
			n := len(args)
			rows = append(rows, fmt.Sprintf("('acme', $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6))
			args = append(args, r.Seq, r.Time.UnixMilli(), r.Event, r.Body, append([]byte{}, r.Prev...), r.Hash)
		}
		if _, err := tx.ExecContext(b.Context(), "INSERT INTO audit (tenant, seq, at, event, body, prev, hash) VALUES "+strings.Join(rows, ","), args...); err != nil {
			b.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
	f.exec("INSERT INTO audit_heads VALUES ('acme', $1, $2)", len(list), list[len(list)-1].Hash)
	return f
}
