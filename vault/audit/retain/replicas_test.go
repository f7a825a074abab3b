package retain_test

import (
	"context"
	"io"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/objects"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/retain"
	"github.com/coatcheck-mcp/coatcheck/vault/identity"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

// between is a store where another replica is at work at the worst time.
type between struct {
	*store.DB
	segments, read func(after int64) // run once, after that was read, or before; nil for nothing
}

func (b *between) AuditSegments(ctx context.Context, tenant identity.TenantID) ([]audit.Segment, error) {
	list, err := b.DB.AuditSegments(ctx, tenant)
	if other := b.segments; other != nil {
		b.segments = nil
		other(0)
	}
	return list, err
}

func (b *between) AuditRead(ctx context.Context, tenant identity.TenantID, after int64, limit int) ([]audit.Record, error) {
	if b.read != nil {
		b.read(after)
	}
	return b.DB.AuditRead(ctx, tenant, after, limit)
}

// slow is a folder where another replica is at work while an object is made.
type slow struct {
	*objects.Dir
	other func()
}

func (s *slow) Create(ctx context.Context, name string, write func(io.Writer) error) error {
	err := s.Dir.Create(ctx, name, write)
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
	return err
}

// drops counts the records that say that something was dropped.
func (r *rig) drops(t *testing.T) (n int) {
	t.Helper()
	list, err := r.db.AuditRead(t.Context(), "acme", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range list {
		if record.Event == "audit.dropped" {
			n++
		}
	}
	return n
}

// TestRoundsOfReplicas: what another replica sealed or dropped since ours looked
// is neither missing nor dropped a second time.
func TestRoundsOfReplicas(t *testing.T) {
	for name, test := range map[string]struct {
		sealed bool // before both
		slow   bool // the other comes during the export
	}{
		"the other seals and drops": {},
		"the other drops":           {sealed: true},
		"during the export":         {slow: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t))
			r.fill(t, "acme", 50, 49, 40, 1)
			db, folder := &between{DB: r.db}, &slow{Dir: r.objects}
			ours := retain.New(retain.Config{Log: r.log, Store: db, Key: r.key, Keep: 30 * day, Logger: slog.New(slog.DiscardHandler), Objects: folder})
			round := func(int64) {
				if err := r.Round(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if test.sealed {
				r.seal(t, 3, 6, 9)
			}
			if test.slow {
				folder.other = func() { round(0) }
			} else {
				db.segments = round
			}
			if err := ours.Round(t.Context()); err != nil {
				t.Error(err)
			}
			if n := r.drops(t); n != 3 {
				t.Errorf("%d records say that one of three segments was dropped", n)
			}
			if chains, err := r.verify(t, r.key); err != nil || chains[0].Dropped != 9 {
				t.Errorf("%+v, %v", chains, err)
			}
		})
	}
}

// seal seals the stretches of acme's chain that end so.
func (r *rig) seal(t *testing.T, ends ...int64) {
	t.Helper()
	s := audit.Segment{Tenant: "acme", First: 1}
	for _, end := range ends {
		list, err := r.db.AuditRead(t.Context(), "acme", s.First-1, int(end-s.First)+1)
		if err != nil {
			t.Fatal(err)
		}
		s.Prev, s.Head, s.Since, s.Until = list[0].Prev, list[len(list)-1].Head, list[0].Time, list[len(list)-1].Time
		if s, err = r.key.SignSegment(s); err == nil {
			err = r.db.AuditSeal(t.Context(), s)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.First = end + 1
	}
}

// TestVerifyDuringARound: what a replica drops while a chain is read is not
// missing, and a hole is, whatever is dropped.
func TestVerifyDuringARound(t *testing.T) {
	for name, test := range map[string]struct {
		at   int64 // the round happens before what follows this record is read
		hole bool
	}{
		"before the first record": {at: math.MinInt64},
		"half way":                {at: 1000},
		"with a hole":             {at: 1000, hole: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engines["sqlite"](t))
			var filling sync.WaitGroup
			old := time.Now().Add(-50 * day)
			for range 2500 { // more than is read at once
				filling.Go(func() {
					if err := r.log.Record(t.Context(), audit.Entry{Time: old, Event: "call", Tenant: "acme"}); err != nil {
						t.Error(err)
					}
				})
			}
			filling.Wait()
			r.fill(t, "acme", 2, 1, 0)
			if test.hole {
				r.forge(t)("DELETE FROM audit WHERE seq = 2505")
			}
			first := make(chan struct{}) // the first stretch was asked for
			var once, told sync.Once
			db := &between{DB: r.db, read: func(after int64) {
				if after == 0 {
					told.Do(func() { close(first) })
				}
				if after == test.at {
					once.Do(func() {
						if after > 0 {
							<-first
							time.Sleep(50 * time.Millisecond)
						}
						if err := r.Round(t.Context()); err != nil {
							t.Error(err)
						}
					})
				}
			}}
			_, err := audit.New(audit.Config{Sink: db}).VerifyWith(t.Context(), audit.Proof{Key: func(context.Context) (string, error) { return r.key.Verifier(), nil }})
			if list, failed := r.db.AuditRead(t.Context(), "acme", 0, 1); failed != nil || list[0].Seq != 2501 {
				t.Fatalf("nothing was dropped: %v", failed)
			}
			if broken := err != nil; broken != test.hole {
				t.Errorf("VerifyWith = %v", err)
			}
		})
	}
}
