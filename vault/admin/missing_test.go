package admin_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/internal/usererr"
	"github.com/coatcheck-mcp/coatcheck/vault/admin"
	"github.com/coatcheck-mcp/coatcheck/vault/audit"
)

// TestLookingForWhatIsNotThere is on record, or not answered.
func TestLookingForWhatIsNotThere(t *testing.T) {
	r := newRig(t)
	d, ctx := admin.New(r.cfg), t.Context()
	asks := map[string]func() error{
		"session s_x":  func() error { _, err := d.Session(ctx, auditor, "s_x"); return err },
		"session":      func() error { _, err := d.Session(ctx, auditor, ""); return err },
		"device d_x":   func() error { _, err := d.Device(ctx, auditor, "d_x"); return err },
		"grant g_x":    func() error { _, err := d.Grant(ctx, auditor, "g_x"); return err },
		"person p_x":   func() error { _, err := d.Person(ctx, auditor, "p_x"); return err },
		"verification": func() error { _, err := d.Verification(ctx, auditor, "v_x"); return err },
		"preview s_x":  func() error { _, err := d.Preview(ctx, auditor, admin.Scope{Session: "s_x"}); return err },
		"preview d_x":  func() error { _, err := d.Preview(ctx, auditor, admin.Scope{Device: "d_x"}); return err },
		"preview g_x":  func() error { _, err := d.Preview(ctx, auditor, admin.Scope{Grant: "g_x"}); return err },
		"revoking g_x": func() error { _, err := d.Revoke(ctx, administrator, admin.Scope{Grant: "g_x"}); return err },
		"revoking d_x": func() error { _, err := d.Revoke(ctx, administrator, admin.Scope{Device: "d_x"}); return err },
	}
	for what, ask := range asks {
		before := len(r.looks())
		if err := ask(); usererr.CodeOf(err) != usererr.NotFound {
			t.Errorf("%s: %v", what, err)
		}
		if n := len(r.looks()) - before; n != 1 {
			t.Errorf("%s: %d records", what, n)
		}
	}
	_, _ = d.Person(ctx, auditor, "p_x")
	last := r.looks()[0]
	want := audit.Entry{Event: "admin.look", Outcome: "error", Code: "not_found", Person: "p_x", Objects: []string{"person"}, By: "key:aud", Detail: "by an auditor, in a test"}
	last.Time = want.Time
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("the record: %s", diff)
	}
	r.sink.refuse = func(audit.Record) bool { return true }
	for what, ask := range asks {
		if err := ask(); usererr.CodeOf(err) != usererr.Unavailable || !errors.Is(err, errFull) {
			t.Errorf("unrecorded, %s: %v", what, err)
		}
	}
}

// looks are those on record in the vault's own chain, the latest first.
func (r *rig) looks() (all []audit.Entry) {
	r.Helper()
	head, err := r.db.AuditHead(r.Context(), "")
	if err != nil {
		r.Fatal(err)
	}
	list, err := r.db.Desk().RecordsBefore(r.Context(), "", head.Seq+1, 1000)
	if err != nil {
		r.Fatal(err)
	}
	for _, record := range list {
		e, err := record.Entry()
		if err != nil {
			r.Fatal(err)
		}
		if e.Event == "admin.look" {
			all = append(all, e)
		}
	}
	return all
}
