package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coatcheck-mcp/coatcheck/vault/audit"
	"github.com/coatcheck-mcp/coatcheck/vault/audit/keyed"
)

func hasher(t testing.TB) *keyed.Hasher {
	t.Helper()
	h, err := keyed.New([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestLevels records the same call at each level in one chain, which stays
// sound, and compares what is kept of it.
func TestLevels(t *testing.T) {
	for engine, url := range engines {
		t.Run(engine, func(t *testing.T) {
			r, h := newRigOn(t, url(t)), hasher(t)
			asked, answered := []byte(`{"title": "Plans", "token": "SECRET"}`), map[string]string{"id": "7", "body": "CONTENT"}
			result, _ := json.Marshal(answered)
			hashed := audit.Entry{
				ArgumentsBytes: len(asked), ResultBytes: len(result),
				ArgumentsHash: h.Arguments("acme", []byte(`{"token":"SECRET","title":"Plans"}`)), ResultHash: h.Result("acme", result),
			}
			full := hashed
			full.Arguments = json.RawMessage(`{"title":"Plans","token":"[redacted]"}`)
			levels := []audit.Level{"", audit.Metadata, audit.Hashes, audit.Full}
			for _, level := range levels {
				log := audit.New(audit.Config{Sink: r.db, Level: level, Hasher: func(context.Context) (*keyed.Hasher, error) { return h, nil }})
				if err := log.Record(t.Context(), audit.Entry{Event: "call", Outcome: "ok", Tenant: "acme", Person: "p_ada", Asked: asked, Answered: answered}); err != nil {
					t.Fatal(err)
				}
			}
			list, err := r.List(t.Context(), "acme", 0, 0)
			if err != nil || len(list) != len(levels) {
				t.Fatal(len(list), err)
			}
			for i, want := range []audit.Entry{{}, {}, hashed, full} {
				got, err := list[i].Entry()
				want.Time, want.Event, want.Outcome, want.Tenant, want.Person = got.Time, "call", "ok", "acme", "p_ada"
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("level %q: %v (-want +got):\n%s", levels[i], err, diff)
				}
				if body := string(list[i].Body); strings.Contains(body, "SECRET") || strings.Contains(body, "CONTENT") {
					t.Errorf("level %q keeps what it must not: %s", levels[i], body)
				}
			}
			if _, err := r.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPeopleByHash: the records of one person group, and name nobody.
func TestPeopleByHash(t *testing.T) {
	r, h := newRig(t), hasher(t)
	log := audit.New(audit.Config{Sink: r.db, Attribution: audit.ByHash, Hasher: func(context.Context) (*keyed.Hasher, error) { return h, nil }})
	for _, e := range []audit.Entry{
		{Event: "call", Person: "p_ada"},
		{Event: "revocation.ordered", Person: "p_ada", Objects: []string{"person p_ada"}, Detail: "all of p_ada"},
		{Event: "again", Person: h.Person("acme", "p_ada")},
		{Event: "vault"},
	} {
		e.Tenant = "acme"
		if err := log.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.List(t.Context(), "acme", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, record := range list {
		e, _ := record.Entry()
		if want := h.Person("acme", "p_ada"); i < 3 && e.Person != want || strings.Contains(string(record.Body), "p_ada") {
			t.Errorf("record %d: %s", i+1, record.Body)
		}
	}
	if _, err := r.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestNoKeyNoRecord: what cannot be hashed is not stored as it is.
func TestNoKeyNoRecord(t *testing.T) {
	r, broken := newRig(t), errors.New("broken")
	for _, cfg := range []audit.Config{
		{Level: audit.Hashes}, {Level: audit.Full}, {Attribution: audit.ByHash},
		{Level: audit.Full, Hasher: func(context.Context) (*keyed.Hasher, error) { return nil, broken }},
	} {
		cfg.Sink = r.db
		if err := audit.New(cfg).Record(t.Context(), audit.Entry{Event: "call", Tenant: "acme", Person: "p_ada", Asked: []byte("{}")}); err == nil || cfg.Hasher != nil && !errors.Is(err, broken) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	if head, err := r.db.AuditHead(t.Context(), "acme"); head.Seq != 0 || err != nil {
		t.Errorf("%d records, %v", head.Seq, err)
	}
}
