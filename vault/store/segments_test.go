package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/store"
)

func segment(first, last int64, prev string) audit.Segment {
	s := audit.Segment{Tenant: "acme", First: first, Since: now, Until: now.Add(time.Hour), Note: []byte("signed")}
	s.Seq, s.Hash = last, []byte(fmt.Sprint("hash of e", last))
	s.Prev = []byte(prev)
	return s
}

// TestSegments: sealed in their order, dropped in their order, and nothing else
// of a chain goes.
func TestSegments(t *testing.T) {
	onEach(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		for i := range 10 {
			appendRecord(t, db, "acme", fmt.Sprint("e", i+1))
			appendRecord(t, db, "labs", fmt.Sprint("e", i+1))
		}
		one, two := segment(1, 3, ""), segment(4, 6, "hash of e3")
		wrong := map[string]audit.Segment{
			"a gap": segment(2, 3, "hash of e1"), "the end of the chain": segment(1, 10, ""), "beyond it": segment(1, 11, ""), "empty": segment(1, 0, ""),
		}
		forged := segment(1, 3, "")
		forged.Hash = []byte("other")
		wrong["another record"] = forged
		for name, s := range wrong {
			if err := db.AuditSeal(ctx, s); err == nil {
				t.Errorf("%s was sealed", name)
			}
		}
		for _, s := range []audit.Segment{one, two, two, one} { // again: by another replica
			if err := db.AuditSeal(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.AuditSeal(ctx, segment(5, 8, "hash of e4")); err == nil {
			t.Error("a segment that overlaps was sealed")
		}
		got, err := db.AuditSegments(ctx, "acme")
		if diff := cmp.Diff([]audit.Segment{one, two}, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		if err := db.AuditDrop(ctx, "acme", 6, now); err == nil {
			t.Error("a segment was dropped before the one before it")
		}
		for _, last := range []int64{9, 3, 3, 2} { // 9 and 2 end none
			if err := db.AuditDrop(ctx, "acme", last, now); (err != nil) != (last == 9) {
				t.Errorf("dropping to %d: %v", last, err)
			}
		}
		count := func(tenant string, want int, first int64) {
			t.Helper()
			list, err := db.AuditRead(ctx, "acme", 0, 100)
			if tenant == "labs" {
				list, err = db.AuditRead(ctx, "labs", 0, 100)
			}
			if err != nil || len(list) != want || list[0].Seq != first {
				t.Errorf("%s has %d records, %v; want %d from %d on", tenant, len(list), err, want, first)
			}
		}
		count("acme", 7, 4)
		count("labs", 10, 1)
		if err := db.AuditDrop(ctx, "acme", 6, now.Add(time.Minute)); err != nil {
			t.Error(err)
		}
		count("acme", 4, 7)
		one.Dropped, two.Dropped = now, now.Add(time.Minute)
		got, err = db.AuditSegments(ctx, "acme")
		if diff := cmp.Diff([]audit.Segment{one, two}, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		appendRecord(t, db, "acme", "e11") // the chain goes on
		count("acme", 5, 7)
	})
}
